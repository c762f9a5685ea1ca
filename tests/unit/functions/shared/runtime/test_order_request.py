"""A body of an order makes sense by itself, or is refused by the field that does not."""

import pytest
from pydantic import TypeAdapter, ValidationError

from functions.shared.domain.errors import Refused
from functions.shared.runtime.order_request import ClientId, OrderBody

LIMIT = {"symbol": "INFY", "side": "BUY", "type": "LIMIT", "quantity": 10, "price": "1500.05"}
MARKET = {"symbol": "INFY", "side": "BUY", "type": "MARKET", "quantity": 10}
EXITS = {"stop": {"trigger_price": "1450.00"}, "target": {"price": "1550.00"}}
STOP = {**MARKET, "type": "STOP", "trigger_price": "1550.00"}


@pytest.mark.parametrize(("body", "price"), [(LIMIT, 15_000_500), (MARKET, None)])
def test_a_limit_order_has_a_price_and_a_market_order_has_none(
    body: dict[str, object], price: int | None
) -> None:
    assert OrderBody.model_validate(body).price == price


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({**LIMIT, "price": None}, "price", "a LIMIT order needs one"),
        ({name: LIMIT[name] for name in MARKET}, "price", "a LIMIT order needs one"),
        ({**MARKET, "price": "1500.00"}, "price", "a MARKET order has none"),
        ({**LIMIT, "price": "10000000.01"}, "price", "at most 10000000.00"),
        ({**MARKET, "type": "STP"}, "type", "'MARKET', 'LIMIT', 'STOP' or 'STOP_LIMIT'"),
        ({**MARKET, "type": "SL"}, "type", "SL is called STOP_LIMIT here"),
        ({**MARKET, "type": "SL-M"}, "type", "SL-M is called STOP here"),
        ({**MARKET, "type": "STOP"}, "trigger_price", "a STOP order needs one"),
        ({**LIMIT, "trigger_price": "1500.00"}, "trigger_price", "a LIMIT order has none"),
        ({**STOP, "price": "1500.00"}, "price", "a STOP order has none"),
        ({**STOP, "type": "STOP_LIMIT"}, "price", "a STOP_LIMIT order needs one"),
        ({**STOP, "validity": "IOC"}, "validity", "a stop waits; IOC does not"),
        ({**STOP, "validity": "TTL"}, "validity_minutes", "validity TTL needs it"),
        ({**STOP, "validity_minutes": 5}, "validity_minutes", "is for validity TTL"),
        ({**LIMIT, "target_price": "1600.00"}, "target_price", "a stop of the day or a GTT"),
        ({**STOP, "target_price": "1500.00"}, "target_price", "only a SELL leaves"),
        ({**STOP, "trail": "5.00"}, "trigger_price", "follows the price"),
        ({**LIMIT, "trail": "5.00"}, "trail", "is for a STOP"),
        ({**STOP, "exits": EXITS}, "exits", "a LIMIT or MARKET order"),
        ({**LIMIT, "side": "SELL", "exits": EXITS}, "exits", "only a BUY enters"),
    ],
)
def test_a_refusal_names_the_field(body: dict[str, object], field: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        OrderBody.model_validate(body)
    [error] = caught.value.errors()
    assert error["loc"] == (field,)
    assert message in error["msg"]


@pytest.mark.parametrize("written", ["infy", "Infy", "nse:infy", "NSE:INFY"])
def test_a_symbol_is_the_exchanges_own_whatever_its_case(written: str) -> None:
    """One client order id stands for one order however its symbol is written."""
    order = OrderBody.model_validate({**MARKET, "symbol": written})
    assert order.symbol == "INFY"
    plain = OrderBody.model_validate(MARKET)
    assert order.order_request().fingerprint() == plain.order_request().fingerprint()
    assert OrderBody.model_validate({**MARKET, "symbol": "ma\u00dfe"}).symbol == "ma\u00dfe"


@pytest.mark.parametrize("prefix", ["SQ-", "GTC-", "PL-", "TTL-"])
def test_ids_that_the_broker_makes_itself_are_reserved(prefix: str) -> None:
    ids = TypeAdapter(ClientId)
    with pytest.raises(Refused) as refused:
        ids.validate_python(f"{prefix}7-1")
    assert (refused.value.status, refused.value.code) == (400, "RESERVED_ID")
    assert ids.validate_python(f"my{prefix}7") == f"my{prefix}7"
