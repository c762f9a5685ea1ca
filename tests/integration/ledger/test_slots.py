"""A slot's home answers, other shards refuse, and a slot that moves takes everything along."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pg8000.exceptions import DatabaseError

from functions.shared.bookkeeping import accounts, placing, reading
from functions.shared.domain.errors import NotFound
from functions.shared.domain.orders import Side
from functions.shared.stores.postgres import Shards, SlotAway
from infra.command import rebuild_ledger, verify_ledger
from infra.command.report import Report
from infra.command.slot_move import Move, MoveRefused, Step
from infra.command.slot_tables import common_tables, slot_tables
from infra.local.postgres import APPLICATION, OWNER, connect, shard_names
from infra.local.slots import deal_slots
from tests.support.busy_books import (
    BORROWER,
    DAY_TRADER,
    INVESTOR,
    PAYER,
    SHORT_SELLER,
    WAITER,
    anchor_everything,
    busy_books,
)
from tests.support.ledger import LAKH, NOON, TODAY, Trader
from tests.support.postgres import PostgresUnderTest, ShardsUnderTest, fresh_databases

USER = 7
"""Lives in slot 7, on shard 0 when the slots are dealt."""


# User 7, and NULL for everything else: the fence comes before any other question.
_CALLS = """
SELECT p.proname, (SELECT string_agg(CASE WHEN n.name = 'p_user' THEN '7'
    ELSE 'NULL::' || format_type(n.type, NULL) END, ', ' ORDER BY n.place)
  FROM unnest(trim_array(p.proargnames, cardinality(p.proargnames) - p.pronargs),
    p.proargtypes::oid[]) WITH ORDINALITY AS n (name, type, place))
FROM pg_proc p WHERE p.pronamespace = 'ledger'::regnamespace AND p.provolatile = 'v'
  AND p.prosecdef AND 'p_user' = ANY (p.proargnames)
  AND has_function_privilege(CAST(:role AS text), p.oid, 'EXECUTE') ORDER BY 1
