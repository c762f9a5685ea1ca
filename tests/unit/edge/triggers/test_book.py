"""The book asks for exactly what has come, once a version, and again only while nothing answers."""

from hypothesis import given
from hypothesis import strategies as st

from edge.triggers.book import ASK_AGAIN_SECONDS, PRICE_AGAIN_MOST, TriggerBook
from functions.shared.stores.waiting_orders import WatchedOrder, ratchet_of
from functions.shared.wire.quotes import PriceTick
from functions.shared.wire.trigger_commands import (
    ExpireOrder,
    ReleaseOrder,
    TrailOrder,
    TriggerCommand,
)

SYMBOLS = ("INFY", "TCS")
LATER = 10**9


def order(
    number: int, symbol: str = "INFY", rising: bool = True, trigger: int | None = 10,
    version: int = 1, releases_at: int | None = None, expires_at: int = LATER, changed_at: int = 0,
) -> WatchedOrder:  # fmt: skip
    return WatchedOrder(
        number, 7 + number, version, symbol, rising, trigger, releases_at, expires_at, changed_at
    )


def tick(seq: int, ltp: int, high: int = 0, low: int = 0, symbol: str = "INFY") -> PriceTick:
    return PriceTick(symbol, seq, 1_000 + seq, ltp, high, low)


def asked(commands: list[TriggerCommand]) -> list[tuple[int, int]]:
    return [(c.order_id, c.version) for c in commands]


class Naive:
    """Looks through every order at every price."""

    def __init__(self) -> None:
        self.orders: dict[int, WatchedOrder] = {}
        self.gone: set[tuple[int, int]] = set()

    def reached(self, symbol: str, price: int) -> set[tuple[int, int]]:
        due = {
            (o.order_id, o.version)
            for o in self.orders.values()
            if o.symbol == symbol and o.trigger is not None
            and (price >= o.trigger if o.rising else price <= o.trigger)
        } - self.gone  # fmt: skip
        self.gone |= due
        return due


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("watch"), st.integers(1, 12), st.integers(1, 30)),
            st.tuples(st.just("forget"), st.integers(1, 12), st.just(0)),
            st.tuples(st.just("trade"), st.integers(0, 1), st.integers(1, 30)),
        ),
        max_size=80,
    )
)
def test_it_asks_for_what_a_search_through_all_orders_finds(
    steps: list[tuple[str, int, int]],
) -> None:
    book, naive, seq = TriggerBook(), Naive(), 0
    last: dict[str, int] = {}
    versions: dict[int, int] = {}
    for what, number, price in steps:
        if what == "watch":
            versions[number] = versions.get(number, 0) + 1
            rising = number % 3 == 0
            new = order(number, SYMBOLS[number % 2], rising, price, versions[number])
            naive.orders[number] = new
            book.watch(new)
            book.watch(new)  # an event may come twice
            if (at := last.get(new.symbol)) is not None:
                found = asked(book.reached([new.symbol], 0.0, 0))
                assert set(found) == naive.reached(new.symbol, at)
        elif what == "forget" and number in naive.orders:
            gone = naive.orders.pop(number)
            book.forget(number, gone.version)
        elif what == "trade":
            seq += 1
            symbol = SYMBOLS[number]
            last[symbol] = price
            found = asked(book.trade(tick(seq, price, symbol=symbol), 0.0, 0))
            assert len(found) == len(set(found))
            assert set(found) == naive.reached(symbol, price)
        assert len(book) == len(naive.orders)


def test_the_nearest_trigger_is_asked_first_and_of_equal_ones_the_older_order() -> None:
    book = TriggerBook()
    book.load([order(3, trigger=11), order(2, trigger=10), order(1, trigger=11),
               order(4, rising=False, trigger=3)])  # fmt: skip
    commands = book.trade(tick(1, 12), 0.0, 55)
    assert asked(commands) == [(2, 1), (1, 1), (3, 1)]
    first = commands[0]
    assert isinstance(first, ReleaseOrder)
    assert first.tick is not None
    assert (first.user_id, first.seen_at, first.tick.price, first.tick.seq) == (9, 55, 12, 1)


