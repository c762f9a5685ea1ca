"""The order gateway against the real venue and real streams: nothing lost, nothing twice."""

import shutil
import signal
from collections.abc import Callable, Iterator

import pytest
import redis

from functions.shared.wire.commands import CancelOrder, ReplaceOrder, session_of_symbol
from tests.support.eventually import wait_until
from tests.support.fix_desk import Desk
from tests.support.paper_ledger import PaperApplier
from tests.support.valkey import valkey_server

SYMBOLS = ["RELIANCE", "INFY", "TCS", "SBIN", "ITC", "HDFCBANK"]


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    (folder / "venue").mkdir()
    with valkey_server(durable=True) as streams:
        # Beats so slow that a venue which is stopped for a test's patience is not off for it.
        built = Desk(folder, streams, FIX_HEARTBEAT="60")
        try:
            built.open()
            yield built
        finally:
            built.close()


@pytest.fixture
def desk(shared_desk: Desk) -> Desk:
    """The desk as the last test left it: logged on, and every order answered."""
    if not shared_desk.gateway.running():
        shared_desk.gateway.start()
    wait_until(shared_desk.gateway.ready)
    wait_until(shared_desk.settled)
    return shared_desk


def test_a_market_order_comes_back_acknowledged_and_filled_to_the_share(desk: Desk) -> None:
    order = desk.order("M&M")
    desk.place(order)
    wait_until(lambda: desk.ledger.statuses()[order.order_id] == "2")
    assert desk.events(order)[0] == "0"
    fills = [f for f in desk.ledger.fills().values() if f[0] == order.order_id]
    assert sum(quantity for _, quantity, _ in fills) == 10
    fill = next(r for r in reversed(desk.reports(order)) if r.exec_type == "F")
    assert (fill.user_id, fill.symbol, fill.side, fill.leaves_quantity) == (
        order.user_id,
        "M&M",
        "BUY",
        0,
    )


def test_the_sessions_tell_their_numbers_and_how_far_away_the_venue_is(desk: Desk) -> None:
    desk.place(desk.order("INFY"))
    wait_until(desk.settled)
    session = '{session="OUTCRY-O1"}'
    kinds = [f'_count{{kind="{kind}",session="OUTCRY-O1"}}' for kind in ("order", "heartbeat")]

    def told() -> bool:
        found = desk.gateway.metrics()
        applied, expected, sent = (
            found.get(f"outcry_gateway_{name}{session}", 0)
            for name in ("applied_through", "next_expected", "next_sent")
        )
        trips = [found.get(f"outcry_gateway_round_trip_seconds{kind}", 0) for kind in kinds]
        return applied + 1 == expected > 2 and sent > 2 and min(trips) >= 1

    wait_until(told)
    assert desk.gateway.metrics()[f"outcry_gateway_logged_on{session}"] == 1


def test_a_resting_order_is_replaced_and_cancelled(desk: Desk) -> None:
    order = desk.order(type="LIMIT", validity="DAY", price=far_below(desk, "INFY"))
    desk.place(order)
    wait_until(lambda: desk.events(order) == ["0"])
    same = {"order_id": order.order_id, "user_id": order.user_id, "symbol": "INFY", "side": "BUY"}
    desk.change(
        ReplaceOrder(
            **same,
            type="LIMIT",
            validity="DAY",
            quantity=7,
            price=order.price,
            request=1,
            original=0,
        )
    )
    wait_until(lambda: desk.events(order) == ["0", "5"])
    desk.change(CancelOrder(**same, quantity=7, request=2, original=1))
    wait_until(lambda: desk.events(order) == ["0", "5", "4"])
    assert [r.request for r in desk.reports(order) if r.exec_type != "I"] == [0, 1, 2]
    desk.change(CancelOrder(**same, quantity=7, request=3, original=2))
    wait_until(lambda: desk.events(order) == ["0", "5", "4", "9"])
    assert {r.user_id for r in desk.reports(order)} == {order.user_id}


def test_a_command_told_twice_makes_one_order(desk: Desk) -> None:
    before = desk.orders_at_venue()
    order = desk.order()
    desk.place(order)
    desk.tell(order)
    wait_until(lambda: "I" in desk.exec_types(order))
    assert desk.orders_at_venue() == before + 1
    wait_until(desk.settled)


def test_a_gateway_that_lost_its_memory_takes_no_duplicate_for_a_rejection(desk: Desk) -> None:
    before = desk.orders_at_venue()
    order = desk.order()
    desk.place(order)
    wait_until(desk.settled)
    desk.gateway.kill()
    desk.gateway.start()
    desk.tell(order)
    wait_until(lambda: "I" in desk.exec_types(order))
    assert "8" not in desk.exec_types(order)
    assert desk.orders_at_venue() == before + 1


def test_sigterm_logs_out_and_ends_with_code_0(desk: Desk) -> None:
    assert desk.gateway.stop() == 0
    wait_until(lambda: desk.venue.get("/health")["order_sessions"] == [])


