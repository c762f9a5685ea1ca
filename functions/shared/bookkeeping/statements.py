"""Looking back: the account at an instant, and what moved its cash between two.

Invariant: a past moment is found in the log itself. Time never runs backwards within an account, so
the last event before a moment is found by halving the range of `seq`: log2(n) probes of the primary
key, which carries the time along, no second index to keep. What is read below a bound never changes
again, so that pages of one statement join without a gap.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from functions.shared.domain.errors import InvariantViolated, NotFound
from functions.shared.stores.postgres import Row, Shards
from functions.shared.wire.movements import Movement, decode_movement

from .reading import EVENT_ROWS, LedgerRow

# The last event before each of two moments; 0 when there is none.
_LAST_BEFORE = (
    "WITH RECURSIVE probe(moment, low, high) AS ("
    " SELECT DISTINCT m.moment, 0::bigint, a.seq FROM ledger.account a,"
    "  (VALUES (:start::timestamptz), (:until::timestamptz)) m(moment) WHERE a.user_id = :user_id"
    " UNION ALL"
    " SELECT p.moment, CASE WHEN e.at < p.moment THEN e.seq ELSE p.low END,"
    "  CASE WHEN e.at < p.moment THEN p.high ELSE e.seq - 1 END"
    "  FROM probe p JOIN ledger.ledger_event e"
    "   ON e.user_id = :user_id AND e.seq = (p.low + p.high + 1) / 2 WHERE p.low < p.high)"
    " SELECT low FROM probe WHERE low = high ORDER BY moment"
)
_STATE = f"{EVENT_ROWS} AND e.seq = :seq"
_CASH = "SELECT cash FROM ledger.ledger_event WHERE user_id = :user_id AND seq = :seq"
# By the postings: an event that moves no cash has none, so a day of orders is not read through.
_LINES = (
    "SELECT p.seq, ledger.micros(e.at), e.kind, e.ref, p.amount, e.cash, e.body"
    " FROM ledger.posting p JOIN ledger.ledger_event e USING (user_id, seq)"
    " WHERE p.user_id = :user_id AND p.seq > :after AND p.seq <= :last"
    " AND p.account = 'client:cash' AND p.asset = 'INR' ORDER BY p.seq LIMIT :rows"
)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One movement of cash: `amount` in paise, positive into the account; `balance` after it;
    `movement` is what its event says of it."""

    seq: int
    at: int
    kind: str
    ref: int | None
    amount: int
    balance: int
    movement: Movement


@dataclass(frozen=True, slots=True)
class Statement:
    """A page of movements with the cash before the first and after the last, in paise. `next` is
    the seq to go on after, None on the last page."""

    opening: int
    lines: tuple[StatementLine, ...]
    closing: int
    next: int | None


def state_at(shards: Shards, user_id: int, moment: datetime) -> LedgerRow:
    """The account as its last event at or before `moment` left it. Raises NotFound when there was
    no account yet."""
    after = moment + datetime.resolution
    seq, _ = _last_before(shards, user_id, after, after)
    rows = shards.of_user(user_id).run(_STATE, user_id=user_id, seq=seq)
    if not rows:
        raise NotFound(f"no account {user_id} at {moment.isoformat()}")
    return LedgerRow(*rows[0])


def statement(
    shards: Shards, user_id: int, start: datetime | None, until: datetime, after: int, rows: int
) -> Statement:
    """At most `rows` movements from `start` (None: the beginning) up to but not including `until`,
    past the event `after`. Raises NotFound when there is no account."""
    first, last = _last_before(shards, user_id, start or _BEGINNING, until)
    after = min(max(after, first), last)
    database = shards.of_user(user_id)
    found = database.run(_CASH, user_id=user_id, seq=after)
    opening: int = found[0][0] if found else 0
    lines = tuple(
        _line(row)
        for row in database.run(_LINES, user_id=user_id, after=after, last=last, rows=rows)
    )
    closing = opening + sum(line.amount for line in lines)
    if lines and closing != lines[-1].balance:
        raise InvariantViolated(
            f"account {user_id}: postings and balance differ by {lines[-1].seq}"
        )
    return Statement(opening, lines, closing, lines[-1].seq if len(lines) == rows else None)


def _last_before(shards: Shards, user_id: int, start: datetime, until: datetime) -> tuple[int, int]:
    rows = shards.of_user(user_id).run(_LAST_BEFORE, user_id=user_id, start=start, until=until)
    if not rows:
        raise NotFound(f"no account {user_id}")
    return rows[0][0], rows[-1][0]


def _line(row: Row) -> StatementLine:
    seq, at, kind, ref, amount, balance, body = row
    return StatementLine(seq, at, kind, ref, amount, balance, decode_movement(body))
