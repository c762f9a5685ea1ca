"""What holds for the book whatever the requests: nothing is lost, nothing crosses, all adds up."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from infra.exchange.register import Register
from infra.exchange.reports import ExecType, ExecutionReport
from tests.unit.infra.exchange.broker import BUY, SELL, Desk

PRICES = st.integers(min_value=995, max_value=1005).map(lambda tenth: tenth / 10)
QUANTITIES = st.integers(min_value=1, max_value=50)
SIDES = st.sampled_from([BUY, SELL])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), SIDES, QUANTITIES, st.one_of(st.none(), PRICES)),
        st.tuples(st.just("hidden"), SIDES, QUANTITIES, PRICES),
        st.tuples(st.just("change"), st.integers(0, 30), QUANTITIES, PRICES),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
    ),
    max_size=40,
)


def play(steps: list[tuple[object, ...]]) -> Desk:
    """Run random requests; the names of changes follow the order's current ClOrdID."""
    desk = Desk()
    for number, step in enumerate(steps):
        match step:
            case ("order", side, quantity, price):
                desk.order(f"{number}", side, quantity, price)  # type: ignore[arg-type]
            case ("hidden", side, quantity, price):
                shown = int(str(quantity)) // 4
                desk.order(f"{number}", side, quantity, price, display=shown)  # type: ignore[arg-type]
            case (kind, place, *rest):
                orders = list(desk.register.orders.values())
                if not orders:
                    continue
                order = orders[int(str(place)) % len(orders)]
                if kind == "cancel":
                    desk.cancel(f"c{number}", order.cl_ord_id, order.side)
                else:
                    quantity, price = rest
                    desk.change(
                        f"c{number}",
                        order.cl_ord_id,
                        quantity,
                        price,
                        order.side,  # type: ignore[arg-type]
                    )
    return desk


@given(STEPS)
def test_the_book_is_never_crossed(steps: list[tuple[object, ...]]) -> None:
    book = play(steps).book
    bid, ask = book.best(BUY), book.best(SELL)
    assert bid is None or ask is None or bid < ask


@given(STEPS)
def test_what_is_bought_is_sold_at_the_same_price(steps: list[tuple[object, ...]]) -> None:
    traded = {BUY: [0, 0], SELL: [0, 0]}
    for trade in play(steps).register.trades:
        traded[trade.side][0] += trade.last_quantity
        traded[trade.side][1] += trade.last_quantity * trade.last_price
    assert traded[BUY] == traded[SELL]


@given(STEPS)
def test_every_report_agrees_with_the_order_and_the_sum_of_its_trades(
    steps: list[tuple[object, ...]],
) -> None:
    desk = play(steps)
    cum: dict[int, int] = defaultdict(int)
    value: dict[int, int] = defaultdict(int)
    for report in desk.all:
        if not isinstance(report, ExecutionReport) or not report.order_id:
            continue
        if report.exec_type is ExecType.TRADE:
            cum[report.order_id] += report.last_quantity
            value[report.order_id] += report.last_quantity * report.last_price
        assert (report.cum, report.value) == (cum[report.order_id], value[report.order_id])
        open_part = 0 if report.ord_status.final else report.quantity - report.cum
        assert report.leaves == open_part
        assert report.cum <= report.quantity


@given(STEPS)
def test_the_levels_show_exactly_what_the_open_orders_show(steps: list[tuple[object, ...]]) -> None:
    desk = play(steps)
    book = desk.book
    for side in (BUY, SELL):
        shown = sum(quantity for _, quantity in book.depth(side, levels=1000))
        open_orders = [o for o in desk.register.open.values() if o.side is side]
        assert shown == sum(o.shown or o.leaves for o in open_orders)
        assert all(o.shown <= o.leaves for o in open_orders)


@given(STEPS)
def test_folding_the_reports_again_gives_the_same_book_and_queue(
    steps: list[tuple[object, ...]],
) -> None:
    desk = play(steps)
    register = Register()
    for report in desk.all:
        register.apply(report)
    again = Desk(register)
    for side in (BUY, SELL):
        assert again.book.depth(side, 1000) == desk.book.depth(side, 1000)
        before = desk.order(f"sweep{side}", side, 10_000, None)
        after = again.order(f"sweep{side}", side, 10_000, None)
        assert _makers(after) == _makers(before)


def _makers(reports: object) -> list[tuple[str, int]]:
    assert isinstance(reports, list)
    return [(r.cl_ord_id, r.last_quantity) for r in reports if isinstance(r, ExecutionReport)]