def test_a_new_high_or_low_tells_of_trades_between_two_quotes() -> None:
    book = TriggerBook()
    book.load([order(1, trigger=20), order(2, rising=False, trigger=5)])
    assert book.trade(tick(1, 10, high=18, low=6), 0.0, 0) == []
    assert asked(book.trade(tick(2, 11, high=20, low=6), 0.0, 0)) == [(1, 1)]
    assert asked(book.trade(tick(3, 11, high=20, low=4), 0.0, 0)) == [(2, 1)]
    book.watch(order(3, trigger=15))
    assert book.trade(tick(4, 12, high=20, low=4), 0.0, 0) == []  # the high was before it


def test_a_high_made_while_nobody_watched_fires_those_who_waited_then_and_nobody_else() -> None:
    before, after = TriggerBook(), TriggerBook()
    before.load([order(1, trigger=20), order(2, rising=False, trigger=5)])
    before.trade(tick(1, 10, high=18, low=8), 0.0, 0)
    seen = before.seen(business=100)
    later = order(3, trigger=19, changed_at=101)  # placed after what was seen, maybe after the high
    after.load([order(1, trigger=20, changed_at=99), later, order(4, trigger=9, changed_at=101)])
    after.recall(seen)
    assert asked(after.trade(tick(7, 10, high=21, low=8), 0.0, 0)) == [(4, 1), (1, 1)]
    assert asked(after.trade(tick(8, 19, high=21, low=8), 0.0, 0)) == [(3, 1)]


def test_what_is_not_answered_yet_is_not_said_to_be_seen() -> None:
    book = TriggerBook()
    book.load([order(1)])
    book.trade(tick(1, 10, high=12, low=9), 0.0, 0)
    assert book.seen(business=1).ranges == {}
    book.trade(tick(1, 30, high=30, low=30, symbol="TCS"), 0.0, 0)
    book.watch(order(2, "TCS", trigger=40))
    assert book.seen(business=2).ranges == {"TCS": (30, 30, 2)}  # of the others it is
    book.watch(order(3, trigger=15))
    book.forget(1, 2)
    assert book.seen(business=3).ranges == {"INFY": (12, 9, 3), "TCS": (30, 30, 3)}
    book.trade(tick(2, 15, high=15, low=9), 0.0, 0)
    assert book.seen(business=4).ranges["INFY"] == (12, 9, 3)  # as before the price that waits


def test_an_old_quote_and_one_without_a_trade_reach_nothing() -> None:
    book = TriggerBook()
    book.load([order(1)])
    book.trade(tick(5, 9), 0.0, 0)
    assert book.trade(tick(5, 12), 0.0, 0) == []
    assert book.trade(tick(6, 0), 0.0, 0) == []
    assert asked(book.trade(tick(7, 10), 0.0, 0)) == [(1, 1)]


def test_what_is_not_answered_is_asked_again_until_it_is() -> None:
    book = TriggerBook()
    book.load([order(1), order(2)])
    book.trade(tick(1, 10), 100.0, 0)
    assert book.unanswered == 2
    assert book.ask_again(100.0 + ASK_AGAIN_SECONDS - 1) == []
    book.forget(1, 2)
    assert asked(book.ask_again(100.0 + ASK_AGAIN_SECONDS)) == [(2, 1)]
    assert book.ask_again(100.0 + ASK_AGAIN_SECONDS) == []
    book.forget(2, 2)
    assert (book.unanswered, len(book), book.symbols) == (0, 0, [])


def test_an_order_whose_price_nobody_acts_on_waits_for_the_next_one() -> None:
    book, late = TriggerBook(), ASK_AGAIN_SECONDS
    book.load([order(1), order(2, trigger=None, releases_at=5)])
    book.due(5, 0.0, 0)
    book.trade(tick(1, 10), 0.0, 0)
    first = [c for c in book.ask_again(late) if c.order_id == 1]
    assert [(c.again, c.tick.seq) for c in first] == [(True, 1)]
    assert book.trade(tick(2, 9), late, 0) == []
    [anew] = book.trade(tick(3, 11), late, 0)
    assert (anew.again, anew.tick.seq) == (False, 3)
    asked_of = [
        {c.order_id for c in book.ask_again(late * (times + 2))}
        for times in range(PRICE_AGAIN_MOST + 2)
    ]
    assert asked_of == [{1, 2}] * PRICE_AGAIN_MOST + [{2}] * 2  # the time has come for good
    assert book.unanswered == 1
    assert asked(book.trade(tick(4, 10), 0.0, 0)) == [(1, 1)]
    book.forget(1, 2)
    assert (book.unanswered, book.symbols) == (1, [])


