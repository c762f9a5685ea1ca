"""A broker and a feed for screens: they answer at once and keep what they were asked."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal

import msgspec

from tests.support.terminal_lists import KeptLists
from tests.support.terminal_prices import MOVERS, NOON, QUOTES, WIPRO
from tui.client.broker import Link, Listener, RefusedError
from tui.client.chain import OrderChain
from tui.client.market_status import MarketStatus
from tui.client.models import (
    Exits,
    Funds,
    Holding,
    Instrument,
    Order,
    OrderDetail,
    Plan,
    Position,
    Preview,
    PrivateEvent,
    Problem,
    Profile,
    Quote,
    Reason,
    RuleFailure,
    Slice,
    StopExit,
    TargetExit,
)
from tui.client.prices import Candle, Found


def funds(available: str = "970440.64", seq: int = 7) -> Funds:
    held = Decimal("1000000.00") - Decimal(available)
    return Funds(cash=Decimal("1000000.00"), held=held, available=Decimal(available), seq=seq)


def order(order_id: str = "1001", **changes: object) -> Order:
    fields: dict[str, object] = {
        "order_id": order_id,
        "symbol": "RELIANCE",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": 10,
        "price": Decimal("2950.50"),
        "status": "PENDING",
        "version": 1,
        "created_at": NOON,
    }
    return Order(**{**fields, **changes})  # type: ignore[arg-type]


ORDERS = [
    order("1004", status="OPEN", version=2, symbol="TCS", side="SELL", price=Decimal("3950.00")),
    order(
        "1003",
        status="PARTIALLY_FILLED",
        version=3,
        filled_quantity=4,
        average_price=Decimal("2950.5000"),
    ),
    order(
        "1002",
        status="FILLED",
        version=3,
        type="MARKET",
        price=None,
        filled_quantity=10,
        average_price=Decimal("2949.4000"),
    ),
    order(
        "1001",
        status="DENIED",
        quantity=4000,
        reason=Reason(code="INSUFFICIENT_FUNDS", message="Needs ₹1,18,02,000.00"),
    ),
]

_EXITS = Exits(
    stop=StopExit(trigger_price=Decimal("1650.00")), target=TargetExit(price=Decimal("1720.00"))
)
LADDERS = [
    order(
        "2001", status="OPEN", symbol="HDFCBANK", quantity=40, price=Decimal("1675.00"),
        exits=_EXITS,
    ),
    order(
        "2002", status="FILLED", symbol="M&M", quantity=15, filled_quantity=15,
        price=Decimal("2810.00"), average_price=Decimal("2809.8000"),
    ),
    order(
        "2003", status="TRIGGER_PENDING", symbol="M&M", side="SELL", type="STOP", quantity=15,
        price=None, trigger_price=Decimal("2790.00"), leg="STOP", group_id="2003",
        parent_order_id="2002", expires_at=NOON + timedelta(hours=3, minutes=30),
    ),
    order(
        "2004", status="TRIGGER_PENDING", symbol="M&M", side="SELL", quantity=15,
        price=Decimal("2865.00"), trigger_price=Decimal("2865.00"), leg="TARGET", group_id="2003",
        parent_order_id="2002", expires_at=NOON + timedelta(hours=3, minutes=30),
    ),
    order(
        "2005", status="TRIGGER_PENDING", symbol="RELIANCE", side="SELL", quantity=14,
        price=Decimal("2895.00"), trigger_price=Decimal("2900.00"), validity="GTT", leg="STOP",
        group_id="2005", expires_at=NOON + timedelta(days=365),
    ),
    order(
        "2006", status="TRIGGER_PENDING", symbol="RELIANCE", side="SELL", quantity=14,
        price=Decimal("3050.00"), trigger_price=Decimal("3050.00"), validity="GTT", leg="TARGET",
        group_id="2005", expires_at=NOON + timedelta(days=365),
    ),
    order(
        "2007", status="TRIGGER_PENDING", symbol="TCS", side="SELL", type="STOP", quantity=5,
        price=None, trigger_price=Decimal("3890.00"), trail=Decimal("40.00"),
        expires_at=NOON + timedelta(hours=3, minutes=30),
    ),
]  # fmt: skip
"""An entry that rests with its exits to come, one that filled, an OCO, and a trailing stop."""


def plan(plan_id: str = "3001", **changes: object) -> Plan:
    """A TWAP of 600 in six slices of ten minutes, two of them placed."""
    slices = [
        Slice(
            number=number,
            planned_quantity=100,
            state="PLACED" if number <= 2 else "WAITING",
            due_at=NOON + timedelta(minutes=10 * (number - 2)) - timedelta(minutes=4),
            quantity=100 if number <= 2 else None,
            filled_quantity={1: 100, 2: 64}.get(number, 0),
            order_id=str(3100 + number) if number <= 2 else None,
            status={1: "FILLED", 2: "PARTIALLY_FILLED"}.get(number),
        )
        for number in range(1, 7)
    ]
    fields: dict[str, object] = {
        "plan_id": plan_id,
        "kind": "TWAP",
        "symbol": "TCS",
        "side": "BUY",
        "quantity": 600,
        "state": "ACTIVE",
        "version": 3,
        "starts_at": NOON - timedelta(minutes=14),
        "ends_at": NOON + timedelta(minutes=46),
        "filled_quantity": 164,
        "average_price": Decimal("3921.4500"),
        "slices": slices,
    }
    return Plan(**{**fields, **changes})  # type: ignore[arg-type]


PLANS = [
    plan(),
    plan(
        "3002", kind="ICEBERG", symbol="RELIANCE", side="SELL", quantity=50, filled_quantity=25,
        price=Decimal("2955.00"), average_price=Decimal("2955.2000"),
        slices=[
            Slice(number=number, planned_quantity=10, state="PLACED" if number <= 3 else "WAITING",
                  filled_quantity={1: 10, 2: 10, 3: 5}.get(number, 0))
            for number in range(1, 6)
        ],
    ),
    plan(
        "3000", kind="VWAP", symbol="M&M", state="EXPIRED", quantity=2000, filled_quantity=1460,
        participation_percent=10, average_price=Decimal("2811.0500"),
        reason=Reason(code="WINDOW_OVER", message="540 are left as its time is over"),
    ),
]  # fmt: skip

HOLDINGS = [
    Holding(
        symbol="RELIANCE", quantity=14, average_price=Decimal("2949.7143"), free_quantity=14,
        cost=Decimal("41296.00"), settled=0, bought_today=14,
    ),
    Holding(
        symbol="M&M", quantity=100, average_price=Decimal("2840.0000"), free_quantity=90,
        cost=Decimal("284000.00"), settled=60, t1=40,
    ),
]  # fmt: skip

POSITIONS = [
    Position(
        symbol="RELIANCE", product="CNC", quantity=14, average_price=Decimal("2949.7143"),
        buy_quantity=14,
    ),
    Position(
        symbol="TCS", product="MIS", quantity=-20, average_price=Decimal("3925.5000"),
        buy_quantity=30, sell_quantity=50, realised_pnl=Decimal("142.50"),
    ),
]  # fmt: skip

PREVIEW = Preview(
    accepted=True,
    value=Decimal("29505.00"),
    charges={"stt": Decimal("29.51"), "stamp": Decimal("4.43"), "total": Decimal("33.94")},
    margin=Decimal("29538.94"),
    available_after=Decimal("940901.70"),
    largest_quantity=328,
)

REFUSED = Preview(
    accepted=False,
    rules=[
        RuleFailure(code="PRICE_TICK", message="Prices move by ₹0.05", nearest="2950.50"),
        RuleFailure(code="INSUFFICIENT_FUNDS", message="Too large", largest_quantity=328),
    ],
    value=Decimal("1475260.00"),
)


class RecordingBroker(KeptLists):
    """Fulfils `Broker` with fixed answers."""

    def __init__(self, mode: str = "PAPER") -> None:
        super().__init__()
        self.mode = mode
        self.placed: list[dict[str, object]] = []
        self.modified: list[tuple[str, dict[str, object]]] = []
        self.cancelled: list[str] = []
        self.known_orders: list[Order] = []
        self.known_positions = POSITIONS
        self.positions_asked = 0
        self.preview_answer = PREVIEW
        self.preview_refusal: Problem | None = None
        self.placed_order = order()
        self.sign_in_refusal: Problem | None = None
        self.refusals_left = 10
        self.challenges: list[tuple[str, str, str]] = []
        self.sign_outs = 0
        self.codes: list[str] = []
        """Of the sign-ins, in order."""
        self.is_closed = False
        self.unlisted: set[str] = set()
        self.loading_fails: Exception | None = None
        self.market_asked = 0
        self.known_plans: list[Plan] = []
        self.details: dict[str, OrderDetail] = {}
        self.chains: dict[str, OrderChain] = {}
        self.opened: list[dict[str, object]] = []
        self.plans_cancelled: list[str] = []
        self.searched: list[str] = []
        self.search_fails: Exception | None = None
        self.found = Found(items=[WIPRO])
        self.movers_asked: list[str] = []
        self.known_movers = MOVERS
        self.candles_asked: list[tuple[str, str, date]] = []
        self.known_candles: list[Candle] = []
        self.candles_fail: Exception | None = None
        self.market_status = MarketStatus(
            phase="OPEN", trade_date=NOON.date(), time=NOON, wall_time=NOON
        )

    async def sign_in(self, username: str, password: str, code: str) -> Profile:
        self.codes.append(code)
        if self.sign_in_refusal is not None and self.refusals_left:
            self.refusals_left -= 1
            raise RefusedError(self.sign_in_refusal)
        return Profile(user_id="1", username=username, mode=self.mode)

    async def answer_challenge(self, username: str, challenge_id: str, code: str) -> Profile:
        self.challenges.append((username, challenge_id, code))
        return await self.sign_in(username, "", "")

    async def sign_out(self) -> None:
        self.sign_outs += 1

    async def funds(self) -> Funds:
        if self.loading_fails is not None:
            raise self.loading_fails
        return funds()

    async def orders(self) -> list[Order]:
        return self.known_orders

    async def holdings(self) -> list[Holding]:
        return HOLDINGS

    async def positions(self) -> list[Position]:
        self.positions_asked += 1
        return self.known_positions

    async def preview(self, body: Mapping[str, object]) -> Preview:
        if self.preview_refusal is not None:
            raise RefusedError(self.preview_refusal)
        return self.preview_answer

    async def place(self, body: Mapping[str, object]) -> Order:
        self.placed.append(dict(body))
        return self.placed_order

    async def modify(self, order_id: str, body: Mapping[str, object]) -> Order:
        self.modified.append((order_id, dict(body)))
        return order(order_id, version=9, status="OPEN", pending_change="MODIFY")

    async def cancel(self, order_id: str, request_id: str) -> Order:
        self.cancelled.append(order_id)
        return order(order_id, version=9, status="OPEN", pending_change="CANCEL")

    async def order(self, order_id: str) -> OrderDetail:
        return self.details[order_id]

    async def chain(self, order_id: str) -> OrderChain:
        return self.chains[order_id]

    async def plans(self) -> list[Plan]:
        return self.known_plans

    async def plan(self, plan_id: str) -> Plan:
        return next(each for each in self.known_plans if each.plan_id == plan_id)

    async def open_plan(self, body: Mapping[str, object]) -> Plan:
        self.opened.append(dict(body))
        return self.known_plans[0]

    async def cancel_plan(self, plan_id: str) -> Plan:
        self.plans_cancelled.append(plan_id)
        plan = await self.plan(plan_id)
        return msgspec.structs.replace(plan, state="CANCELLING", version=plan.version + 1)

    async def instrument(self, symbol: str) -> Instrument:
        if symbol in self.unlisted:
            raise RefusedError(Problem(status=404, code="UNKNOWN_SYMBOL"))
        return Instrument(symbol=symbol, kind="INDEX" if symbol == "NIFTY 50" else "EQUITY")

    async def market(self) -> MarketStatus:
        self.market_asked += 1
        return self.market_status

    async def search(self, text: str) -> Found:
        self.searched.append(text)
        if self.search_fails is not None:
            raise self.search_fails
        return self.found

    async def movers(self, by: str) -> list[Quote]:
        self.movers_asked.append(by)
        return self.known_movers[by]

    async def candles(self, symbol: str, interval: str, first: date) -> list[Candle]:
        self.candles_asked.append((symbol, interval, first))
        if self.candles_fail is not None:
            raise self.candles_fail
        return self.known_candles

    async def stream_url(self) -> str:
        raise AssertionError("screens do not connect")

    async def close(self) -> None:
        self.is_closed = True


class SilentFeed:
    """Fulfils `Feed`: live at once, sends the quotes it was given, and what a test hands it."""

    def __init__(self, quotes: Iterable[Quote] = QUOTES) -> None:
        self.snapshots = list(quotes)
        self.watched: frozenset[str] = frozenset()
        self.reloads = 0
        self.listener: Listener | None = None

    def watch(self, symbols: Iterable[str]) -> None:
        """What is new comes with a snapshot, as from the real stream."""
        before, self.watched = self.watched, frozenset(symbols)
        fresh = [each for each in self.snapshots if each.symbol in self.watched - before]
        if self.listener is not None and fresh:
            self.listener.quotes(fresh)

    def reload(self) -> None:
        self.reloads += 1
        if self.listener is not None:
            self._reloading = asyncio.ensure_future(self.listener.reload())

    async def follow(self, listener: Listener, seq: int) -> None:
        self.listener = listener
        listener.link(Link.LIVE, "")
        listener.quotes(self.snapshots)
        await asyncio.Event().wait()

    def send(self, *events: PrivateEvent) -> None:
        """Deliver private events as the stream would."""
        assert self.listener is not None
        self.listener.account(events)
