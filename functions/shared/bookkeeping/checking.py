"""From what a client asks to what the ledger decides: the public facts, and the verdict on them.

Invariant: orders and their preview are judged here by the same lines, so a preview can't promise
what placing refuses. No price means no order: a missing or stale quote is never guessed.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

import msgspec

from functions.shared.clock import Clock, from_micros, micros, wall_now
from functions.shared.domain.after_market import (
    AFTER_MARKET,
    after_market_rules,
    after_market_terms,
    next_session,
)
from functions.shared.domain.calendar import (
    Hours,
    MarketStatus,
    in_force,
    market_status,
    standing_band,
)
from functions.shared.domain.charges import charge_rates
from functions.shared.domain.errors import Refused
from functions.shared.domain.gtt import judge_gtt, paired_stop_rules
from functions.shared.domain.instruments import Instrument
from functions.shared.domain.legs import ExitPrices
from functions.shared.domain.linked_exits import Market, exits_of, target_leg
from functions.shared.domain.orders import STOPS, OrderType, Product, Side, Validity, Variety
from functions.shared.domain.pretrade import (
    Band,
    Judgement,
    OrderIntent,
    Rule,
    away_rules,
    judge,
    margin_rate,
    order_limits,
)
from functions.shared.domain.sessions import Phase
from functions.shared.domain.trailing import first_trigger, trail_rules, trail_step
from functions.shared.domain.waiting import Terms, judge_stop, session_end, terms_of
from functions.shared.stores.instruments import InstrumentMaster
from functions.shared.stores.quotes import QuoteCache
from functions.shared.wire.order_routes import Route
from functions.shared.wire.quotes import Quote

from .placing import Placement

#: A quote older than this judges no market order. Exchange time against the wall clock.
QUOTE_AGE_MS_MAX: Final = 60_000


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A well-formed order as a client wrote it. Prices in ten-thousandths of a rupee; `target`: the
    limit of the exit that waits with a stop or a GTT; `exits`: of an entry; `trail`:
    a trailing stop's distance, which has no trigger of its own."""

    symbol: str
    intent: OrderIntent
    product: Product
    validity: Validity
    validity_minutes: int | None = None
    variety: Variety = Variety.REGULAR
    target: int | None = None
    exits: ExitPrices | None = None
    trail: int | None = None

    def fingerprint(self) -> bytes:
        """sha256 of the request itself: nothing derived, so it is the same whenever it is sent."""
        intent = self.intent
        parts: tuple[object, ...] = (
            self.symbol, intent.side, intent.type, intent.quantity, intent.price,
            intent.trigger_price, intent.disclosed, self.product, self.validity,
            self.validity_minutes, self.variety,
        )  # fmt: skip
        if self.target is not None or self.exits is not None:
            parts = (*parts, self.target, self.exits)
        if self.trail is not None:
            parts = (*parts, self.trail)
        return hashlib.sha256(msgspec.json.encode(parts)).digest()


