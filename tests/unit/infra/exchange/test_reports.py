"""Reports carry the tags FIX 4.4 requires, and requests are read without a float."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.exchange.received import Received
from infra.exchange.reports import OrdType, cancel_reject_fields, execution_fields
from infra.exchange.requests import NewOrder, ReplaceRequest, parse_request, tags
from tests.unit.infra.exchange.broker import BUY, SELL, Desk, execution, refusal

REQUIRED = {37, 17, 150, 39, 55, 54, 38, 40, 59, 151, 14, 6, 75, 60, 11, 1}


def raw(**fields: str) -> str:
    named = {"t35": "D", "t11": "1", "t1": "77", "t55": "M&M", "t54": "1", "t40": "2"}
    named |= {"t38": "10", "t44": "100.05"} | fields
    return "8=FIX.4.4\x01" + "".join(f"{k[1:]}={v}\x01" for k, v in named.items() if v)


def test_each_report_has_the_required_tags_and_a_trade_its_price() -> None:
    desk = Desk()
    desk.order("maker", SELL, 10, 100.5)
    new, trade = (dict(execution_fields(execution(r))) for r in desk.order("b", BUY, 4, 101.0)[::2])
    assert set(new) >= REQUIRED | {44}
    assert set(trade) >= REQUIRED | {31, 32, 44}
    assert (trade[31], trade[32], trade[6], trade[14], trade[151]) == (
        "100.50",
        "4",
        "100.50",
        "4",
        "0",
    )
    assert (new[75], new[60]) == ("20261123", "20261123-06:00:00.000")


def test_a_rejected_cancel_says_what_it_answers() -> None:
    desk = Desk()
    fields = dict(cancel_reject_fields(refusal(desk.cancel("1-1", "1")[0])))
    assert fields[37] == "NONE"
    assert (fields[11], fields[41], fields[39], fields[434], fields[102]) == (
        "1-1",
        "1",
        "8",
        "1",
        "1",
    )


def test_an_order_is_read_with_its_price_in_ten_thousandths() -> None:
    request = parse_request("OUTCRY-O1", raw(t97="Y"))
    assert isinstance(request, NewOrder)
    assert (request.price, request.quantity, request.symbol) == (1_000_500, 10, "M&M")
    assert (request.poss_resend, request.poss_dup, request.fault) == (True, False, "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"t38": "1.5"},
        {"t38": "-1"},
        {"t38": "9" * 13},
        {"t44": "x"},
        {"t44": "1.00001"},
        {"t44": ""},
        {"t40": "1"},
    ],
)
def test_a_value_that_is_no_integer_is_a_fault_of_the_order_not_an_error(
    wrong: dict[str, str],
) -> None:
    request = parse_request("OUTCRY-O1", raw(**wrong))
    assert isinstance(request, NewOrder)
    assert request.fault


def test_a_replace_is_read_with_what_it_replaces() -> None:
    request = parse_request("OUTCRY-O1", raw(t35="G", t11="1-1", t41="1"))
    assert isinstance(request, ReplaceRequest)
    assert (request.orig_cl_ord_id, request.ord_type) == ("1", OrdType.LIMIT)


@given(st.text(alphabet=st.characters(blacklist_characters="\x01"), max_size=20))
def test_a_text_value_passes_through_whatever_it_holds(text: str) -> None:
    assert tags(f"58={text}\x0111=1\x01") == {58: text, 11: "1"}


def test_the_checkpoint_waits_for_a_hole_and_then_jumps() -> None:
    received = Received()
    received.seen(1, 1)
    received.seen(3, 3)
    assert received.through == 1
    received.seen(2, 2)
    assert received.through == 3


def test_the_checkpoint_follows_gap_fills_and_resets() -> None:
    received = Received(5)
    received.seen(6, 9)
    assert received.through == 9
    received.reset(3)
    assert received.through == 2


@given(st.permutations(list(range(1, 40))))
def test_the_checkpoint_does_not_depend_on_the_order_of_arrival(order: list[int]) -> None:
    received = Received()
    for number in order:
        received.seen(number, number)
    assert received.through == 39
