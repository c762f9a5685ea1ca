"""One stream of prices out of two lines that carry the same: the first copy of each message wins.

    line A -> feed -+
                    +-> arbiter -> book
    line B -> feed -+

Invariant: what leaves is the publication's messages in the order of their numbers, which are
ApplSeqNum(1181), without a hole: from a snapshot on, each once; and a snapshot only when it is
ahead of all that has left, so that no price goes back. A message behind a hole is held back, within
HoldLimits, until the other line fills it or a snapshot passes it; when neither comes, nothing more
leaves before a new snapshot. A copy is known by its number alone, and never parsed.
"""

from collections.abc import Sequence
from typing import NamedTuple

from edge.ingest.session import Message
from functions.shared.domain.errors import PeerProtocolError


class HoldLimits(NamedTuple):
    """How long a hole is waited for, and how many messages behind it are kept meanwhile."""

    seconds: float = 0.25
    messages: int = 2_000


class Line:
    """What the arbiter knows of one connection. `taken` and `dropped` count first and second
    copies; `follows` is whether its answer, a snapshot of each symbol, is complete."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.taken = self.dropped = 0
        self.publication = b""
        self.number = 0
        self.asked = False
        self._missing = 0

    @property
    def follows(self) -> bool:
        return bool(self.publication) and not self._missing

    def answers(self, message: Message, symbols: int) -> bool:
        """Counts a snapshot; True when it is the first of an answer."""
        named = message.publication, message.number
        first = not self._missing or named != (self.publication, self.number)
        if first:
            self._missing, self.asked = symbols, False
        self.publication, self.number = named
        self._missing -= 1
        return first

    def down(self) -> None:
        """The connection ended."""
        self.publication, self.number, self.asked, self._missing = b"", 0, False, 0


class Arbiter:
    """The lines of one set of `symbols` (their number). Times given are monotonic seconds."""

    def __init__(self, lines: Sequence[Line], symbols: int, limits: HoldLimits) -> None:
        self.lines = lines
        self._symbols, self._limits = symbols, limits
        self._publication = b""
        #: The number that leaves next; None while only a snapshot can help.
        self._next: int | None = None
        #: The last number that left before that: no older snapshot may.
        self._floor = 0
        #: The line whose answer is being taken, until it is complete.
        self._source: Line | None = None
        self._held: dict[int, Message] = {}
        self._hole_at: float | None = None
        self.losses = 0

    def widen(self, symbols: int) -> None:
        """The set is of that many from now on: the lines are to be connected anew."""
        self._symbols = symbols

    @property
    def in_step(self) -> bool:
        """Whether all symbols are known, and some line carries them on."""
        whole = self._next is not None and self._source is None
        return whole and any(self._carries(line) for line in self.lines)

    def is_current(self, line: Line) -> bool:
        """Whether the line carries all on, and what it has brought so far has left."""
        return self.in_step and self._carries(line) and not (self._held or self.behind(line))

    def behind(self, line: Line) -> int:
        """How many messages the line has yet to bring."""
        if self._next is None or line.publication != self._publication:
            return 0
        return max(0, self._next - 1 - line.number)

    def take(self, line: Line, message: Message) -> Sequence[Message]:
        """The messages that leave, in order, now that this one came. Raises PeerProtocolError for
        one without a number, and for an update amid an answer."""
        if not message.publication:
            raise PeerProtocolError("market data without ApplID(1180) and ApplSeqNum(1181)")
        enter = self._answer if message.is_snapshot else self._follow
        taken = enter(line, message)
        if taken:
            line.taken += 1
        else:
            line.dropped += 1
        return taken

    def down(self, line: Line) -> None:
        """A line's connection ended."""
        line.down()
        if self._source is line:
            self.lose()

    def lose(self) -> None:
        """What has left is not whole: nothing more does before a snapshot."""
        if self._next is not None:
            self._floor = self._next - 1
        self._next = self._source = self._hole_at = None
        self._held.clear()
        self.losses += 1

    def look(self, now: float) -> Line | None:
        """A line that is to ask for snapshots anew, if one is. Call it several times a second."""
        if self._held:
            self._hole_at = now if self._hole_at is None else self._hole_at
            if now - self._hole_at > self._limits.seconds:
                self.lose()
        if self._next is not None:
            return None
        line = next((each for each in self.lines if each.follows and not each.asked), None)
        if line is not None:
            line.asked = True
        return line

    def _carries(self, line: Line) -> bool:
        return line.follows and line.publication == self._publication

    def _answer(self, line: Line, message: Message) -> Sequence[Message]:
        first = line.answers(message, self._symbols)
        if first and self._is_ahead(line, message):
            if message.publication != self._publication:
                self._held.clear()
            self._publication, self._source = message.publication, line
            self._next = message.number + 1
            for passed in [number for number in self._held if number < self._next]:
                del self._held[passed]
        if self._source is not line:
            return ()
        if not line.follows:
            return (message,)
        self._source = None
        return (message, *self._follow_on())

    def _is_ahead(self, line: Line, message: Message) -> bool:
        """Whether an answer that begins tells more than has left. A publication's new name does,
        for it gets one only after nobody was shown the old one."""
        if self._source is line or message.publication != self._publication:
            return True
        if self._next is None:
            return message.number >= self._floor
        return self._source is None and message.number >= self._next

    def _follow(self, line: Line, message: Message) -> Sequence[Message]:
        number = message.number
        if message.publication != self._publication or self._next is None:
            return ()
        if self._source is line:
            raise PeerProtocolError("an update before the answer was complete")
        line.number = number
        if number < self._next:
            return ()
        if number > self._next or self._source is not None:
            self._hold(message)
            return ()
        self._next += 1
        return (message, *self._follow_on()) if self._held else (message,)

    def _follow_on(self) -> list[Message]:
        """What was held back and is next now."""
        out: list[Message] = []
        while self._next is not None and self._next in self._held:
            out.append(self._held.pop(self._next))
            self._next += 1
        self._hole_at = None
        return out

    def _hold(self, message: Message) -> None:
        if len(self._held) < self._limits.messages:
            self._held[message.number] = message
        else:
            self.lose()