@dataclass(frozen=True, slots=True)
class PublicFacts:
    """What an order is judged on, the same for everybody. The quote is None when there is none;
    `band`: the venue's, in ten-thousandths of a rupee, None while it is the master's; `ahead`: of a
    session to come, for which the last known price has to do; `vouched`: ingest says that the
    prices are those of the market now."""

    instrument: Instrument
    quote: Quote | None
    status: MarketStatus
    now: datetime
    hours: Hours
    band: Band | None = None
    route: Route | None = None
    ahead: bool = False
    vouched: bool = False

    def of_session(self, day: date) -> "PublicFacts":
        """What can be known now of a session to come: its rules, and the prices of the last one."""
        status = MarketStatus(Phase.OPEN, day, self.status.provisional)
        return replace(self, status=status, band=None, ahead=True)

    def require_calendar(self, *, live: bool) -> None:
        """Raises Refused 503 NO_RULES for a LIVE order on a day of a year whose holidays are not
        loaded: whether the exchange trades, and when it settles, would be a guess. Paper goes on,
        and says that it is provisional."""
        if live and self.status.provisional:
            raise Refused(
                503, "NO_RULES", f"the exchange's holidays of {self.status.trade_date.year} are not"
                " loaded"
            )  # fmt: skip

    def require_route(self) -> None:
        """Raises Refused 503 VENUE_UNAVAILABLE while the symbol's order session is down or not
        answered, or nobody says that it is up: an order that can't leave now is not taken for some
        later time."""
        if self.route is None or not self.route.open:
            since = (
                "" if self.route is None else f" since {from_micros(self.route.since):%H:%M:%S} UTC"
            )
            trouble = "is not answered" if self.route and self.route.hung else "is down"
            raise Refused(
                503, "VENUE_UNAVAILABLE",
                f"the connection to {self.instrument.exchange} for {self.instrument.symbol}"
                f" {trouble}{since}; nothing was sent", retry_after_seconds=1,
            )  # fmt: skip

    def judge(
        self, intent: OrderIntent, product: Product, validity: Validity = Validity.DAY
    ) -> Judgement:
        """The verdict. Raises Refused 503 NO_PRICE for a market order without a live price, and 422
        NEVER_TRADED for any order of a share that nobody knows a price of."""
        self._require_any_price()
        if validity is Validity.GTT:
            return judge_gtt(intent, product, self.instrument, self.last_known(), self.status)
        last, close = self.live(intent), self._close()
        if intent.type in STOPS:
            return judge_stop(intent, product, self.instrument, last, close, self.status, self.band)
        return judge(
            intent, product, self.instrument, last, close, self.status, validity, self.band
        )

    def far_from_last(self, intent: OrderIntent) -> list[Rule]:
        """The rule on a limit far from the last price, of an order or a change that goes out now.
        What waited goes out whatever came meanwhile; without a live price nothing is known."""
        quote = self.quote
        if self.ahead or self.status.phase is not Phase.OPEN or quote is None or not quote.ltp:
            return []
        if not self._is_live(quote):
            return []
        percent = order_limits(self.status.trade_date).away_percent
        return away_rules(intent, self.instrument, quote.ltp, percent)

    def market(self, price: int) -> Market:
        """For exits of what is entered at that price, or of what is there at the last one."""
        return Market(self.instrument, price, self._close(), self.status, self.band)

    def context(self, product: Product, side: Side, algo_id: str | None = None) -> str:
        """JSON of the quote an order is judged on, the versions of the rules and, of a program's
        order, what it is marked with."""
        quote = self.quote
        seen = None
        if quote is not None:
            seen = {"bid": quote.bid, "ask": quote.ask, "ltp": quote.ltp, "seq": quote.seq,
                    "timestamp_ms": quote.timestamp_ms}  # fmt: skip
        day, exchange = self.status.trade_date, self.instrument.exchange
        versions = {
            "limits": order_limits(day).valid_from.isoformat(),
            "charges": charge_rates(product, exchange, side, day).valid_from.isoformat(),
        }
        told = {"quote": seen, "rules": versions}
        return msgspec.json.encode(told if algo_id is None else {**told, "algo": algo_id}).decode()

    def live(self, intent: OrderIntent) -> int:
        """What an order is judged by: of a share that has not traded yet, its previous close or its
        base price. Raises Refused 503 NO_PRICE, 422 NEVER_TRADED."""
        if intent.type is OrderType.LIMIT:
            return intent.price or 0
        if self.instrument.kind != "EQUITY":
            return self.instrument.previous_close  # refused as not tradable, whatever its price
        quote = self.quote
        if self.ahead:
            return self.last_known()
        if self.status.phase is Phase.REOPENING and quote is not None and quote.ltp:
            return quote.ltp  # nothing traded since the halt: no younger price can be had
        if quote is not None and quote.ltp and self._is_live(quote):
            return quote.ltp
        self._require_any_price()
        if self._has_not_traded():
            return self.last_known()
        raise self._no_price()

    def _require_any_price(self) -> None:
        """Without one there is no band; while nobody vouches for the feed there may be one."""
        if self.instrument.kind != "EQUITY" or self.last_known():
            return
        if not self._has_not_traded():
            raise self._no_price()
        symbol = self.instrument.symbol
        raise Refused(
            422, "NEVER_TRADED",
            f"{symbol} has never traded here and has no base price: it takes orders from its first"
            " price on", symbol=symbol,
        )  # fmt: skip

    def _has_not_traded(self) -> bool:
        """Whether there is no last price because there was no trade. A share with a close in the
        master is in the feed: its quote is missing only while the cache is being filled."""
        if not self.vouched:
            return False
        return not self.instrument.previous_close if self.quote is None else not self.quote.ltp

    def _no_price(self) -> Refused:
        return Refused(
            503, "NO_PRICE", f"there is no live price of {self.instrument.symbol}",
            retry_after_seconds=1,
        )  # fmt: skip

    def _is_live(self, quote: Quote) -> bool:
        """A price that did not move for long is the market's while the feed is vouched for."""
        return self.vouched or self._age_ms(quote) <= QUOTE_AGE_MS_MAX

    def last_known(self) -> int:
        """The last price of whatever age, in ten-thousandths of a rupee."""
        return self.quote.ltp if self.quote is not None and self.quote.ltp else self._close()

    def _close(self) -> int:
        close = 0
        if self.quote is not None:  # the next session's previous close is the last price
            close = (self.ahead and self.quote.ltp) or self.quote.close
        return close or self.instrument.reference_price

    @staticmethod
    def _age_ms(quote: Quote) -> int:
        return micros(wall_now()) // 1000 - quote.timestamp_ms


