"""Rules that the database and the functions both know: they must be the same rules."""

import itertools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.shared.domain.charges import HEADS, RATE_UNIT, charge_rates, charges_on
from functions.shared.domain.ids import slot_of_order
from functions.shared.domain.money import format_amount
from functions.shared.domain.orders import TRANSITIONS, WORKING, Product, Side, Status
from functions.shared.domain.short_delivery import SHORTAGE_RATES
from functions.shared.wire.commands import CancelOrder, NewOrder, ReplaceOrder, decode_command
from infra.local.postgres import OWNER, connect
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import TODAY, price
from tests.support.postgres import ShardsUnderTest


def test_the_database_has_the_transition_table_of_the_domain(
    ledger_databases: ShardsUnderTest,
) -> None:
    connection = connect(ledger_databases.urls(OWNER)[0])
    rows = connection.run("SELECT status, happening, next FROM ledger.order_transition")
    connection.close()
    assert {(s, h): n for s, h, n in rows} == {
        (s.value, h.value): n.value for (s, h), n in TRANSITIONS.items()
    }


def test_the_database_calls_the_same_orders_working(ledger_databases: ShardsUnderTest) -> None:
    connection = connect(ledger_databases.urls(OWNER)[0])
    for status in Status:
        [[working]] = connection.run("SELECT ledger.is_working(:s)", s=status.value)
        assert working is (status in WORKING)
    connection.close()


def test_the_database_books_each_charge_under_its_heads_account(
    ledger_databases: ShardsUnderTest,
) -> None:
    connection = connect(ledger_databases.urls(OWNER)[0])
    rows = connection.run("SELECT account FROM ledger.charge_head ORDER BY head")
    connection.close()
    assert [row[0] for row in rows] == [f"charge:{head}" for head in HEADS]


def test_the_database_charges_what_the_domain_charges(ledger_databases: ShardsUnderTest) -> None:
    connection = connect(ledger_databases.urls(OWNER)[0])
    statement = connection.prepare(
        "SELECT ledger.charges_on(CAST(:v AS bigint), CAST(:r AS bigint[]))"
    )
    ours = [
        charge_rates(product, exchange, side, TODAY).rates
        for product, exchange, side in itertools.product(Product, ("NSE", "BSE"), Side)
    ]
    any_rates = st.tuples(*[st.integers(0, 300_000_000)] * 7, st.sampled_from([0, 1, 20_00]))

    @settings(max_examples=200, deadline=None)
    @given(value=st.integers(0, 10**15), rates=st.sampled_from(ours) | any_rates)
    def same(value: int, rates: tuple[int, ...]) -> None:
        [[booked]] = statement.run(v=value, r=list(rates))
        assert tuple(booked) == charges_on(value, rates)  # type: ignore[arg-type]

    same()
    connection.close()


def test_the_margin_of_a_shortage_is_what_its_close_out_may_cost_more(
    ledger_databases: ShardsUnderTest,
) -> None:
    connection = connect(ledger_databases.urls(OWNER)[0])
    rows = connection.run("SELECT valid_from, margin_rate FROM ledger.shortage_rule ORDER BY 1")
    connection.close()
    assert rows == [
        [rates.valid_from, RATE_UNIT * rates.mark_up_percent // 100] for rates in SHORTAGE_RATES
    ]


def test_the_database_writes_amounts_as_the_domain_does(ledger_databases: ShardsUnderTest) -> None:
    connection = connect(ledger_databases.urls(OWNER)[0])
    statement = connection.prepare("SELECT ledger.rupees(CAST(:paise AS bigint))")

    @settings(max_examples=200, deadline=None)
    @given(st.integers(-(2**63), 2**63 - 1))
    def same(paise: int) -> None:
        assert statement.run(paise=paise) == [[format_amount(paise)]]

    same()
    connection.close()


def test_the_commands_of_the_database_are_what_the_gateway_reads(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = new_trader()
    order = trader.buy(10, 101)
    trader.modify(order, 20, 102)
    trader.told(order, "5", request=1)
    trader.cancel(order)
    found = []
    for url in ledger_databases.urls(OWNER):
        connection = connect(url)
        found += connection.run(
            "SELECT command, symbol FROM ledger.outbox WHERE user_id = :u"
            " AND command IS NOT NULL ORDER BY id",
            u=trader.user_id,
        )
        connection.close()
    new, replace, cancel = (decode_command(command) for command, _ in found)
    assert {symbol for _, symbol in found} == {"ACME"}
    common = {"order_id": order, "user_id": trader.user_id, "symbol": "ACME", "side": "BUY"}
    terms = {"type": "LIMIT", "validity": "DAY"}
    assert new == NewOrder(**common, **terms, quantity=10, price=price(101), trade_date=TODAY)
    assert replace == ReplaceOrder(
        **common, **terms, quantity=20, price=price(102), request=1, original=0
    )
    assert cancel == CancelOrder(**common, quantity=20, request=2, original=1)
    assert msgspec.json.decode(found[0][0])["v"] == 1


def test_an_order_number_names_its_users_slot(new_trader: NewTrader) -> None:
    trader = new_trader()
    assert slot_of_order(trader.buy(1)) == trader.user_id & 63