def test_a_changed_order_waits_anew_and_an_older_version_changes_nothing() -> None:
    book = TriggerBook()
    book.load([order(1, trigger=10)])
    book.trade(tick(1, 10), 0.0, 0)
    book.watch(order(1, trigger=15, version=3))
    book.watch(order(1, trigger=12, version=2))
    book.forget(1, 2)
    assert book.unanswered == 0
    assert book.trade(tick(2, 14), 0.0, 0) == []
    assert asked(book.trade(tick(3, 15), 0.0, 0)) == [(1, 3)]


def test_a_price_that_reached_an_older_version_is_asked_about_while_it_reaches_the_newer() -> None:
    book = TriggerBook()
    book.load([order(1, trigger=10), order(2, trigger=10)])
    assert asked(book.trade(tick(1, 10), 0.0, 0)) == [(1, 1), (2, 1)]
    assert book.trade(tick(2, 5), 0.0, 0) == []
    book.watch(order(1, trigger=9, version=2))
    book.watch(order(2, trigger=11, version=2))
    assert book.reached(["INFY"], 1.0, 0) == []
    for time in range(1, PRICE_AGAIN_MOST):
        assert asked(book.ask_again(time * ASK_AGAIN_SECONDS)) == [(1, 1)]
    assert book.ask_again(PRICE_AGAIN_MOST * ASK_AGAIN_SECONDS) == []
    assert asked(book.trade(tick(3, 11), 99.0, 0)) == [(1, 2), (2, 2)]


def test_times_release_and_expire_by_the_business_clock() -> None:
    book = TriggerBook()
    book.load([order(1, trigger=None, releases_at=50, expires_at=80), order(2, expires_at=60)])
    book.watch(order(3, trigger=None, expires_at=55))
    assert book.due(49, 0.0, 0) == []
    assert [type(c) for c in book.due(50, 0.0, 0)] == [ReleaseOrder]
    commands = book.due(79, 0.0, 0)
    assert [(type(c), c.order_id) for c in commands] == [(ExpireOrder, 3), (ExpireOrder, 2)]
    assert [(type(c), c.order_id) for c in book.due(80, 0.0, 0)] == [(ExpireOrder, 1)]
    assert book.due(10**8, 0.0, 0) == []


def test_an_order_that_came_due_while_nobody_watched_expires_instead_of_going() -> None:
    book = TriggerBook()
    book.load([order(1, trigger=None, releases_at=50, expires_at=80)])
    assert [type(c) for c in book.due(90, 0.0, 0)] == [ExpireOrder]


def test_loading_begins_anew_and_keeps_the_prices() -> None:
    book = TriggerBook()
    book.load([order(1), order(2)])
    book.trade(tick(1, 10), 0.0, 0)
    book.load([order(2, version=4)])
    assert (len(book), book.unanswered) == (1, 0)
    assert asked(book.reached(book.symbols, 0.0, 0)) == [(2, 4)]


def trailing(version: int, trigger: int, rising: bool = False) -> WatchedOrder:
    """A stop 10 behind the price, which follows in steps of 2."""
    watched = order(1, rising=rising, trigger=trigger, version=version)
    return watched._replace(ratchet=ratchet_of(trigger, 10, 2, rising=rising))


@given(prices=st.lists(st.integers(60, 140), min_size=1, max_size=60), rising=st.booleans())
def test_a_trailing_stop_follows_the_best_price_and_fires_once(
    prices: list[int], rising: bool
) -> None:
    """The ledger answers each command at once; beside it a stop that follows every trade."""
    way = -1 if rising else 1
    book = TriggerBook()
    version, trigger, best = 1, 100 - way * 10, 100
    book.watch(trailing(version, trigger, rising))
    for seq, price in enumerate(prices, 1):
        commands = book.trade(tick(seq, price), now=0, at=0)
        best = max(best * way, price * way) * way
        fired = [c for c in commands if isinstance(c, ReleaseOrder)]
        if fired:
            assert (price - trigger) * way <= 0
            return
        for command in commands:
            assert isinstance(command, TrailOrder)
            assert (command.version, command.tick.price) == (version, price)
            version, trigger = version + 1, price - way * 10
            book.watch(trailing(version, trigger, rising))
        assert 0 <= (best - way * 10 - trigger) * way < 2
        assert (price - trigger) * way > 0
