"""The embedded stack: every real part of Outcry on one machine, under one supervisor."""
