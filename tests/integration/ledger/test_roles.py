"""Who may write what: the application and the edge write no money table, nobody edits a fact."""

from collections.abc import Sequence

import pg8000.native
import pytest
from pg8000.exceptions import DatabaseError

from functions.shared.stores.postgres import Shards
from infra.local.postgres import APPLICATION, EDGE, OWNER, connect
from tests.support.ledger import LAKH, Trader
from tests.support.postgres import ShardsUnderTest

MONEY_TABLES = (
    "account", "orders", "ledger_event", "posting", "execution", "holding", "holding_lot",
    "lot_sale", "trade_bust", "position", "settlement_due", "job_entry", "proceeds_rule",
    "shortage", "loan", "interest_rate", "dividend", "contract_note", "contract_note_due",
    "deposit", "payment", "payment_transition", "parked_execution", "fix_applied",
    "fix_checkpoint", "charge_head", "order_transition", "anchor", "day_total",
    "slot", "slot_home", "shard", "intraday_result", "shortage_rule", "order_rate",
    "algo_registration", "plan", "plan_slice", "volume_curve",
    "volume_curve_draw", "early_ending", "halt", "intervention", "market_halt", "watchlist",
    "position_limit", "kill_switch", "kill_switch_rule",
    "symbol_restriction",
)  # fmt: skip
#: The functions that a role may call, of all that there are.
CALLS = {
    APPLICATION: {
        "identity.activate_person", "identity.answer_challenge", "identity.apply_for_account",
        "identity.ask_request", "identity.ask_reset", "identity.attempt_kyc",
        "identity.begin_bank_change", "identity.begin_closing", "identity.change_password",
        "identity.change_personal", "identity.claim_bank_change",
        "identity.confirm_mail", "identity.confirm_totp", "identity.due_resets",
        "identity.end_bank_change", "identity.end_closing", "identity.end_reset_ask",
        "identity.forget_sessions",
        "identity.correct_application", "identity.create_login", "identity.decide_request",
        "identity.end_key", "identity.end_kyc", "identity.end_session", "identity.end_sessions",
        "identity.finish_breaker", "identity.finish_intervention", "identity.forget_application",
        "identity.set_breaker",
        "identity.forget_unconfirmed", "identity.freeze_person", "identity.knows_device",
        "identity.learn_logins", "identity.log_in", "identity.make_key",
        "identity.note_reading", "identity.offer_reset", "identity.offer_totp",
        "identity.officer_refused", "identity.open_key_session", "identity.put_recovery_codes",
        "identity.refuse_login", "identity.replace_password_hash", "identity.reset_password",
        "identity.rotate_refresh", "identity.set_halt", "identity.set_limits",
        "identity.tell_refusals", "identity.try_reset",
        "identity.use_recovery_code", "identity.use_step", "ledger.intervene", "ledger.set_halt",
        "ledger.say_halt",
        "ledger.account_on", "ledger.alert_exit", "ledger.announce_dividend",
        "ledger.apply_execution", "ledger.cancel_all", "ledger.cancel_waits",
        "ledger.set_price_alert", "ledger.drop_price_alert", "ledger.fire_price_alert",
        "ledger.price_alerts_to_mail", "ledger.price_alert_mailed", "ledger.price_alert_facts",
        "ledger.change_watchlist", "ledger.drop_watchlist", "ledger.new_watchlist",
        "ledger.cancel_plan", "ledger.end_plan", "ledger.note_slice", "ledger.open_plan",
        "ledger.end_volume_curve_draw", "ledger.keep_volume_curves",
        "ledger.plan_facts", "ledger.plan_slices", "ledger.slice_of",
        "ledger.kill_switch_of", "ledger.orders_counted", "ledger.limit_uses",
        "ledger.turn_on_kill_switch", "ledger.turn_off_kill_switch",
        "ledger.expire_order", "ledger.rates_of", "ledger.register_algo",
        "ledger.release_order", "ledger.resting_exits", "ledger.trail_order",
        "ledger.at_home", "ledger.attempt_payment", "ledger.available_after",
        "ledger.book_contract_note", "ledger.changed_heads", "ledger.charge_depository",
        "ledger.charge_interest", "ledger.charge_square_off", "ledger.close_out",
        "ledger.deliver_position", "ledger.deposit", "ledger.end_payment", "ledger.first_answer",
        "ledger.held_before", "ledger.holding_facts", "ledger.holdings_on", "ledger.micros",
        "ledger.kept_by", "ledger.open_account",
        "ledger.order_facts", "ledger.order_room", "ledger.park_execution",
        "ledger.park_unreadable", "ledger.part_of", "ledger.pay_dividend", "ledger.payment_facts",
        "ledger.place_order", "ledger.place_orders", "ledger.position_facts",
        "ledger.position_hold",
        "ledger.day_positions",
        "ledger.record_anchor", "ledger.request_change", "ledger.request_payment",
        "ledger.set_pledge", "ledger.settle", "ledger.value_shortage",
        "ledger.end_restriction", "ledger.restrict_symbol", "ledger.restrictions_due",
        "market.apply_dated_facts", "market.record_day_prices",
        "surveillance.decide_alert", "surveillance.finish_measure", "surveillance.linked",
        "surveillance.forget_trades",
        "surveillance.take_in", "surveillance.trail_after",
    },
    EDGE: {
        "edge.begin_numbering", "edge.hold_lease", "edge.move_checkpoint", "edge.release_leases",
        "edge.renew_leases", "edge.take_leases", "edge.take_out",
        "ledger.at_home", "ledger.forget_applied",
        "ledger.orders_named", "ledger.portfolios_of", "ledger.say_halt", "ledger.stale_orders",
        "ledger.working_orders", "market.list_share",
        "market.take_listing_changes_out",
    },
}  # fmt: skip
_CALLABLE = """
SELECT DISTINCT n.nspname || '.' || p.proname FROM pg_proc p JOIN pg_namespace n
  ON n.oid = p.pronamespace
WHERE n.nspname IN ('ledger', 'identity', 'market', 'edge', 'surveillance')
  AND has_function_privilege(:role, p.oid, 'EXECUTE')
"""
_UNREAD = """
SELECT relname FROM pg_class WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'r'
  AND NOT has_table_privilege('outcry_app', oid, 'SELECT')
"""
FACTS = (
    "ledger_event", "posting", "execution", "trade_bust", "lot_sale", "job_entry", "contract_note",
    "intervention", "market_halt",
)  # fmt: skip
REFUSED, APPEND_ONLY, FENCED = "42501", "OC409", "OC423"


