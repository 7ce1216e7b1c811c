"""The ticket: passes, codes, batches, printing, and the one decision about who may be online."""
