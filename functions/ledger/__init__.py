"""The ledger: what a user has, how it came to be, and the one place executions become facts."""
