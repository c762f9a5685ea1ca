"""Who may come in: passwords, one-time codes, tokens and sessions, with one verifier for all."""
