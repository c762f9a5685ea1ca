from hypothesis import given
from hypothesis import strategies as st

from tests.support.terminal import LADDERS, ORDERS, funds, order
from tui.client.models import Order
from tui.state.account import loaded
from tui.state.blotter import Rung, blotter


def _read(orders: list[Order]) -> list[tuple[str, str]]:
    return [(each.branch, each.key) for each in blotter(loaded(funds(), orders, [], []))]


def test_working_orders_stand_above_finished_ones() -> None:
    assert [key for _, key in _read(ORDERS[::-1])] == ["1004", "1003", "1002", "1001"]


def test_exits_stand_as_a_ladder_under_their_entry_or_as_a_pair() -> None:
    assert _read(LADDERS) == [
        ("", "2007"),
        ("┌", "2005"),
        ("└", "2006"),
        ("", "2002"),
        ("├", "2003"),
        ("└", "2004"),
        ("", "2001"),
        ("├", "2001:STOP"),
        ("└", "2001:TARGET"),
    ]


def test_exits_to_come_are_drawn_while_their_entry_works_and_none_of_them_lives() -> None:
    entry = LADDERS[0]
    account = loaded(funds(), [entry], [], [])
    stop, target = blotter(account)[1:]

    assert (str(stop.price), str(target.price)) == ("1650.00", "1720.00")
    over = order("2001", status="CANCELLED", exits=entry.exits)
    assert _read([over]) == [("", "2001")]


_LINKS = st.builds(
    lambda number, status, parent, group, leg: order(
        str(number), status=status, parent_order_id=parent, group_id=group, leg=leg
    ),
    st.integers(1, 12),
    st.sampled_from(["OPEN", "FILLED", "TRIGGER_PENDING", "CANCELLED"]),
    st.sampled_from([None, "1", "2", "99"]),
    st.sampled_from([None, "3", "4"]),
    st.sampled_from([None, "STOP", "TARGET"]),
)


@given(st.lists(_LINKS, max_size=12, unique_by=lambda each: each.order_id))
def test_every_order_stands_in_the_blotter_once(orders: list[Order]) -> None:
    rungs: list[Rung] = blotter(loaded(funds(), orders, [], []))

    shown = [each.order.order_id for each in rungs if each.order is not None]
    assert sorted(shown) == sorted(each.order_id for each in orders)
    assert len({each.key for each in rungs}) == len(rungs)