@pytest.fixture(scope="module")
def a_traders_books(ledger_databases: ShardsUnderTest) -> ShardsUnderTest:
    """Shards with a row in every money table."""
    shards = Shards(ledger_databases.urls(APPLICATION), "test")
    trader = Trader(shards, 63 * 64, LAKH)
    trader.own(10)
    shards.close()
    return ledger_databases


def codes_of(databases: ShardsUnderTest, role: str, statements: Sequence[str]) -> dict[str, str]:
    """The SQLSTATE that each statement is refused with; empty when it is not. Nothing stays."""
    connection = connect(databases.urls(role)[0])
    codes = dict.fromkeys(statements, "")
    try:
        for sql in statements:
            connection.run("BEGIN")
            try:
                connection.run(sql)
            except DatabaseError as error:
                codes[sql] = str(error.args[0]["C"])
            connection.run("ROLLBACK")
    finally:
        connection.close()
    return codes


def first_column(owner: pg8000.native.Connection, table: str) -> str:
    [[name]] = owner.run(
        "SELECT attname FROM pg_attribute WHERE attrelid = CAST(:t AS regclass) AND attnum = 1",
        t=f"ledger.{table}",
    )
    return str(name)


@pytest.mark.parametrize("role", [APPLICATION, EDGE])
def test_no_role_of_ours_writes_a_money_table(a_traders_books: ShardsUnderTest, role: str) -> None:
    owner = connect(a_traders_books.urls(OWNER)[0])
    columns = {table: first_column(owner, table) for table in MONEY_TABLES}
    owner.close()
    writes = [
        sql
        for table, name in columns.items()
        for sql in (
            f"UPDATE ledger.{table} SET {name} = {name}",
            f"DELETE FROM ledger.{table}",
            f"INSERT INTO ledger.{table} DEFAULT VALUES",
            f"TRUNCATE ledger.{table}",
        )
    ]
    assert codes_of(a_traders_books, role, writes) == dict.fromkeys(writes, REFUSED)


@pytest.mark.parametrize("role", CALLS)
def test_a_role_calls_what_is_listed_here_and_nothing_else(
    a_traders_books: ShardsUnderTest, role: str
) -> None:
    owner = connect(a_traders_books.urls(OWNER)[0])
    callable_ = {name for (name,) in owner.run(_CALLABLE, role=role)}
    unread = owner.run(_UNREAD)
    owner.close()
    assert callable_ == CALLS[role]
    assert unread == []


