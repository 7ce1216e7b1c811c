"""The visit: admitting a device, accounting, capacity, the disconnect outbox and the anonymized connection log."""
