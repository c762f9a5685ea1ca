"""Books in which everything happened once: what a verifier must find sound, and every damage in."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from functions.ledger.anchor import anchor_shard
from functions.shared.access.keys import ANCHOR_VERIFYING_KEY, anchor_key, make_keys
from functions.shared.bookkeeping import limiting, payments, settling
from functions.shared.bookkeeping.intervening import Kind, intervene
from functions.shared.bookkeeping.pledging import set_pledge
from functions.shared.bookkeeping.restricting import (
    RestrictionCause,
    end_restriction,
    restrict_symbol,
)
from functions.shared.bookkeeping.settling import OpenPosition
from functions.shared.domain.accounts import AccountClass
from functions.shared.domain.calendar import settlement_date
from functions.shared.domain.orders import Product, Side
from functions.shared.domain.payments import Direction, PaymentHappening
from functions.shared.domain.plans import End, PlanKind, PlanState
from functions.shared.domain.price_alerts import AlertKind
from functions.shared.domain.short_delivery import SHORTAGE_RATES
from functions.shared.stores.objects import FileObjects
from functions.shared.stores.postgres import Shards
from functions.shared.stores.price_alerts import PriceAlerts, Wanted
from functions.shared.stores.secrets import FileSecrets
from infra.command import verify_ledger
from infra.command.anchor_log import load_key, read_anchors
from infra.command.verify_ledger import Anchors
from infra.local.postgres import APPLICATION
from tests.support.contract_notes import write_note_of
from tests.support.eventually import wait_until
from tests.support.ledger import ACME, LAKH, NOON, RUPEE, TODAY, Trader, price
from tests.support.linked_exits import bracket, pair, trail, trailing_stop
from tests.support.plans import end_plan, open_iceberg, open_timed, place_slice, request_end
from tests.support.postgres import PostgresUnderTest, ShardsUnderTest, fresh_databases
from tests.support.waiting import gtt, modify_stop, release, stopped

INVESTOR, DAY_TRADER, SHORT_SELLER, PAYER, BORROWER, CHANGER, OVERSELLER = 7, 9, 11, 13, 15, 17, 19
LOSER, WAITER, PLANNER, BUSTED, RESTRICTED, WATCHING = 21, 23, 25, 27, 29, 31
"""They live on shard 0."""
HOMES_OF_SHARD_0 = dict.fromkeys(range(32), 0)
_QUIET = """
SELECT pg_snapshot_xmin(pg_current_snapshot()) = pg_snapshot_xmax(pg_current_snapshot())
"""


@dataclass(frozen=True)
class BusyBooks:
    """The shards, and the store and key of their anchors."""

    shards: ShardsUnderTest
    anchors: Anchors


@contextlib.contextmanager
def busy_books(postgres: PostgresUnderTest, folder: Path) -> Iterator[BusyBooks]:
    """Made anew, anchored twice on the way and once at the end."""
    with fresh_databases(postgres) as made:
        shards = Shards(made.urls(APPLICATION), "test")
        try:
            for user in (INVESTOR, INVESTOR + 40):
                _invest(Trader(shards, user, LAKH))
            anchor_everything(shards, folder)
            _trade_days(Trader(shards, DAY_TRADER, LAKH))
            _change_minds(Trader(shards, CHANGER, LAKH))
            _sell_short(Trader(shards, SHORT_SELLER, LAKH))
            anchor_everything(shards, folder)
            _pay(Trader(shards, PAYER, LAKH))
            _fill_dearly(Trader(shards, BORROWER, LAKH))
            _wait(Trader(shards, WAITER, LAKH))
            _slice(Trader(shards, PLANNER, LAKH))
            _oversell(Trader(shards, OVERSELLER, LAKH))
            _lose(Trader(shards, LOSER, 3_000 * RUPEE))
            _take_back(Trader(shards, BUSTED, LAKH))
            _restrict(Trader(shards, RESTRICTED, LAKH, AccountClass.RETAIL))
            _watch(Trader(shards, WATCHING, LAKH))
            anchor_everything(shards, folder)
        finally:
            shards.close()
        key = folder / "secrets" / ANCHOR_VERIFYING_KEY
        yield BusyBooks(made, Anchors(folder / "objects", key))


def anchor_everything(shards: Shards, folder: Path) -> None:
    """One anchor of each shard, over all that was written."""
    secrets = FileSecrets(folder / "secrets")
    make_keys(secrets)
    for number, shard in enumerate(shards.databases):
        wait_until(lambda shard=shard: bool(shard.run(_QUIET)[0][0]))  # type: ignore[misc]
        anchor_shard(shard, FileObjects(folder / "objects"), anchor_key(secrets), number, NOON)


def problems_of_damage(books: BusyBooks, sql: str) -> list[str]:
    """What the checks of shard 0 find inside a transaction that is never committed, of damage by
    the superuser, past every trigger."""
    signed = read_anchors(books.anchors.folder, load_key(books.anchors.key))
    connection = books.shards.superuser(0)
    try:
        connection.run("BEGIN")
        connection.run("SET LOCAL session_replication_role = replica")
        connection.run(sql)
        assert connection.row_count != 0, "the damage touched nothing"
        report = verify_ledger.Report()
        verify_ledger.check_shard(connection, 0, report, HOMES_OF_SHARD_0, signed)
        connection.run("ROLLBACK")
    finally:
        connection.close()
    return report.problems


def _invest(trader: Trader) -> None:
    """A deposit, fills, a sale, a cancel, a change in flight and open orders."""
    trader.own(10)
    trader.fill(trader.sell(4, 101), 4, 101)
    order = trader.buy(5)
    trader.fill(order, 2)
    trader.cancel(order)
    trader.told(order, "4", request=1)
    trader.buy(3)
    trader.modify(trader.buy(2), 4, 99)
    trader.sell(1)


def _trade_days(trader: Trader) -> None:
    """Delivery sold the next day, a position closed in part and delivered, notes, a dividend, a
    loan and its interest, and an order and a position that are open."""
    trader.own(20)
    intraday = trader.buy(6, product=Product.MIS)
    trader.fill(intraday, 6)
    trader.fill(trader.sell(2, 102, product=Product.MIS), 2, 102)
    _note(trader)
    today = TODAY
    trader.settle()
    settling.deliver(
        trader.shards, OpenPosition(trader.user_id, ACME.symbol, today, 4), trader.today,
        trader.today, trader.now,
    )  # fmt: skip
    trader.fill(trader.sell(15, 103), 15, 103)
    _note(trader)
    database = trader.database()
    settling.announce_dividend(database, ACME.symbol, trader.today, price(2))
    settling.pay_dividend(
        trader.shards, trader.user_id, ACME.symbol, trader.today, trader.today, trader.now
    )
    _fill_dearly(trader)
    trader.now += timedelta(days=2)
    settling.charge_interest(
        trader.shards, trader.user_id, trader.today - timedelta(days=1), trader.today, trader.now
    )
    trader.deposit(30 * LAKH)
    trader.fill(trader.buy(3, product=Product.MIS), 3)
    trader.buy(2, product=Product.MIS)
    trader.sell(4, product=Product.MIS)


def _restrict(trader: Trader) -> None:
    """The user's own kill switch, an officer's word, another on it, and limits; a stock that may
    only be closed, and one that may be bought again."""
    trader.own(2)
    trader.buy(1)
    limiting.turn_on_kill_switch(trader.shards, trader.user_id, trader.today, trader.now)
    trader.sell(1, 101)
    said: tuple[tuple[int, Kind, str], ...] = (
        (1, "STATE", '{"state":"REDUCING"}'), (2, "LIMITS", "[100000,3,null,2,5]"),
        (4, "STATE", '{"state":"HALTED"}'), (3, "STATE", '{"state":"ACTIVE"}'),
    )  # fmt: skip
    for entry, kind, value in said:
        intervene(trader.shards, trader.user_id, entry, kind, value, trader.now)
    cause = RestrictionCause(order_id=1, side="BUY", price=price(100), round_trips=11)
    for alert in (1, 2):
        restrict_symbol(
            trader.shards, trader.user_id, alert, ACME.symbol, cause,
            trader.now + timedelta(days=1), trader.now,
        )  # fmt: skip
    end_restriction(trader.shards, trader.user_id, 2, trader.now)


def _watch(trader: Trader) -> None:
    """A price alert that waits, one that was told, and one that was dropped."""
    alerts = PriceAlerts(trader.shards)
    for paise in (1, 2, 3):
        kind = AlertKind.PRICE_ABOVE if paise == 2 else AlertKind.PRICE_BELOW
        wanted = Wanted(ACME.symbol, kind, paise, repeats=False, note="sell")
        _, told = alerts.set(trader.user_id, wanted, 9, trader.today, trader.now)
        assert told is not None
        if paise == 2:
            alerts.fire(trader.user_id, told.alert_id, 1, 5, 5, trader.today, trader.now)
        if paise == 3:
            alerts.drop(trader.user_id, told.alert_id, trader.today, trader.now)


def _change_minds(trader: Trader) -> None:
    """Orders in every state that the others have not, changes that were taken, refused and denied,
    a cancel asked for twice, and shares that are pledged."""
    trader.place(Side.BUY, 5_000)
    for exec_type in ("8", "C"):
        trader.told(trader.buy(1), exec_type)
    order = trader.buy(4)
    trader.told(order, "0")
    trader.fill(order, 1)
    trader.modify(order, 6, 101)
    trader.told(order, "5", request=1)
    trader.modify(order, 7, 102)
    trader.told(order, "9", request=2)
    trader.modify(order, 5_000, 101)
    order = trader.buy(2)
    for _ in range(2):
        trader.cancel(order)
    trader.told(trader.sell(2, product=Product.MIS), "0")
    trader.own(3)
    trader.settle()
    set_pledge(trader.shards, trader.user_id, ACME.symbol, 2, trader.today, trader.now)


def _take_back(trader: Trader) -> None:
    """A purchase, a sale and an intraday trade that the venue takes back, and one it corrects."""
    trader.own(5, 90)
    for order, trade, status in (
        (trader.buy(10), "BUST-1", "1"), (trader.sell(4), "BUST-2", "4"),
        (trader.buy(3, product=Product.MIS), "BUST-3", "0"),
    ):  # fmt: skip
        trader.fill(order, 2, 99)
        trader.fill(order, 1, 101, exec_id=trade)
        trader.told(order, "H", exec_ref=trade, ord_status=status, exec_id=f"{trade}-H")
    order = trader.buy(2)
    trader.fill(order, 2, exec_id="BUST-4")
    corrected = {"last_quantity": 2, "last_price": price(98), "exec_id": "BUST-4-G"}
    trader.told(order, "G", exec_ref="BUST-4", ord_status="2", **corrected)


def _fill_dearly(trader: Trader) -> None:
    """At a price far above the order's: what the account lacks is lent."""
    trader.fill(trader.buy(500), 500, 4_000)


