"""Sending what webhooks are told: a thread of house-keeping's process, so that no slow receiver delays anything else."""
