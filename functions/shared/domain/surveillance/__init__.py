"""Rules of the fraud watch: what in a day's orders, trades and logins a person should look at.

Invariant: pure. The same happenings in the same order give the same findings, wherever they run.
"""
