"""The worker of the stream `ledger-events`: every event of every user goes to the rules once.

Flow: edge/relay -> stream -> here -> shared/domain/surveillance -> what is kept, and alerts.
Invariant: what an event changed is written with the number of the event, in one call, so a record
that comes again changes nothing; what the stream did not bring is read from the user's log first,
so nothing is left out and all is in order. A store that is away stops the batch, which comes again.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from functions.shared.clock import trade_date
from functions.shared.domain.errors import InvariantViolated, PeerProtocolError, Retryable
from functions.shared.domain.surveillance.behaviour import features_of
from functions.shared.domain.surveillance.desk import Desk
from functions.shared.domain.surveillance.findings import Finding, Reason, Rule
from functions.shared.domain.surveillance.pumping import DayFigures, StockFigures
from functions.shared.domain.surveillance.watched import Happening, Traded, Watch
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.stores.surveillance import KeptWatch, Surveillance, events_between
from functions.shared.wire.surveillance import Seen, decode_seen, happening_of
from functions.surveillance.carry_out import carry_out_all, rows_of
from functions.surveillance.forest import Forest, load_forest

#: Of a log that the stream did not bring, what is older than that is not looked at any more.
GAP_MOST: Final = 1000


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A Kinesis batch in, `batchItemFailures` out: all of it when a store is away."""
    stores = composition.stores()
    records = event["Records"]
    seen = [each for record in records if (each := _seen_in(record)) is not None]
    try:
        raised = _take_each(stores, seen)
    except Retryable as error:
        first = str(records[0]["kinesis"]["sequenceNumber"])
        logger().warning("events deferred", sequence_number=first, why=str(error))
        return {"batchItemFailures": [{"itemIdentifier": first}]}
    if any(row["measure"] for row in raised):
        carry_out_all(stores)
    return {"batchItemFailures": []}


def _take_each(stores: Stores, events: Sequence[Seen]) -> list[dict[str, object]]:
    """As `take`. A batch that can't be is taken event by event, so that a user whose log can't be
    read, or whose figures the database refuses, stops nobody else. Raises Retryable."""
    try:
        return take(stores, events)
    except InvariantViolated as error:
        logger().error("batch not counted as one", events=len(events), why=str(error))
    raised: list[dict[str, object]] = []
    for event in events:
        try:
            raised += take(stores, [event])
        except InvariantViolated as error:
            logger().error("event not counted", user=str(event.user_id), seq=event.user_seq,
                           why=str(error))  # fmt: skip
    return raised


def take(stores: Stores, events: Sequence[Seen]) -> list[dict[str, object]]:
    """Takes what is new of these events in; the alerts that it raised, as they were written. Raises
    Retryable: then nothing was."""
    store = Surveillance(stores.shards.control)
    kept = store.watches({event.user_id for event in events})
    happenings = list(_in_order(stores, kept, events))
    if not happenings:
        return []
    trades = [(user, h) for user, h in happenings if isinstance(h, Traded)]
    links = store.links({user for user, _ in trades}) if trades else {}
    stocks = _stocks(stores, store, trades, links)
    desk = Desk({user: each.watch for user, each in kept.items()}, stocks, links)
    found = [
        finding
        for user, happening in happenings
        if happening is not None
        for finding in desk.take(user, happening)
    ]
    latest = {user: h.at for user, h in happenings if h is not None}
    found += unusual(desk.watches, latest, load_forest())
    rows = rows_of(found)
    store.take_in({user: kept[user] for user, _ in happenings}, stocks, rows)
    for row in rows:
        logger().warning("alert", rule=row["rule"], user=str(row["user_id"]), score=row["score"])
    return rows


def unusual(
    watches: Mapping[int, Watch], latest: Mapping[int, int], forest: Forest
) -> list[Finding]:
    """Days that the forest finds unlike those it was grown on, with the figures that stand out.
    `latest`: of each user to be looked at, the time of what was seen last."""
    asked = [(user, watches[user]) for user in sorted(latest) if watches[user].symbols]
    scores = forest.scores([features_of(watch) for _, watch in asked])
    found = []
    for (user, watch), score in zip(asked, scores, strict=True):
        if score < forest.threshold:
            continue
        least = f"{forest.threshold:.3f}"
        reasons = [Reason("ANOMALY_SCORE", f"{score:.3f}", least, forest.points(score))]
        for name, value, usual in forest.outstanding(features_of(watch)):
            reasons.append(Reason(name.upper(), f"{value:.2f}", f"{usual:.2f}", 0))
        found.append(Finding(Rule.UNUSUAL, user, "", watch.day, latest[user], tuple(reasons)))
    return found


def _in_order(
    stores: Stores, kept: Mapping[int, KeptWatch], events: Sequence[Seen]
) -> Iterator[tuple[int, Happening | None]]:
    """What is new, each user's in order and without a gap; moves each watch's number on."""
    for event in events:
        mine = kept[event.user_id]
        if event.user_seq <= mine.seq:
            continue
        if event.user_seq > mine.seq + 1:
            after = max(mine.seq, event.user_seq - 1 - GAP_MOST)
            if after > mine.seq:
                user, count = str(event.user_id), after - mine.seq
                logger().error("events left out", user=user, events=count)
            missed = events_between(stores.shards, event.user_id, after, event.user_seq, GAP_MOST)
            for earlier in missed:
                yield event.user_id, happening_of(earlier)
        mine.seq = event.user_seq
        yield event.user_id, happening_of(event)


def _stocks(
    stores: Stores,
    store: Surveillance,
    trades: Sequence[tuple[int, Traded]],
    links: Mapping[int, frozenset[int]],
) -> dict[tuple[str, str], StockFigures]:
    """The figures of the stocks that were traded, by stock and trade date."""
    users = set(links).union(*links.values())  # of the others nobody asks what they did before
    found: dict[tuple[str, str], StockFigures] = {}
    for day in {trade.day for _, trade in trades}:
        symbols = {trade.symbol for _, trade in trades if trade.day == day}
        figures = store.stocks(day, symbols, users)
        if day == trade_date(stores.clock.now()).isoformat():
            _add_market(stores, figures)
        found |= {(symbol, day): stock for symbol, stock in figures.items()}
    return found


def _add_market(stores: Stores, figures: Mapping[str, StockFigures]) -> None:
    """The market's day so far. Without the quote cache a stock is judged by our clients' trades."""
    try:
        quotes = stores.quotes.get(figures)
    except Retryable as error:
        logger().warning("stocks without the market's figures", why=str(error))
        return
    for symbol, quote in quotes.items():
        if quote is not None:
            # Ten-thousandths of a rupee times shares: a hundredth of it is paise.
            value = quote.average * quote.volume // 100
            figures[symbol].market = DayFigures(quote.volume, value, quote.high, quote.ltp)


def _seen_in(record: dict[str, Any]) -> Seen | None:
    """None, and an error in the log, for a record that can't be read: the number of the user's next
    event tells that one is missing, and it is read from the log."""
    try:
        return decode_seen(base64.b64decode(record["kinesis"]["data"]))
    except PeerProtocolError as error:
        number = str(record["kinesis"]["sequenceNumber"])
        logger().error("event unreadable", sequence_number=number, why=str(error))
        return None