"""


@pytest.fixture
def books(postgres: PostgresUnderTest) -> Iterator[ShardsUnderTest]:
    with fresh_databases(postgres) as made:
        deal_slots(made.urls(OWNER))
        yield made


@pytest.fixture
def shards(books: ShardsUnderTest) -> Iterator[Shards]:
    opened = Shards(books.urls(APPLICATION), "test")
    yield opened
    opened.close()


@contextlib.contextmanager
def an_added_shard(books: ShardsUnderTest) -> Iterator[ShardsUnderTest]:
    """One more, without any slot."""
    name = f"{books.names[0]}_added"
    template = shard_names()[-1]
    books.postgres.admin.run(f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template}")
    more = ShardsUnderTest(books.postgres, (*books.names, name))
    connection = more.superuser(len(books.names))
    connection.run("DELETE FROM ledger.slot")
    connection.close()
    deal_slots(more.urls(OWNER))
    try:
        yield more
    finally:
        books.postgres.admin.run(f"DROP DATABASE {name} WITH (FORCE)")


def a_traders_day(shards: Shards, user_id: int) -> Trader:
    """Fills, a sale, a cancel, a change in flight, open orders: rows in every table of a day."""
    trader = Trader(shards, user_id, LAKH)
    trader.own(10)
    trader.fill(trader.sell(4, 101), 4, 101)
    order = trader.buy(5)
    trader.fill(order, 2)
    trader.cancel(order)
    trader.modify(trader.buy(2), 4, 99)
    trader.sell(1)
    return trader


def drain(books: ShardsUnderTest) -> None:
    """What the relay does, without it."""
    for url in books.urls(OWNER):
        connection = connect(url)
        connection.run("DELETE FROM ledger.outbox")
        connection.close()


def move(books: ShardsUnderTest, slot: int, target: int, upto: str = "cleared") -> list[Step]:
    """Moves until that step is done, as a run that is killed behind it."""
    drain(books)
    moving = Move(books.urls(OWNER), slot, target)
    done = []
    try:
        for step in moving.steps():
            done.append(step)
            if step.name == upto:
                break
    finally:
        moving.close()
    return done


def wrong(books: ShardsUnderTest) -> list[str]:
    return verify_ledger.run(books.urls(OWNER)).problems


def test_a_moved_account_is_the_same_account(books: ShardsUnderTest, shards: Shards) -> None:
    trader = a_traders_day(shards, USER)
    before = (trader.funds(), trader.holding(), trader.kinds())
    steps = [step.name for step in move(books, USER, 1)]
    assert steps == ["fenced", "arrived", "left", "opened", "told", "cleared"]
    assert shards.number_of_user(USER) == 0  # what this process still believes
    assert (trader.funds(), trader.holding(), trader.kinds()) == before
    assert shards.number_of_user(USER) == 1
    trader.own(3)
    assert not wrong(books)


def test_an_order_placed_before_the_move_is_replayed_after_it(
    books: ShardsUnderTest, shards: Shards
) -> None:
    trader = Trader(shards, USER, LAKH)
    first = trader.place(Side.BUY, 1, key="once")
    move(books, USER, 1)
    again = trader.place(Side.BUY, 1, key="once")
    assert (again.outcome, again.order) == ("REPLAY", first.order)


def test_a_fill_told_before_the_move_is_a_duplicate_after_it(
    books: ShardsUnderTest, shards: Shards
) -> None:
    trader = Trader(shards, USER, LAKH)
    report = trader.report(trader.buy(1), "F", last_quantity=1, last_price=1_000_000)
    assert trader.apply(report).outcome == "APPLIED"
    move(books, USER, 1)
    assert trader.apply(report).outcome == "DUPLICATE"


def test_a_move_killed_at_any_step_is_finished_by_the_next_run(
    books: ShardsUnderTest, shards: Shards
) -> None:
    steps = ("fenced", "arrived", "left", "opened", "told")
    traders = [a_traders_day(shards, USER + n) for n in range(len(steps))]
    before = [(trader.funds(), trader.kinds()) for trader in traders]
    for trader, step in zip(traders, steps, strict=True):
        move(books, trader.user_id, 1, upto=step)
        if step != "told":  # no shard may answer for the slot, or nobody knows yet which one does
            with pytest.raises(SlotAway):
                trader.buy(1)
            with pytest.raises(SlotAway):
                trader.funds()
    for trader in traders:
        assert move(books, trader.user_id, 1)[-1].name == "cleared"
    assert [(trader.funds(), trader.kinds()) for trader in traders] == before
    for trader in traders:
        trader.own(1)
    assert not wrong(books)


def test_a_slot_on_its_way_is_sent_nowhere_else(books: ShardsUnderTest) -> None:
    with an_added_shard(books) as three:
        shards = Shards(three.urls(APPLICATION), "test")
        traders = [Trader(shards, USER + n, LAKH) for n in range(4)]
        for trader, step in zip(traders, ("fenced", "arrived", "left", "opened"), strict=True):
            slot = trader.user_id
            move(three, slot, 1, upto=step)
            if step != "fenced":  # fenced alone binds it to no target
                with pytest.raises(MoveRefused, match="on its way to shard 1"):
                    move(three, slot, 2)
                move(three, slot, 1)
            move(three, slot, 2)
            trader.own(1)
            assert shards.number_of_user(slot) == 2
        assert not wrong(three)
        shards.close()


def test_a_slot_comes_home_again(books: ShardsUnderTest, shards: Shards) -> None:
    trader = a_traders_day(shards, USER)
    for target in (1, 0, 1, 0):
        move(books, USER, target)
        trader.own(1)
    assert trader.funds().seq == len(trader.kinds())
    assert not wrong(books)


def test_a_move_leaves_without_what_the_relay_has_not_handed_on_never(
    books: ShardsUnderTest, shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.command.slot_move.DRAIN_SECONDS", 0.1)
    trader = Trader(shards, USER, LAKH)
    moving = Move(books.urls(OWNER), USER, 1)
    with pytest.raises(MoveRefused, match="the slot stays there"):
        list(moving.steps())
    moving.close()
    trader.own(1)  # and takes orders
    assert shards.number_of_user(USER) == 0


def test_two_moves_of_one_slot_exclude_each_other(books: ShardsUnderTest) -> None:
    first, second = (Move(books.urls(OWNER), 7, 1) for _ in range(2))
    assert next(first.steps()).name == "fenced"
    with pytest.raises(MoveRefused, match="by another process"):
        next(second.steps())
    first.close()
    second.close()


def test_a_shard_that_is_not_the_home_says_neither_yes_nor_no(books: ShardsUnderTest) -> None:
    """An old directory must never hear "no such account" or see half of a copy."""
    fresh, old = (Shards(books.urls(APPLICATION), "test") for _ in range(2))
    Trader(fresh, USER, LAKH).own(1)
    old.number_of_user(USER)
    move(books, USER, 1)
    elsewhere = old.database(0)
    with pytest.raises(SlotAway):
        elsewhere.run("SELECT ledger.open_account(:u, now())", u=USER)
    assert reading.funds(old, USER, TODAY).cash > 0
    with pytest.raises(NotFound):
        accounts.deposit(old, USER + 64, "x", 100, TODAY, NOON)
    fresh.close()
    old.close()


def test_an_archive_that_tells_another_history_is_found(
    books: ShardsUnderTest, shards: Shards
) -> None:
    Trader(shards, USER, LAKH)
    move(books, USER, 1)
    old_home = books.superuser(0)
    old_home.run("BEGIN")
    old_home.run("SET LOCAL session_replication_role = replica")  # past every trigger
    old_home.run("UPDATE ledger.ledger_event SET hash = sha256('x') WHERE user_id = 7 AND seq = 2")
    old_home.run("COMMIT")
    old_home.close()
    found = [problem for problem in wrong(books) if "archived logs" in problem]
    assert found == [
        "shard 0, archived logs: user 7 seq 2: is not what the log at home on shard 1 says"
    ]


def test_a_batch_with_a_moved_user_is_placed_all_the_same(
    books: ShardsUnderTest, shards: Shards
) -> None:
    traders = [Trader(shards, user, LAKH) for user in (USER, USER + 1, USER + 40)]
    move(books, USER, 1)
    placed = placing.place_many(shards, [t.placement(Side.BUY, 1) for t in traders])
    assert [answer.outcome for answer in placed] == ["ACCEPTED"] * 3
    assert not wrong(books)


def test_books_where_everything_happened_move_whole(
    postgres: PostgresUnderTest, tmp_path: Path
) -> None:
    """Every table of users, there and back, with anchors on the way."""
    with busy_books(postgres, tmp_path) as busy:
        shards = Shards(busy.shards.urls(APPLICATION), "test")

        def report() -> Report:
            return verify_ledger.run(busy.shards.urls(OWNER), busy.anchors)

        before = report()
        empty = {"parked reports", "early endings", "archived logs"}
        assert {name for name, count in before.checked.items() if count == 0} <= empty
        for target in (1, 0):
            for user in (INVESTOR, DAY_TRADER, SHORT_SELLER, PAYER, BORROWER, WAITER):
                move(busy.shards, user & 63, target)
                Trader(shards, user).deposit(LAKH, f"after the move to {target}")
            anchor_everything(shards, tmp_path)
            assert report().problems == before.problems
            assert report().checked["archived logs"] > 0
            assert rebuild_ledger.run(busy.shards.urls(OWNER)).problems == []
        shards.close()


def test_whatever_the_application_may_call_for_a_user_asks_whether_the_slot_is_here(
    books: ShardsUnderTest,
) -> None:
    """Every function that writes and names its user, those that nobody has thought of yet too."""
    connection = books.superuser(1)
    calls = connection.run(_CALLS, role=APPLICATION)
    codes = {}
    for name, arguments in calls:
        try:
            connection.run(f"SELECT ledger.{name}({arguments})")
            codes[name] = "answered"
        except DatabaseError as error:
            codes[name] = error.args[0]["C"]
    connection.close()
    assert len(codes) > 10
    assert {name: code for name, code in codes.items() if code != "OC421"} == {}


def test_every_table_of_the_ledger_moves_or_is_the_same_everywhere(books: ShardsUnderTest) -> None:
    connection = books.superuser(0)
    tables = {row[0] for row in connection.run(
        "SELECT relname FROM pg_class WHERE relnamespace = 'ledger'::regnamespace"
        " AND relkind IN ('r', 'p')"
    )}  # fmt: skip
    moving = {table.name: table for table in slot_tables(connection)}
    common = set(common_tables(connection))
    connection.close()
    of_the_shard = tables - moving.keys() - common
    assert of_the_shard == {
        "migration", "shard", "slot", "slot_home", "fix_applied", "fix_checkpoint", "anchor",
        "day_total", "outbox",
    }  # fmt: skip
    logs = {name for name, table in moving.items() if table.is_log}
    assert {"ledger_event", "posting", "execution", "lot_sale", "job_entry"} <= logs