def load_facts(
    instruments: InstrumentMaster, quotes: QuoteCache, clock: Clock, symbol: str
) -> PublicFacts:
    """Raises Refused 404 UNKNOWN_SYMBOL, Refused 503 NO_RULES on a business date that no limits or
    charges are written for, and Retryable when the master or the cache is away."""
    instrument = instruments.get(symbol)
    if instrument is None:
        raise Refused(404, "UNKNOWN_SYMBOL", f"{symbol[:40]!r} is not listed", symbol=symbol[:40])
    return _facts_of(instrument, quotes, clock)


def load_standing_facts(
    instruments: InstrumentMaster, quotes: QuoteCache, clock: Clock, symbol: str
) -> PublicFacts:
    """For an order that was taken before: of a share that is not listed any more, facts by which
    it is NOT_TRADABLE. Raises as `load_facts`; a master without any share says nothing of one."""
    if instruments.get(symbol) is None and instruments.by_symbol():
        return _facts_of(Instrument.delisted(symbol), quotes, clock)
    return load_facts(instruments, quotes, clock, symbol)


def _facts_of(instrument: Instrument, quotes: QuoteCache, clock: Clock) -> PublicFacts:
    quote, told, route, halt, feed = quotes.order_facts(instrument.symbol)
    now = clock.now()
    calendar = market_status(now, clock.hours, instrument.security_class)
    status = in_force(calendar, told, halt, now)
    _require_rules(instrument.exchange, status.trade_date)
    band = standing_band(told, status.trade_date)
    vouched = feed is not None and not feed.is_stale(instrument.symbol)
    return PublicFacts(instrument, quote, status, now, clock.hours, band, route, vouched=vouched)


def _require_rules(exchange: str, day: date) -> None:
    """Judging by the rules of another day would be a guess: orders wait for the day's own."""
    try:
        order_limits(day)
        for product in Product:
            margin_rate(product, day)
            for side in Side:
                charge_rates(product, exchange, side, day)
    except LookupError as error:
        raise Refused(503, "NO_RULES", str(error)) from error


