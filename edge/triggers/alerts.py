"""Price alerts that wait, and which of them a price has come to: prices in, commands out.

Invariant: a version of an alert is asked for once, and again each ASK_AGAIN_SECONDS until the
ledger tells that it moved, ASK_MOST times at most; the ledger alone decides whether its user is
told. An older version never takes a newer one's place. One that was told on a trade date waits for
a price of a later one.

An alert looks at the last price: one that a spike within 20 ms touched and left again is passed by.
"""

from bisect import insort
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple

from edge.triggers.ladder import Ladder
from functions.shared.clock import INDIA, micros
from functions.shared.domain.price_alerts import AlertKind, value_of
from functions.shared.stores.price_alerts import WatchedAlert
from functions.shared.wire.quotes import PriceTick
from functions.shared.wire.trigger_commands import FireAlert, Tick

ASK_AGAIN_SECONDS: Final = 5.0
#: How often one is asked for: for as long as a shard may be away. Then the next price asks.
ASK_MOST: Final = 12
#: Commands asked again at a time; the others wait for their turn of the next second.
ASK_AGAIN_MOST: Final = 1_000
#: A price that old tells of nothing that has come.
STALE_US: Final = 60_000_000
#: Above every change in ten-thousandths; a ladder's places are not negative.
_LIFT: Final = 1 << 40


class AlertEnded(NamedTuple):
    """One that doesn't wait any more, as of that version."""

    alert_id: int
    version: int


class _Resting(NamedTuple):
    until_ms: int
    alert: WatchedAlert


class _Asked(NamedTuple):
    at: float
    command: FireAlert
    times: int = 1


class AlertBook:
    """The alerts of one process. For one thread. `now` is a monotonic time, `at` the wall clock's,
    in microseconds since 1970."""

    def __init__(self) -> None:
        self._alerts: dict[int, WatchedAlert] = {}
        self._ladders: dict[str, dict[AlertKind, Ladder]] = {}
        self._resting: dict[str, list[_Resting]] = {}
        self._last: dict[str, PriceTick] = {}
        self._asked: dict[int, _Asked] = {}

    def __len__(self) -> int:
        return len(self._alerts)

    @property
    def symbols(self) -> list[str]:
        """Those that alerts wait for the price of."""
        return [*self._ladders, *(self._resting.keys() - self._ladders.keys())]

    def load(self, alerts: Iterable[WatchedAlert]) -> None:
        """Begins anew with what the ledger has."""
        self._alerts = {alert.alert_id: alert for alert in alerts}
        self._asked.clear()
        self._ladders, self._resting = {}, {}
        places: dict[str, dict[AlertKind, list[tuple[int, int]]]] = {}
        for alert in self._alerts.values():
            if alert.fired_on is not None:
                self._wait(alert)
                continue
            of_kind = places.setdefault(alert.symbol, {}).setdefault(alert.kind, [])
            of_kind.append((_place(alert.threshold), alert.alert_id))
        self._ladders = {
            symbol: {
                kind: Ladder(rising=kind.rising, triggers=each) for kind, each in kinds.items()
            }
            for symbol, kinds in places.items()
        }

    def watch(self, alert: WatchedAlert, now: float, at: int) -> list[FireAlert]:
        """A new alert, or a newer version of a known one; asked for if its price is there."""
        known = self._alerts.get(alert.alert_id)
        if known is not None and known.version >= alert.version:
            return []
        self.forget(AlertEnded(alert.alert_id, alert.version))
        self._alerts[alert.alert_id] = alert
        self._wait(alert)
        tick = self._last.get(alert.symbol)
        return [] if tick is None else self.trade(tick, now, at)

    def forget(self, ended: AlertEnded) -> None:
        """Harmless for one that isn't watched, or is by a newer version."""
        known = self._alerts.get(ended.alert_id)
        if known is None or known.version > ended.version:
            return
        del self._alerts[ended.alert_id]
        self._asked.pop(ended.alert_id, None)
        kinds = self._ladders.get(known.symbol, {})
        if known.kind in kinds:
            kinds[known.kind].remove(_place(known.threshold), known.alert_id)
            if not kinds[known.kind]:
                del kinds[known.kind]
        if not kinds:
            self._ladders.pop(known.symbol, None)
        resting = self._resting.pop(known.symbol, [])
        if left := [each for each in resting if each.alert.alert_id != known.alert_id]:
            self._resting[known.symbol] = left

    def trade(self, tick: PriceTick, now: float, at: int) -> list[FireAlert]:
        """What the price has come to."""
        resting = self._resting.get(tick.symbol)
        if resting is not None and tick.timestamp_ms >= resting[0].until_ms:
            self._wake(tick)
        kinds = self._ladders.get(tick.symbol)
        if kinds is None:
            return []
        self._last[tick.symbol] = tick
        found: list[FireAlert] = []
        for kind, ladder in kinds.items():
            value = value_of(kind, tick.ltp, tick.close, tick.volume)
            if value is not None and ladder.reached_by(_place(value)):
                if at - tick.timestamp_ms * 1000 > STALE_US:
                    continue
                taken = [self._alerts[number] for number in ladder.take(_place(value))]
                found += [self._ask(alert, tick, value, now, at) for alert in taken]
        return found

    def ask_again(self, now: float) -> list[FireAlert]:
        """Those whose answer has not come. One that was asked for often enough waits anew."""
        late = [a for a in self._asked.values() if a.at + ASK_AGAIN_SECONDS <= now]
        again: list[FireAlert] = []
        for asked in late[:ASK_AGAIN_MOST]:
            number = asked.command.alert_id
            if asked.times >= ASK_MOST:
                del self._asked[number]
                self._wait(self._alerts[number])
                continue
            self._asked[number] = _Asked(now, asked.command, asked.times + 1)
            again.append(asked.command)
        return again

    def _ask(
        self, alert: WatchedAlert, tick: PriceTick, value: int, now: float, at: int
    ) -> FireAlert:
        command = FireAlert(
            user_id=alert.user_id, alert_id=alert.alert_id, version=alert.version, value=value,
            tick=Tick(price=tick.ltp, seq=tick.seq, timestamp_ms=tick.timestamp_ms), seen_at=at,
        )  # fmt: skip
        self._asked[alert.alert_id] = _Asked(now, command)
        return command

    def _wait(self, alert: WatchedAlert) -> None:
        """On its ladder, or until the day is over on which it was told."""
        if alert.fired_on is not None:
            insort(
                self._resting.setdefault(alert.symbol, []), _Resting(_end_ms(alert.fired_on), alert)
            )
            return
        kinds = self._ladders.setdefault(alert.symbol, {})
        ladder = kinds.setdefault(alert.kind, Ladder(rising=alert.kind.rising))
        ladder.add(_place(alert.threshold), alert.alert_id)

    def _wake(self, tick: PriceTick) -> None:
        """Those whose day is over, unless they changed or were dropped since."""
        resting = self._resting.pop(tick.symbol)
        for each in resting:
            if each.until_ms > tick.timestamp_ms:
                self._resting.setdefault(tick.symbol, []).append(each)
            elif self._alerts.get(each.alert.alert_id) == each.alert:
                self._alerts[each.alert.alert_id] = woken = each.alert._replace(fired_on=None)
                self._wait(woken)


def _end_ms(day: date) -> int:
    """The end of a day in India, in milliseconds since 1970."""
    return micros(datetime.combine(day + timedelta(days=1), time(), INDIA)) // 1000


def _place(value: int) -> int:
    """Where on a ladder: changes may be below zero."""
    return value + _LIFT