def test_not_even_the_owner_edits_a_fact_or_an_anchor(a_traders_books: ShardsUnderTest) -> None:
    edits = [
        verb.format(table)
        for table in FACTS
        for verb in ("UPDATE ledger.{0} SET seq = seq", "DELETE FROM ledger.{0}",
                     "TRUNCATE ledger.{0}")
    ]  # fmt: skip
    edits += ["UPDATE ledger.anchor SET root = ''", "DELETE FROM ledger.anchor"]
    edits += ["UPDATE identity.audit SET why = ''", "DELETE FROM identity.audit",
              "TRUNCATE identity.audit"]  # fmt: skip
    assert codes_of(a_traders_books, OWNER, edits) == dict.fromkeys(edits, APPEND_ONLY)


def test_the_application_calls_only_what_it_is_granted(a_traders_books: ShardsUnderTest) -> None:
    calls = [
        "SELECT ledger.append_event(NULL::ledger.account, 'X', 0, 0, 0, 0, now(), '', NULL, NULL)",
        "SELECT ledger.lock_account(1, '2026-07-10', now())",
        "SELECT ledger.book_fill(NULL, NULL, '', 0, 0, NULL, NULL, '', NULL, NULL, NULL, '')",
        "SELECT edge.move_checkpoint('x', 1, 1)",
        "SELECT ledger.retry_payment(1, now())",
        "SELECT ledger.forget_applied('x', 1)",
    ]
    assert codes_of(a_traders_books, APPLICATION, calls) == dict.fromkeys(calls, REFUSED)


def test_what_takes_two_officers_the_application_cannot_do_by_itself(
    a_traders_books: ShardsUnderTest,
) -> None:
    calls = [
        "SELECT identity.change_role(1, 'risk_officer', true, NULL, 'system', 'x', NULL)",
        "SELECT identity.put_freeze(1, 'ACTIVE', NULL, 'support', 'x', NULL)",
        "SELECT identity.put_halt('', NULL, 'ACTIVE', NULL, 'risk_officer', 'x', NULL, true)",
        "SELECT identity.put_limits(1, NULL, NULL, 'risk_officer', 'x', NULL, true)",
        "SELECT identity.put_breaker('{}', 1, 'risk_officer', 'x', NULL, NULL)",
        "SELECT identity.move_person(1, '{ACTIVE}', 'CLOSED', NULL, 'system', 'x', NULL)",
        "SELECT identity.erase_person(1, NULL, 'system', 'x', NULL)",
        "SELECT identity.do_request(NULL::identity.request, 1, NULL)",
        "SELECT identity.write_audit(1, 'support', 1, 'REQUEST_APPROVED')",
        "UPDATE identity.request SET state = 'APPROVED'",
        "UPDATE identity.login SET roles = '{support}'",
        "UPDATE identity.person SET state = 'ACTIVE'",
        "UPDATE identity.halt SET state = 'ACTIVE'",
    ]
    assert codes_of(a_traders_books, APPLICATION, calls) == dict.fromkeys(calls, REFUSED)


def test_the_edge_moves_no_money(a_traders_books: ShardsUnderTest) -> None:
    calls = [
        "SELECT ledger.deposit(1, 'x', 1, current_date, now())",
        "SELECT ledger.open_account(1, now())",
        "SELECT ledger.end_payment(1, 1, 'DONE', NULL, current_date, now())",
        ("SELECT ledger.request_change(1, 1, 'x', '', NULL, NULL, NULL, NULL, '[]', NULL, now(),"
         " NULL, 25)"),
        ("SELECT ledger.release_order(1, 1, 1, 1, 1, 1, '{}', '[]', '{}', '{}', current_date,"
         " now())"),
        "SELECT ledger.expire_order(1, 1, current_date, now())",
    ]  # fmt: skip
    assert codes_of(a_traders_books, EDGE, calls) == dict.fromkeys(calls, REFUSED)


def test_the_edge_takes_rows_out_of_the_outbox_under_its_lease(
    a_traders_books: ShardsUnderTest,
) -> None:
    take = "edge.take_leases('{relay}', 'test', '1 minute')"
    codes = {
        "DELETE FROM ledger.outbox": REFUSED,
        "SELECT edge.take_out('{1}', 0)": FENCED,
        f"SELECT edge.take_out('{{1}}', {take})": "",
    }
    assert codes_of(a_traders_books, EDGE, list(codes)) == codes
