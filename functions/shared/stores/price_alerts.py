"""Price alerts on the shard their user is at home on, and page by page for the edge that watches.

Invariant: an alert is fired for the version that was watched, once a trade date, whoever asks how
often; each step of its life is an event of the user's log.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Final, Literal, NamedTuple

from functions.shared.domain.price_alerts import AlertKind
from functions.shared.stores.postgres import Database, Shards
from functions.shared.wire.alerts import PriceAlertFacts, decode_price_alert

PAGE: Final = 5_000

_SET: Final = (
    "SELECT outcome, facts FROM ledger.set_price_alert(:user_id, :symbol, :kind, :threshold,"
    " :repeats, :note, :most, CAST(:today AS date), :now)"
)
_DROP: Final = "SELECT ledger.drop_price_alert(:user_id, :alert_id, CAST(:today AS date), :now)"
_FIRE: Final = (
    "SELECT ledger.fire_price_alert(:user_id, :alert_id, :version, :price, :value,"
    " CAST(:today AS date), :now)"
)
_ALL: Final = (
    "SELECT ledger.price_alert_facts(x)::text FROM ledger.price_alert x WHERE user_id = :user_id"
    " ORDER BY alert_id"
)
_PAGE: Final = """
SELECT alert_id, user_id, version, symbol, kind, threshold, fired_on FROM ledger.price_alert x
WHERE state = 'WAITING' AND alert_id > CAST(:after AS bigint)
  AND EXISTS (SELECT FROM ledger.slot s
    WHERE s.slot = (x.user_id & 63)::smallint AND s.state = 'HERE')
ORDER BY alert_id LIMIT CAST(:rows AS integer)
"""
_TO_MAIL: Final = "SELECT user_id, version, facts FROM ledger.price_alerts_to_mail(:most)"
_MAILED: Final = "SELECT ledger.price_alert_mailed(:user_id, :alert_id, :version)"


class WatchedAlert(NamedTuple):
    """One version of an alert that waits. `fired_on`: it counts from the trade date after it."""

    alert_id: int
    user_id: int
    version: int
    symbol: str
    kind: AlertKind
    threshold: int
    fired_on: date | None = None


class DueMail(NamedTuple):
    """One that was told, and not mailed yet."""

    user_id: int
    version: int
    alert: PriceAlertFacts


class Wanted(NamedTuple):
    """An alert as it is asked for."""

    symbol: str
    kind: AlertKind
    threshold: int
    repeats: bool
    note: str


class PriceAlerts:
    """By user. Everything raises Retryable when the shard doesn't answer; writes raise NotFound for
    a user without an account."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def all(self, user_id: int) -> list[PriceAlertFacts]:
        """The oldest first; what was dropped is not there."""
        rows = self._shards.of_user(user_id).run(_ALL, user_id=user_id)
        return [decode_price_alert(facts) for (facts,) in rows]

    def set(
        self, user_id: int, wanted: Wanted, most: int, today: date, now: datetime
    ) -> tuple[Literal["SET", "CHANGED", "KNOWN", "TOO_MANY"], PriceAlertFacts | None]:
        """None with TOO_MANY: the user keeps `most` already."""
        outcome, facts = self._shards.of_user(user_id).call(
            _SET, user_id=user_id, symbol=wanted.symbol, kind=wanted.kind.value,
            threshold=wanted.threshold, repeats=wanted.repeats, note=wanted.note, most=most,
            today=today, now=now,
        )[0]  # fmt: skip
        return outcome, None if facts is None else decode_price_alert(facts)

    def drop(self, user_id: int, alert_id: int, today: date, now: datetime) -> bool:
        """Whether there was such an alert."""
        rows = self._shards.of_user(user_id).call(
            _DROP, user_id=user_id, alert_id=alert_id, today=today, now=now
        )
        return bool(rows[0][0])

    def fire(
        self, user_id: int, alert_id: int, version: int, price: int, value: int, today: date,
        now: datetime,
    ) -> bool:  # fmt: skip
        """Whether it was told now: not when it moved on, or was told on that day."""
        rows = self._shards.of_user(user_id).call(
            _FIRE, user_id=user_id, alert_id=alert_id, version=version, price=price, value=value,
            today=today, now=now,
        )  # fmt: skip
        return bool(rows[0][0])

    def waiting(self) -> Iterator[list[WatchedAlert]]:
        """Every one that waits, page by page, of the slots that are at home on each shard."""
        for database in self._shards.databases:
            after = 0
            while page := self._page(database, after):
                yield page
                after = page[-1].alert_id

    def to_mail(self, most: int) -> list[DueMail]:
        """The oldest of each shard."""
        return [
            DueMail(user_id, version, decode_price_alert(facts))
            for database in self._shards.databases
            for user_id, version, facts in database.run(_TO_MAIL, most=most)
        ]

    def mailed(self, due: DueMail) -> None:
        """One that was told anew meanwhile stays due."""
        self._shards.of_user(due.user_id).call(
            _MAILED, user_id=due.user_id, alert_id=due.alert.alert_id, version=due.version
        )

    def _page(self, database: Database, after: int) -> list[WatchedAlert]:
        rows = database.run(_PAGE, after=after, rows=PAGE)
        return [
            WatchedAlert(number, user, version, symbol, AlertKind(kind), threshold, fired_on)
            for number, user, version, symbol, kind, threshold, fired_on in rows
        ]