def placement(
    user_id: int,
    client_order_id: str,
    request: OrderRequest,
    facts: PublicFacts,
    algo_id: str | None = None,
) -> Placement:
    """Everything the ledger needs to decide this order; `algo_id`: of a program's. Raises Refused
    503 VENUE_UNAVAILABLE for one that should leave now and can't."""
    more: list[Rule] = []
    asked = request
    if request.trail is not None:
        request, more = _trailing(request, request.trail, facts)
    today = facts.status.trade_date
    if request.variety is Variety.AMO:
        more = after_market_rules(facts.now, facts.hours)
        terms: Terms | None = after_market_terms(
            facts.now, facts.hours, request.validity,
            discloses=request.intent.disclosed is not None,
        )  # fmt: skip
        facts = facts.of_session(next_session(facts.now, facts.hours))
    else:
        terms = terms_of(
            request.intent, request.validity, request.validity_minutes, facts.status, facts.now,
            facts.hours, facts.last_known(),
        )  # fmt: skip
    judgement = facts.judge(request.intent, request.product, request.validity)
    if _waits_for_the_next_session(request, facts):
        judgement = replace(judgement, rules=tuple(map(_name_after_market, judgement.rules)))
    terms, exit_rules = _with_exits(request, terms, facts)
    more += [rule for rule in exit_rules if rule not in judgement.rules]
    if terms is None or not terms.waits:
        facts.require_route()
        more += facts.far_from_last(request.intent)
    return Placement(
        user_id=user_id,
        client_order_id=client_order_id,
        fingerprint=asked.fingerprint(),
        symbol=facts.instrument.symbol,
        intent=request.intent,
        product=request.product,
        validity=request.validity,
        judgement=replace(judgement, rules=(*more, *judgement.rules)),
        context=facts.context(request.product, request.intent.side, algo_id),
        open_orders_max=order_limits(facts.status.trade_date).open_orders_max,
        trade_date=today,
        now=facts.now,
        terms=terms,
    )


def _waits_for_the_next_session(request: OrderRequest, facts: PublicFacts) -> bool:
    """Whether the order, refused as the market is closed, would be taken as an AMO."""
    return (
        request.variety is Variety.REGULAR
        and facts.status.phase is Phase.CLOSED
        and request.intent.type not in STOPS
        and request.validity in AFTER_MARKET
        and request.exits is None
        and not after_market_rules(facts.now, facts.hours)
    )


def _name_after_market(rule: Rule) -> Rule:
    if rule.code != "MARKET_CLOSED":
        return rule
    message = f"{rule.message}; with variety AMO it is taken now, for the next session"
    return replace(rule, message=message)


def _trailing(
    request: OrderRequest, trail: int, facts: PublicFacts
) -> tuple[OrderRequest, list[Rule]]:
    """The stop that it is now, behind the live price, and the rules that its distance breaks.
    Raises Refused 503 NO_PRICE without one."""
    last = facts.live(request.intent)
    trigger = first_trigger(request.intent.side, last, trail)
    rules = trail_rules(trail, facts.instrument, last, facts.status.trade_date)
    return replace(request, intent=replace(request.intent, trigger_price=trigger)), rules


def _with_exits(
    request: OrderRequest, terms: Terms | None, facts: PublicFacts
) -> tuple[Terms | None, list[Rule]]:
    """The terms with the legs that wait beside the order or come after it, and what rules those
    break. An entry's are judged by the price that it asks for, its stop by the last one, too."""
    if request.target is not None and terms is not None and terms.expires_at is not None:
        intent = request.intent
        leg, rules = target_leg(
            intent.side, intent.quantity, request.target, request.product, request.validity,
            facts.market(facts.last_known()), terms.expires_at,
        )  # fmt: skip
        if request.validity is Validity.GTT:
            last = facts.last_known()
            passed = paired_stop_rules(intent, facts.instrument, last, facts.status)
            rules = [*passed, *rules]
        return replace(terms, target=leg), rules
    if request.trail is not None and terms is not None:
        step = trail_step(request.trail, facts.instrument, facts.status.trade_date)
        return replace(terms, trail=request.trail, trail_step=step), []
    if request.exits is not None:
        entered = request.intent.price or facts.last_known()
        end = session_end(facts.status.trade_date, facts.hours)
        legs, rules = exits_of(
            request.intent, request.exits, request.product, facts.market(entered),
            facts.last_known(), end,
        )  # fmt: skip
        return Terms(None, None, exits=legs), rules
    return terms, []