def _sell_short(trader: Trader) -> None:
    """A short position that is valued, closed out and paid for; another that is only valued."""
    for quantity in (5, 3):
        trader.fill(trader.sell(quantity, product=Product.MIS), quantity)
        short = OpenPosition(trader.user_id, ACME.symbol, trader.today, -quantity)
        trader.settle()
        settling.value_shortage(trader.shards, short, price(110), trader.today, trader.now)
        if quantity == 5:
            trader.settle()
            settling.close_out(
                trader.shards, short, price(120), SHORTAGE_RATES[-1], trader.today, trader.now
            )


def _oversell(trader: Trader) -> None:
    """Sales told behind their cancels: one of shares sold meanwhile, which is a short delivery in
    part, and one of shares that the day's end had delivered. A day's profit that is to settle."""
    trader.own(10)
    late = trader.sell(8)
    trader.told(late, "4")
    trader.fill(trader.sell(6), 6)
    trader.fill(late, 8, 103)
    trader.settle()
    day = trader.today
    trader.fill(trader.buy(5, product=Product.MIS), 5)
    late = trader.sell(3, product=Product.MIS)
    trader.told(late, "4")
    position = OpenPosition(trader.user_id, ACME.symbol, day, 5)
    where = (trader.shards, position, settlement_date(day, "nse"))
    settling.deliver(*where, trader.today, trader.now)
    trader.fill(late, 3, 102)
    settling.deliver(*where, trader.today, trader.now)
    trader.fill(trader.buy(4, product=Product.MIS), 4)
    trader.fill(trader.sell(4, 105, product=Product.MIS), 4, 105)


