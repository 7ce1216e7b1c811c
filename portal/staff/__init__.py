"""The staff pages: what owners and the operator see and do, signed in."""
