"""Signing in and out: who a user is, and for how long."""