def _lose(trader: Trader) -> None:
    """A day's profit, and then a loss of more than all of the cash."""
    for quantity, rupees in ((50, 110), (100, 60)):
        trader.fill(trader.buy(quantity, product=Product.MIS), quantity)
        trader.fill(trader.sell(quantity, product=Product.MIS), quantity, rupees)


def _pay(trader: Trader) -> None:
    """Money in that came and that didn't, money out in every state."""
    happenings = {
        "in": PaymentHappening.DONE, "refused": PaymentHappening.REFUSED, "waits": None,
    }  # fmt: skip
    for direction in Direction:
        for name, happening in happenings.items():
            payment = payments.request_payment(
                trader.shards, trader.user_id, direction, name, 100 * RUPEE, trader.today,
                trader.now,
            ).payment  # fmt: skip
            payments.attempt_payment(
                trader.shards, trader.user_id, payment.payment_id, trader.today, trader.now
            )
            if happening is not None:
                reason = "ACCOUNT_REFUSED" if happening is PaymentHappening.REFUSED else None
                payments.end_payment(
                    trader.shards, trader.user_id, payment.payment_id, happening, reason,
                    trader.today, trader.now,
                )  # fmt: skip
    payments.request_payment(
        trader.shards, trader.user_id, Direction.OUT, "too much", 10 * LAKH, trader.today,
        trader.now,
    )  # fmt: skip