def storm(desk: Desk, count: int, middle: Callable[[], None]) -> None:
    """Places orders, half of them before something happens and half after."""
    before = desk.orders_at_venue()
    orders = [desk.order(SYMBOLS[n % len(SYMBOLS)]) for n in range(count)]
    for order in orders[: count // 2]:
        desk.place(order)
    middle()
    for order in orders[count // 2 :]:
        desk.place(order)
    wait_until(desk.settled)
    assert desk.orders_at_venue() == before + count


def test_a_killed_gateway_loses_no_order_and_no_fill(desk: Desk) -> None:
    def kill() -> None:
        desk.gateway.kill()
        desk.gateway.start()

    storm(desk, 200, kill)


def test_a_killed_venue_is_asked_again(desk: Desk) -> None:
    def kill() -> None:
        desk.venue.kill()
        desk.venue.start()

    storm(desk, 200, kill)


def test_while_the_venue_is_away_its_sessions_are_down_and_a_cancel_waits_for_it(
    desk: Desk,
) -> None:
    order = desk.resting()
    desk.place(order)
    wait_until(lambda: desk.events(order) == ["0"])
    assert desk.routes() == [True, True]
    desk.venue.kill()
    wait_until(lambda: desk.routes() == [False, False])
    desk.change(
        CancelOrder(
            order_id=order.order_id, user_id=order.user_id, symbol="INFY", side="BUY",
            quantity=order.quantity, request=1, original=0,
        )
    )  # fmt: skip
    desk.venue.start()
    wait_until(lambda: desk.routes() == [True, True])
    wait_until(lambda: desk.events(order)[-1] == "4")
    desk.gateway.kill()
    wait_until(lambda: desk.routes() == [])  # nobody vouches for them any more


def test_a_venue_that_answers_no_order_is_closed_to_new_ones_until_it_does(desk: Desk) -> None:
    assert desk.venue.process is not None
    order = desk.resting()
    number = session_of_symbol(order.symbol, 2)
    wait_until(lambda: desk.routes() == [True, True])
    desk.venue.process.send_signal(signal.SIGSTOP)
    try:
        desk.place(order)
        wait_until(lambda: desk.routes() == [n != number for n in range(2)])
    finally:
        desk.venue.process.send_signal(signal.SIGCONT)
    wait_until(lambda: desk.routes() == [True, True])
    wait_until(desk.settled)


def test_a_command_told_again_after_its_refusal_leaves_the_session_open(desk: Desk) -> None:
    order = desk.order()
    desk.place(order)
    wait_until(lambda: desk.ledger.statuses()[order.order_id] == "2")
    cancel = CancelOrder(
        order_id=order.order_id, user_id=order.user_id, symbol=order.symbol, side="BUY",
        quantity=order.quantity, request=1, original=0,
    )  # fmt: skip
    desk.change(cancel)
    wait_until(lambda: "9" in desk.events(order))
    wait_until(lambda: desk.routes() == [True, True])
    assert desk.venue.process is not None
    desk.venue.process.send_signal(signal.SIGSTOP)  # so that the repeat is seen to be waited for
    try:
        desk.tell(cancel)
        wait_until(lambda: False in desk.routes())
    finally:
        desk.venue.process.send_signal(signal.SIGCONT)
    wait_until(lambda: desk.routes() == [True, True])
    assert desk.events(order).count("9") == 1


def test_a_gateway_whose_fix_store_is_lost_goes_on_from_the_checkpoint(desk: Desk) -> None:
    def lose() -> None:
        desk.gateway.kill()
        shutil.rmtree(desk.gateway.fix_state)
        desk.gateway.start()

    storm(desk, 60, lose)


@pytest.mark.parametrize("keep_files", [True, False])
def test_killed_streams_lose_no_order_and_no_fill(desk: Desk, keep_files: bool) -> None:
    def kill() -> None:
        desk.streams.stop(signal.SIGKILL)
        if not keep_files:
            shutil.rmtree(desk.streams.folder / "appendonlydir")
        desk.streams.start()

    storm(desk, 200, kill)


def test_reports_that_nobody_applies_are_asked_for_again(desk: Desk) -> None:
    desk.applier.close()
    order = desk.order()
    desk.place(order)
    with redis.Redis.from_url(desk.streams.url) as client:
        wait_until(lambda: any(client.xlen(f"executions.{n}") for n in range(4)))
        # The ledger's worker is gone, and the reports it had not applied go with the streams.
        client.flushall()
    desk.applier = PaperApplier(desk.streams.url, desk.gateway.ledger)
    wait_until(lambda: desk.ledger.statuses()[order.order_id] == "2")
    wait_until(desk.settled)


def far_below(desk: Desk, symbol: str) -> int:
    probe = desk.order(symbol, quantity=1)
    desk.place(probe)
    wait_until(desk.settled)
    fills = [price for order, _, price in desk.ledger.fills().values() if order == probe.order_id]
    price = fills[0]
    return price * 95 // 100 // 1000 * 1000
