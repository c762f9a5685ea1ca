"""The fraud watch: rules on the ledger's events and the trail of logins, and its alerts."""
