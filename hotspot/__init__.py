"""The place: what stands before any guest arrives."""
