"""What an alert asks for beside a reviewer's look: the account's restriction, and the report.

Flow: an alert with a measure on shard 0 -> the restriction where the account lives, the report in
the object store -> the measure marked done; at once, and each minute for what was not. Invariant:
report and restriction bear the alert's number, so doing it again changes nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from functions.shared.bookkeeping.restricting import (
    RestrictionCause,
    end_restriction,
    restrict_symbol,
    restrictions_due,
)
from functions.shared.clock import format_time, micros
from functions.shared.domain.errors import Conflict, InvariantViolated, NotFound, Retryable
from functions.shared.domain.surveillance.findings import Finding, Rule
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.stores.postgres import Database
from functions.shared.stores.surveillance import Alert, Surveillance
from functions.shared.stores.wake import wake_relay
from functions.shared.wire.surveillance import Reported, alert_row, encode_report

#: How long an account may only close in a stock after wash trades in it.
RESTRICTED_FOR: Final = timedelta(hours=24)
_MEASURES: Final[Mapping[Rule, str]] = {Rule.WASH_TRADING: "RESTRICT"}
_PAGE: Final = 100
_PAGES_MOST: Final = 50


def rows_of(found: Iterable[Finding]) -> list[dict[str, object]]:
    """One row an alert: of several findings of it, the one with the highest score."""
    best: dict[tuple[str, int, str, str], Finding] = {}
    for finding in found:
        key = (finding.rule.value, finding.user_id, finding.symbol, finding.day)
        if key not in best or best[key].score < finding.score:
            best[key] = finding
    return [alert_row(each, each.score, _MEASURES.get(each.rule)) for each in best.values()]


def carry_out_all(stores: Stores) -> None:
    """Every measure that is not done. What can't be done now is left to the schedule."""
    try:
        for alert in to_do(stores):
            _try(stores, alert)
    except Retryable as error:
        logger().warning("measures left to the schedule", why=str(error))


def _try(stores: Stores, alert: Alert) -> None:
    try:
        carry_out(stores, alert)
    except (Retryable, NotFound, InvariantViolated) as error:
        why = str(error)
        logger().warning("measure left to the schedule", alert=str(alert.alert_id), why=why)


def to_do(stores: Stores) -> list[Alert]:
    """At most so many at a time; the rest is there at the next look."""
    store, found, after = Surveillance(stores.shards.control), [], 0
    for _ in range(_PAGES_MOST):
        page = store.to_do(after, _PAGE)
        found += page
        if len(page) < _PAGE:
            break
        after = page[-1].alert_id
    return found


def carry_out(stores: Stores, alert: Alert) -> int:
    """Takes one alert's measure. Raises NotFound without an account, InvariantViolated for another
    report under its name, Retryable."""
    if alert.measure == "RESTRICT":
        _restrict(stores, alert)
        _report(stores, alert)
    else:
        end_restriction(stores.shards, alert.user_id, alert.alert_id, stores.clock.now())
    store = Surveillance(stores.shards.control)
    if not store.finish(alert) and alert.measure == "RESTRICT":
        # It was dismissed meanwhile: whoever lifts may have come before this restriction.
        end_restriction(stores.shards, alert.user_id, alert.alert_id, stores.clock.now())
    wake_relay(stores.valkey, stores.shards.number_of_user(alert.user_id))
    return 1


def end_due(stores: Stores, database: Database) -> list[tuple[int, int]]:
    """User and alert of the restrictions on one shard whose time is over."""
    return restrictions_due(database, stores.clock.now(), _PAGE)


def end_one(stores: Stores, due: tuple[int, int]) -> int:
    ended = end_restriction(stores.shards, *due, stores.clock.now())
    return 0 if ended is None else 1


def report_key(alert: Alert) -> str:
    return f"surveillance/{alert.day.isoformat()}-{alert.user_id}-{alert.alert_id}.json"


def _report(stores: Stores, alert: Alert) -> None:
    report = Reported(
        report="WASH_TRADING",
        trade_date=alert.day.isoformat(),
        account=str(alert.user_id),
        symbol=alert.symbol,
        raised_at=format_time(micros(alert.raised_at)),
        round_trips=int(alert.detail["round_trips"]),
    )
    try:
        stores.objects.put_new(report_key(alert), encode_report(report))
    except Conflict as error:
        raise InvariantViolated(f"alert {alert.alert_id}: {error}") from error


def _restrict(stores: Stores, alert: Alert) -> None:
    detail: dict[str, Any] = alert.detail
    cause = RestrictionCause(
        int(detail["order_id"]), detail["side"], int(detail["price"]), int(detail["round_trips"])
    )
    ends_at = alert.raised_at + RESTRICTED_FOR
    restrict_symbol(
        stores.shards, alert.user_id, alert.alert_id, alert.symbol, cause, ends_at,
        stores.clock.now(),
    )  # fmt: skip
