"""What the fraud watch keeps, on shard 0: users, stocks, how far the trail was read, alerts.

Invariant: a batch's changes are one call. It is refused (Retryable) when any of it was written
since it was read; the batch is then done again from what is there.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec

from functions.shared.clock import micros
from functions.shared.domain.errors import InvariantViolated
from functions.shared.domain.surveillance.findings import Reason
from functions.shared.domain.surveillance.pumping import (
    HISTORY_DAYS,
    DayFigures,
    Side,
    StockFigures,
)
from functions.shared.domain.surveillance.watched import Watch
from functions.shared.stores.postgres import Database, Shards
from functions.shared.wire.surveillance import (
    Seen,
    decode_seen_body,
    decode_watch,
    encode_watch,
    reasons_of,
)

#: A network that more users log in from links nobody.
NETWORK_MOST: Final = 5
#: A group's trades count together for that long.
_GROUP_DAYS: Final = timedelta(days=7)
_REACH: Final = timedelta(days=45)

_WATCHES: Final = (
    "SELECT user_id, seq, version, state FROM surveillance.watch"
    " WHERE user_id = ANY(:users::bigint[])"
)
_HISTORY: Final = (
    "SELECT symbol, day, greatest(quantity, market_quantity), greatest(value, market_value), high,"
    " close FROM surveillance.stock_day WHERE symbol = ANY(:symbols::text[])"
    " AND day BETWEEN :since AND :through ORDER BY symbol, day"
)
_TODAY: Final = (
    "SELECT symbol, quantity, value, high, close FROM surveillance.stock_day"
    " WHERE symbol = ANY(:symbols::text[]) AND day = :day"
)
_TRADERS: Final = (
    "SELECT symbol, user_id, sum(bought)::bigint, sum(bought_value)::bigint, sum(sold)::bigint,"
    " sum(sold_value)::bigint FROM surveillance.trader_day WHERE symbol = ANY(:symbols::text[])"
    " AND user_id = ANY(:users::bigint[]) AND day BETWEEN :since AND :through"
    " GROUP BY symbol, user_id"
)
_LINKED: Final = "SELECT user_id, other FROM surveillance.linked(:users::bigint[], :most::integer)"
_TAKE_IN: Final = (
    "SELECT surveillance.take_in(:watches::jsonb, :stocks::jsonb, :traders::jsonb, :alerts::jsonb,"
    " :trail_from::bigint, :trail_to::bigint)"
)
_EVENTS: Final = (
    "SELECT seq, at, kind, body FROM ledger.ledger_event WHERE user_id = :user_id AND seq > :after"
    " AND seq < :before ORDER BY seq LIMIT :rows"
)
_TRAIL: Final = (
    "SELECT audit_id, at, subject, action, detail"
    " FROM surveillance.trail_after(:after::bigint, :rows::integer)"
)
_COLUMNS: Final = (
    "alert_id, rule, user_id, symbol, day, raised_at, score, reasons::text, detail::text, state,"
    " decided_by, decided_at, decided_why, measure, done_at IS NOT NULL"
)
_PAGE: Final = (
    f"SELECT {_COLUMNS} FROM surveillance.alert WHERE (:state::text IS NULL OR state = :state)"
    " AND score >= :score::integer"
    " AND (:before_score::integer IS NULL OR (score, alert_id) < (:before_score, :before::bigint))"
    " ORDER BY score DESC, alert_id DESC LIMIT :rows::bigint"
)
_ONE: Final = f"SELECT {_COLUMNS} FROM surveillance.alert WHERE alert_id = :alert::bigint"
_TO_DO: Final = (
    f"SELECT {_COLUMNS} FROM surveillance.alert WHERE measure IS NOT NULL AND done_at IS NULL"
    " AND alert_id > :after::bigint ORDER BY alert_id LIMIT :rows::bigint"
)
_DECIDE: Final = (
    "SELECT outcome, audit_id FROM surveillance.decide_alert(:alert::bigint, :state::text,"
    " :actor::bigint, :why::text, :network::text)"
)
_FORGET: Final = "SELECT surveillance.forget_trades(:before, :most)"
_FINISH: Final = "SELECT surveillance.finish_measure(:alert::bigint, :measure::text)"


@dataclass(slots=True)
class KeptWatch:
    """A user's watch as it was read; `version` 0: there was none. `seq`: of the ledger's latest
    event that it counts."""

    watch: Watch
    seq: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class Alert:
    """A row of the reviewer's queue. `detail` has the order, the linked accounts and, of wash
    trades, the round trips, side and price; `done`: its measure is carried out."""

    alert_id: int
    rule: str
    user_id: int
    symbol: str
    day: date
    raised_at: datetime
    score: int
    reasons: list[Reason]
    detail: dict[str, Any]
    state: str
    decided_by: int | None
    decided_at: datetime | None
    decided_why: str | None
    measure: str | None
    done: bool


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """An entry of the audit trail, by the wall clock; `detail` is JSON."""

    audit_id: int
    at: datetime
    subject: int | None
    action: str
    detail: str


class Surveillance:
    """The tables of schema `surveillance`. Everything raises Retryable."""

    def __init__(self, control: Database) -> None:
        self._control = control

    def watches(self, users: Collection[int]) -> dict[int, KeptWatch]:
        """Of each of these users, a new one where there is none."""
        found = {
            int(user): KeptWatch(decode_watch(state), int(seq), int(version))
            for user, seq, version, state in self._control.run(_WATCHES, users=sorted(users))
        }
        return {user: found.get(user) or KeptWatch(Watch()) for user in users}

    def links(self, users: Collection[int]) -> dict[int, frozenset[int]]:
        """Who shares a device, a bank account or a rare network with these users."""
        found: dict[int, set[int]] = {}
        for user, other in self._control.run(_LINKED, users=sorted(users), most=NETWORK_MOST):
            found.setdefault(int(user), set()).add(int(other))
        return {user: frozenset(others) for user, others in found.items()}

    def stocks(
        self, day: str, symbols: Collection[str], users: Collection[int]
    ) -> dict[str, StockFigures]:
        """A day of these stocks, with what these users did in them."""
        today, names = date.fromisoformat(day), sorted(symbols)
        found = {symbol: StockFigures() for symbol in names}
        rows = self._control.run(
            _HISTORY, symbols=names, since=today - _REACH, through=today - timedelta(days=1)
        )
        for symbol, _, *figures in rows:
            history = found[symbol].history
            history.append(DayFigures(*map(int, figures)))
            del history[:-HISTORY_DAYS]
        for symbol, *figures in self._control.run(_TODAY, symbols=names, day=today):
            found[symbol].today = DayFigures(*map(int, figures))
        if not users:
            return found
        since = today - _GROUP_DAYS
        rows = self._control.run(
            _TRADERS, symbols=names, users=sorted(users), since=since, through=today
        )
        for symbol, user, *sums in rows:
            found[symbol].traders[int(user)] = Side(*map(int, sums))
        return found

    def take_in(
        self,
        watches: Mapping[int, KeptWatch],
        stocks: Mapping[tuple[str, str], StockFigures],
        alerts: list[dict[str, object]],
        trail: tuple[int, int] = (0, 0),
    ) -> None:
        """Writes what a batch changed; `trail`: read from that entry to that one."""
        kept = [
            {"user_id": user, "seq": k.seq, "version": k.version, "state": encode_watch(k.watch)}
            for user, k in watches.items()
        ]
        self._control.run(
            _TAKE_IN, watches=_json(kept), stocks=_json(_stock_rows(stocks)),
            traders=_json(_trader_rows(stocks)), alerts=_json(alerts), trail_from=trail[0],
            trail_to=trail[1],
        )  # fmt: skip

    def forget_trades(self, today: date, most: int) -> int:
        """Forgets what traders did on days that no group is judged by any more; how many rows, of
        at most so many."""
        before = today - _GROUP_DAYS
        [[gone]] = self._control.run(_FORGET, before=before, most=most)
        return int(gone)

    def trail_place(self) -> int:
        [[audit_id]] = self._control.run("SELECT audit_id FROM surveillance.trail_place")
        return int(audit_id)

    def trail_after(self, audit_id: int, rows: int) -> list[TrailEntry]:
        """The entries behind that one; none will appear among or before them later."""
        return [TrailEntry(*row) for row in self._control.run(_TRAIL, after=audit_id, rows=rows)]

    def alerts(
        self, rows: int, state: str | None, score: int, before: tuple[int, int] | None
    ) -> list[Alert]:
        """The highest score first, those behind the (score, number) of the page before."""
        found = self._control.run(
            _PAGE, state=state, score=score, rows=rows, before_score=before and before[0],
            before=before and before[1],
        )  # fmt: skip
        return [_alert(row) for row in found]

    def alert(self, alert_id: int) -> Alert | None:
        rows = self._control.run(_ONE, alert=alert_id)
        return _alert(rows[0]) if rows else None

    def to_do(self, after: int, rows: int) -> list[Alert]:
        """Those whose measure is still to be carried out."""
        return [_alert(row) for row in self._control.run(_TO_DO, after=after, rows=rows)]

    def decide(
        self, alert_id: int, state: str, actor: int, why: str, network: str | None
    ) -> tuple[str, int | None]:
        """The outcome and the entry in the audit trail (identity.audit)."""
        [[outcome, audit_id]] = self._control.run(
            _DECIDE, alert=alert_id, state=state, actor=actor, why=why, network=network
        )
        return outcome, audit_id

    def finish(self, alert: Alert) -> bool:
        """Marks its measure done; False when another one is to be taken by now."""
        [[done]] = self._control.run(_FINISH, alert=alert.alert_id, measure=alert.measure)
        return bool(done)


def events_between(shards: Shards, user_id: int, after: int, before: int, rows: int) -> list[Seen]:
    """A user's events in between, at most `rows` of them, read from the log where they live: for
    what the stream did not bring. Raises Retryable, InvariantViolated for an unreadable one."""
    found = shards.of_user(user_id).run(
        _EVENTS, user_id=user_id, after=after, before=before, rows=rows
    )
    try:
        return [
            Seen(
                user_id=user_id, user_seq=seq, kind=kind, at=micros(at),
                body=decode_seen_body(body),
            )
            for seq, at, kind, body in found
        ]  # fmt: skip
    except msgspec.MsgspecError as error:
        raise InvariantViolated(f"the log of user {user_id} can't be read: {error}") from error


def _stock_rows(stocks: Mapping[tuple[str, str], StockFigures]) -> Iterable[dict[str, object]]:
    for (symbol, day), stock in stocks.items():
        if not stock.new:
            continue
        sides = stock.new.values()
        market = stock.market or DayFigures()
        yield {
            "symbol": symbol,
            "day": day,
            "quantity": sum(side.bought + side.sold for side in sides),
            "value": sum(side.bought_value + side.sold_value for side in sides),
            "high": stock.today.high,
            "close": stock.today.close,
            "market_quantity": market.quantity,
            "market_value": market.value,
        }


def _trader_rows(stocks: Mapping[tuple[str, str], StockFigures]) -> Iterable[dict[str, object]]:
    for (symbol, day), stock in stocks.items():
        for user_id, side in stock.new.items():
            yield {
                "symbol": symbol, "day": day, "user_id": user_id, "bought": side.bought,
                "bought_value": side.bought_value, "sold": side.sold,
                "sold_value": side.sold_value,
            }  # fmt: skip


def _json(rows: Iterable[object]) -> str:
    return msgspec.json.encode(list(rows)).decode()


def _alert(row: list[Any]) -> Alert:
    row = list(row)
    row[7], row[8] = reasons_of(row[7]), msgspec.json.decode(row[8])
    return Alert(*row)