def _wait(trader: Trader) -> None:
    """A stop that was released and filled, one that was changed and waits on, one that closes what
    is open; GTTs that wait; exits that wait together, one of which is at the venue, those of an
    entry, and a stop that followed the price."""
    order = stopped(trader, Side.BUY, 10, 105)
    release(trader, order, 106)
    trader.fill(order, 10, 106)
    modify_stop(trader, stopped(trader, Side.SELL, 4, 95), 5, 94)
    trader.fill(trader.buy(4, product=Product.MIS), 4)
    stopped(trader, Side.SELL, 4, 95, product=Product.MIS)
    gtt(trader, Side.BUY, 3, 90, 91)
    gtt(trader, Side.SELL, 300, 110, 109)
    pair(trader, Side.SELL, 2, stop=95, target=105)
    release(trader, pair(trader, Side.SELL, 2, stop=95, target=105)[0], 94)
    trader.fill(bracket(trader, Side.BUY, 5, 100, stop=95, target=105), 3)
    trader.fill(bracket(trader, Side.BUY, 2, 100, 95, 105, Product.MIS), 2)
    trail(trader, trailing_stop(trader, Side.BUY, 1, 5), 99)


def _slice(trader: Trader) -> None:
    """Plans in every state: one whose order works, one missed in part, one over, others ended."""
    open_iceberg(trader)
    timed = open_timed(trader, PlanKind.VWAP, Side.BUY)
    trader.fill(place_slice(trader, timed, 2, 3), 2)
    over = open_timed(trader, PlanKind.TWAP, Side.SELL, Product.MIS)
    trader.told(place_slice(trader, over, 1, 2), "C")
    end_plan(trader, over, End(PlanState.EXPIRED, "WINDOW_OVER", "6 are left"))
    cancelled = open_iceberg(trader, legs=2)
    request_end(trader, cancelled)
    end_plan(trader, cancelled, End(PlanState.CANCELLED))
    request_end(trader, open_timed(trader, PlanKind.TWAP, Side.BUY))


def _note(trader: Trader) -> None:
    assert write_note_of(trader, trader.today, trader.now + timedelta(hours=5))
