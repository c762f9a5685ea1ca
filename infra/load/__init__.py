"""The load generator: clients of a stream on this machine, and what they see of it."""
