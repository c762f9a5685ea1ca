"""How far the venue has dealt with what one broker session sent: the inbound checkpoint.

quickfix moves its own expected number as soon as a callback returns, before the matching thread
acts. After a kill the venue therefore sets that number back to this checkpoint, so that the broker
is asked again for what was read but not dealt with. Invariant: every message up to `through` was
dealt with.
"""

MAX_AHEAD = 10_000


class Received:
    """The checkpoint of one session; numbers may arrive out of order around a resend."""

    def __init__(self, through: int = 0) -> None:
        self.through = through
        self._ahead: set[int] = set()

    def seen(self, first: int, last: int) -> None:
        """Note that the messages `first` to `last` were dealt with (a gap fill covers several).

        Numbers beyond a hole wait for it, at most 10,000 of them: past that they are forgotten, and
        a restart asks the broker for a little more than it had to.
        """
        if first <= self.through + 1:
            self.through = max(self.through, last)
        elif len(self._ahead) + last - first < MAX_AHEAD:
            self._ahead.update(range(first, last + 1))
        while self.through + 1 in self._ahead:
            self.through += 1
            self._ahead.discard(self.through)

    def reset(self, next_expected: int) -> None:
        """Start again below `next_expected` (141=Y, or SequenceReset without gap fill)."""
        self.through = next_expected - 1
        self._ahead.clear()
