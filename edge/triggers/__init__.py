"""Orders that wait: their prices and times are watched here, and the ledger is asked to act."""
