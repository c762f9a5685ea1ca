"""Halts of the whole market: PostgreSQL's statements, and their copies on shards and in Valkey.

Flow: a statement is made on shard 0 -> `spread_halt`: each shard, in order -> `cache_halt`: Valkey.
Invariant: a statement is made behind the one that it was thought of after, or not at all; copies
are made by whoever comes by, each second by the watch, and making one again changes nothing.
"""

from functions.shared.domain.errors import InvariantViolated, PeerProtocolError, Retryable
from functions.shared.domain.market_halts import MarketHalt
from functions.shared.stores.leases import HOLD, INGEST
from functions.shared.stores.postgres import Database, Shards
from functions.shared.stores.valkey import Valkey, answering
from functions.shared.wire.market_halts import HALT_KEY, decode_halt, encode_halt

_LAST = (
    "SELECT row_to_json(h)::text FROM ledger.market_halt h ORDER BY h.trade_date DESC, h.seq DESC"
    " LIMIT 1"
)
_BEHIND = (
    "SELECT row_to_json(h)::text FROM ledger.market_halt h WHERE h.trade_date = :day::date"
    " AND h.seq > :seq::integer ORDER BY h.seq"
)
_KNOWN = "SELECT coalesce(max(h.seq), 0) FROM ledger.market_halt h WHERE h.trade_date = :day::date"
_SAID = "SELECT EXISTS (SELECT FROM ledger.market_halt h WHERE h.cause = :cause::text)"
_SAY = "SELECT ledger.say_halt(:halt::text)"


def last_halt(database: Database) -> MarketHalt | None:
    """What was said last on that shard, of whatever date. Raises Retryable."""
    rows = database.run(_LAST)
    return _halt(rows[0][0]) if rows else None


def say_halt(control: Database, halt: MarketHalt) -> bool:
    """Makes a statement on shard 0; whether it stands there, now or from before. Raises
    Retryable."""
    return bool(control.run(_SAY, halt=encode_halt(halt).decode())[0][0])


def was_said(control: Database, cause: str) -> bool:
    """Whether a statement of that cause was made, on whatever date. Raises Retryable."""
    return bool(control.run(_SAID, cause=cause)[0][0])


def say_halt_fenced(control: Database, halt: MarketHalt, fence: int) -> bool:
    """As `say_halt`, in the name of who writes quotes. Raises Fenced when another does by now."""
    with control.transaction():
        control.run(HOLD, lease=INGEST, fence=fence)
        return say_halt(control, halt)


def spread_halt(shards: Shards, halt: MarketHalt) -> list[int]:
    """Gives every other shard the statements of that date that it lacks; the numbers of shards that
    could not be given them now. Raises Retryable when shard 0 doesn't answer."""
    away = []
    for number, database in enumerate(shards.databases):
        if number == 0:
            continue
        try:
            [[known]] = database.run(_KNOWN, day=halt.trade_date)
            if known >= halt.seq:
                continue
            missing = shards.control.run(_BEHIND, day=halt.trade_date, seq=known)
            for (row,) in missing:
                say_halt(database, _halt(row))
        except Retryable:
            away.append(number)
    return away


def cache_halt(valkey: Valkey, halt: MarketHalt) -> None:
    """Raises Retryable when Valkey is away."""
    with answering():
        valkey.set(HALT_KEY, encode_halt(halt))


def _halt(row: str) -> MarketHalt:
    try:
        return decode_halt(row)
    except PeerProtocolError as error:
        raise InvariantViolated(f"ledger.market_halt: {error}") from error
