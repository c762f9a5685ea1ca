"""What clients are told of each step of an order's life."""

from typing import Any

import msgspec
import pytest

from functions.shared.wire.order_history import OrderStep, decode_step, render_history, render_step

ORDER: dict[str, Any] = {
    "order_id": 5, "client_order_id": "a", "venue_order_id": None, "symbol": "INFY", "side": "BUY",
    "type": "LIMIT", "quantity": 10, "price": 15_000_000, "product": "CNC", "validity": "DAY",
    "status": "OPEN", "filled_quantity": 0, "traded_value": 0, "pending_change": None,
    "reason_code": None, "reason": None, "created_at": 1, "updated_at": 1, "version": 2,
}  # fmt: skip
RULE = {"code": "PRICE_OFF_TICK", "message": "off", "value": "1", "limit": "0.05",
        "nearest": None, "largest_quantity": None}  # fmt: skip


def told(kind: str, **body: Any) -> Any:
    step = OrderStep(seq=3, at=0, kind=kind, facts=decode_step(msgspec.json.encode(body)))
    return render_step(step)


def test_a_change_that_was_asked_for_names_what_it_gave_and_the_terms_it_found() -> None:
    step = told("MODIFY_REQUESTED", order=ORDER, change_key="replace m1 [12,15010000,null,2]")
    assert (step["quantity"], step["price"]) == (10, "1500.00")
    assert step["request"] == {
        "request_id": "m1", "action": "MODIFY", "by": "CLIENT", "quantity": 12,
        "price": "1501.00", "trigger_price": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("request_id", "by"),
    [("c1", "CLIENT"), ("TTL-5-2", "TTL"), ("exit:5-2", "EXIT"), ("plan:9", "PLAN"),
     ("leg:c1", "SIBLING"), ("late:5-2", "SIBLING"), ("SQ-2026", "SQUARE_OFF")],
)  # fmt: skip
def test_a_cancel_says_who_asked_for_it(request_id: str, by: str) -> None:
    step = told("CANCEL_REQUESTED", order=ORDER, change_key=f"cancel {request_id} ")
    assert (step["request"]["action"], step["request"]["by"]) == ("CANCEL", by)


def test_one_of_all_is_named_as_its_client_named_it() -> None:
    step = told("CANCEL_REQUESTED", order=ORDER, change_key='cancel all:out [null,"BUY"]')
    assert (step["request"]["request_id"], step["request"]["by"]) == ("out", "CLIENT")


def test_a_fill_is_linked_with_its_execution() -> None:
    fill = {"order_id": 5, "exec_id": "E1", "symbol": "INFY", "side": "BUY", "product": "CNC",
            "quantity": 4, "price": 14_990_000, "value": 1, "charges": 1, "heads": [],
            "trade_date": "2026-07-10", "settles_on": "2026-07-13", "at": 1}  # fmt: skip
    step = told("FILL", order=ORDER | {"filled_quantity": 4}, fill=fill)
    assert step["fill"] == {"exec_id": "E1", "quantity": 4, "price": "1499.00"}
    assert step["filled_quantity"] == 4


def test_a_refusal_names_the_rules_of_the_change_or_of_the_order() -> None:
    change = told("CHANGE_DENIED", order=ORDER, change_key="replace m1 [12,null,null,null]",
                  rules=[RULE])  # fmt: skip
    assert change["rules"] == [RULE]
    denied = told("ORDER_DENIED", order=ORDER | {"status": "DENIED", "rules": [RULE]})
    assert denied["rules"] == [RULE]
    assert told("ORDER_ACKNOWLEDGED", order=ORDER)["rules"] == []


def test_an_event_without_an_order_has_no_terms() -> None:
    step = told("SQUARE_OFF_CHARGED")
    assert (step["status"], step["quantity"], step["price"], step["request"]) == (None,) * 4


BUST = {"exec_id": "E1", "quantity": 4, "price": 15_000_000}


@pytest.mark.parametrize(
    ("kind", "order", "body", "cause"),
    [
        ("ORDER_REJECTED", {"status": "REJECTED", "reason_code": "VENUE_REJECTED", "reason": "no"},
         {}, ("VENUE_REJECTED", None, "no")),
        ("ORDER_EXPIRED", {"status": "EXPIRED", "reason_code": "DAY_ENDED", "reason": ""}, {},
         ("DAY_ENDED", None, None)),
        ("ORDER_CANCELLED", {"status": "CANCELLED", "reason_code": "SIBLING_CANCELLED",
                             "reason": "it was"}, {}, ("SIBLING_CANCELLED", None, "it was")),
        ("ORDER_CANCELLED", {"status": "CANCELLED"}, {}, ("CLIENT_CANCELLED", None, None)),
        ("ORDER_CANCELLED", {"status": "CANCELLED"},
         {"cause": {"code": "SIBLING_FILLED", "order_id": 9}}, ("SIBLING_FILLED", "9", None)),
        ("FILL_BUSTED", {"reason_code": "TRADE_BUSTED", "reason": "wrong"}, {"bust": BUST},
         ("TRADE_BUSTED", None, "wrong")),
        ("ORDER_DENIED", {"status": "DENIED", "rules": [RULE]}, {},
         ("PRICE_OFF_TICK", None, "off")),
        ("ORDER_PLACED", {"client_order_id": "PL-3-1", "parent_order_id": 3}, {},
         ("PLAN_SLICE", "3", None)),
        ("ORDER_PLACED", {"client_order_id": "GTC-3", "parent_order_id": 3}, {},
         ("GTC_RENEWED", "3", None)),
        ("ORDER_RELEASED", {}, {"trigger": {"why": "PRICE", "seen_at": 1, "price": 1}},
         ("PRICE_REACHED", None, None)),
        ("ORDER_RELEASED", {}, {"trigger": {"why": "TIME", "seen_at": 1}},
         ("TIME_REACHED", None, None)),
    ],
)  # fmt: skip
def test_a_step_names_its_cause(
    kind: str, order: dict[str, Any], body: dict[str, Any], cause: tuple[str, str | None, str]
) -> None:
    step = told(kind, order={**ORDER, **order}, **body)
    assert step["cause"] == dict(zip(("code", "order_id", "message"), cause, strict=True))
    assert (step["busted"] is not None) is (kind == "FILL_BUSTED")


@pytest.mark.parametrize("kind", ["ORDER_PLACED", "ORDER_ACKNOWLEDGED", "CANCEL_REQUESTED"])
def test_a_step_that_its_kind_explains_has_no_cause(kind: str) -> None:
    assert told(kind, order=ORDER)["cause"] is None


def test_the_fill_behind_a_correction_says_so_and_the_next_one_does_not() -> None:
    order = {**ORDER, "reason_code": "TRADE_CORRECTED", "reason": "price"}
    steps = [
        OrderStep(
            seq=seq, at=0, kind=kind, facts=decode_step(msgspec.json.encode({"order": order}))
        )
        for seq, kind in enumerate(["FILL_BUSTED", "FILL", "FILL"])
    ]
    causes = [step["cause"] and step["cause"]["code"] for step in render_history(steps)]
    assert causes == ["TRADE_CORRECTED", "TRADE_CORRECTED", None]
