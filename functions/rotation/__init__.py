"""Secrets that are changed on a schedule."""
