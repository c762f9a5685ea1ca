"""What keeps the stack from starting, in words for the person who started it."""


class StartRefused(Exception):
    """The message says what is wrong and what to do; nothing is left running."""
