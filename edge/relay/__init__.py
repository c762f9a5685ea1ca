"""The relay: what the ledger decided, from its outbox to the streams and the users' channels."""
