"""What the broker renders and what the terminal reads are the same bytes, kept in golden/."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.fanout.rendering import QUOTE, SNAPSHOT, render_ltp, render_quote
from functions.shared.wire.events import (
    EventBody,
    FillFacts,
    FundsFacts,
    HoldingFacts,
    OrderFacts,
    PositionFacts,
    UserEvent,
    render_event,
    render_order,
)
from functions.shared.wire.quotes import Quote as BrokerQuote
from tui.client import models, protocol

GOLDEN = Path(__file__).parent / "golden"
NOON_MICROS = 1_783_665_000_000_000

ORDER = OrderFacts(
    order_id=72_057_594_037_927_937,
    client_order_id="0b0e7a8e-7f3a-4f0e-9a55-2f1f2f0c6f11",
    venue_order_id="N-1",
    symbol="M&M",
    side="BUY",
    type="LIMIT",
    quantity=10,
    price=28_112_000,
    product="CNC",
    validity="DAY",
    status="PARTIALLY_FILLED",
    filled_quantity=4,
    traded_value=1_124_480,
    pending_change=None,
    reason_code=None,
    reason=None,
    created_at=NOON_MICROS,
    updated_at=NOON_MICROS,
    version=3,
)
EVENT = UserEvent(
    user_id=1,
    user_seq=9,
    kind="FILL",
    at=NOON_MICROS,
    body=EventBody(
        order=ORDER,
        fill=FillFacts(
            order_id=ORDER.order_id,
            exec_id="20260710-17",
            symbol="M&M",
            side="BUY",
            product="CNC",
            quantity=4,
            price=28_112_000,
            value=1_124_480,
            charges=1_290,
            heads=(0, 1_124, 35, 0, 1, 124, 6),
            trade_date="2026-07-10",
            settles_on="2026-07-13",
            at=NOON_MICROS,
        ),
        funds=FundsFacts(
            cash=98_874_230, held=1_688_700, borrowed=0, unsettled=0, blocked=0, seq=9
        ),
        holding=HoldingFacts(
            symbol="M&M",
            quantity=4,
            settled=0,
            t1=0,
            bought_today=4,
            open_sell=0,
            pledged=0,
            cost=1_124_480,
        ),
    ),
)
INTRADAY = UserEvent(
    user_id=1,
    user_seq=10,
    kind="FILL",
    at=NOON_MICROS,
    body=EventBody(
        position=PositionFacts(
            symbol="M&M",
            product="MIS",
            trade_date="2026-07-10",
            net=-3,
            open_value=843_360,
            buy_quantity=4,
            buy_value=1_124_480,
            sell_quantity=7,
            sell_value=1_967_840,
            realised=-150,
            margin=168_672,
        ),
    ),
)
QUOTED = BrokerQuote(
    symbol="M&M",
    token=2031,
    ltp=28_112_000,
    close=27_705_000,
    open=27_750_000,
    high=28_140_000,
    low=27_690_000,
    volume=3_469_000,
    average=28_000_000,
    last_quantity=25,
    seq=71,
    timestamp_ms=NOON_MICROS // 1000,
)


def _golden(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def test_the_broker_pushes_the_golden_event() -> None:
    assert render_event(EVENT) == _golden("stream.event.json")
    assert render_event(INTRADAY) == _golden("stream.position.json")


def test_the_terminal_reads_the_golden_event() -> None:
    order, fill, funds, holding = protocol.decode((GOLDEN / "stream.event.json").read_bytes())

    assert isinstance(order, models.Order)
    assert (order.type, order.price, order.version) == ("LIMIT", Decimal("2811.20"), 3)
    assert order.average_price == Decimal("2811.2000")
    assert isinstance(fill, models.Fill)
    assert (fill.quantity, fill.exec_id) == (4, "20260710-17")
    assert isinstance(funds, models.Funds)
    assert funds.available == funds.cash - funds.held - funds.blocked
    assert isinstance(holding, models.Holding)
    assert holding.average_price == Decimal("2811.2000")
    assert {each.user_seq for each in (order, fill, funds, holding)} == {9}


def test_the_terminal_reads_the_golden_position() -> None:
    (position,) = protocol.decode((GOLDEN / "stream.position.json").read_bytes())

    assert isinstance(position, models.Position)
    assert (position.key, position.quantity, position.user_seq) == ("MIS:M&M", -3, 10)
    assert (position.average_price, position.realised_pnl) == (
        Decimal("2811.2000"),
        Decimal("-1.50"),
    )


def test_the_broker_answers_the_golden_order() -> None:
    assert render_order(ORDER) == _golden("http.order.json")


def test_an_order_reads_the_same_from_an_answer_and_from_the_stream() -> None:
    answered = msgspec.json.decode((GOLDEN / "http.order.json").read_bytes(), type=models.Order)
    pushed = protocol.decode((GOLDEN / "stream.event.json").read_bytes())[0]

    assert isinstance(pushed, models.Order)
    assert msgspec.structs.replace(pushed, user_seq=0) == answered


@pytest.mark.parametrize(
    ("kind", "render", "name"),
    [
        (QUOTE, render_quote, "stream.quote.json"),
        (SNAPSHOT, render_quote, "stream.snapshot.json"),
        (QUOTE, render_ltp, "stream.quote.ltp.json"),
    ],
)
def test_both_sides_agree_on_a_price(kind: str, render: Any, name: str) -> None:
    assert json.loads(render(kind, QUOTED)) == _golden(name)

    (quote,) = protocol.decode((GOLDEN / name).read_bytes())
    assert isinstance(quote, models.Quote)
    assert (quote.ltp, quote.change) == (Decimal("2811.20"), Decimal("40.70"))
    assert quote.change_percent == Decimal("1.47")


def test_the_terminal_reads_the_golden_preview() -> None:
    preview = msgspec.json.decode((GOLDEN / "http.preview.json").read_bytes(), type=models.Preview)

    assert preview.total_charges == Decimal("33.94")
    assert preview.rules[0].nearest == "2811.20"


def test_the_terminal_reads_the_golden_problem() -> None:
    problem = msgspec.json.decode((GOLDEN / "http.problem.json").read_bytes(), type=models.Problem)

    assert problem.code == "ORDER_REFUSED"
    assert [rule.largest_quantity for rule in problem.rules] == [328]
