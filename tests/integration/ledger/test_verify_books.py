"""The verifier names damage to what an account is left with: holdings and their lots, positions,
what settles when, shortages and loans. Planted as in test_verify_ledger.py.
"""

import pytest

from tests.support.busy_books import BusyBooks, problems_of_damage

# Users: 7 invests, 9 trades days, 11 sells short, 13 pays, 15 borrows, 17 changes its
# mind, 19 sells what it lacks, 23 waits (support/busy_books.py).
# (what is damaged, SQL, the check that must name it, words of its finding)
DAMAGE = {
    "a lot that grew": (
        "UPDATE ledger.holding_lot SET quantity = quantity + 1 WHERE user_id = 7",
        "lots", "user 7 ACME: holds",
    ),
    "a lot that became cheaper": (
        "UPDATE ledger.holding_lot SET cost = cost - 1 WHERE user_id = 7",
        "lots", "that cost",
    ),
    "two lots that swapped shares": (
        ("UPDATE ledger.holding_lot SET quantity = quantity + CASE lot WHEN (SELECT min(lot) FROM"
        " ledger.holding_lot WHERE user_id = 9) THEN 1 ELSE -1 END WHERE user_id = 9 AND lot IN"
        " (SELECT lot FROM ledger.holding_lot WHERE user_id = 9 ORDER BY lot LIMIT 2)"),
        "lots bought", "user 9 ACME lot",
    ),
    "a lot bought on another day": (
        "UPDATE ledger.holding_lot SET trade_date = trade_date - 1 WHERE user_id = 7",
        "lots bought", "user 7 ACME lot",
    ),
    "a sale that took more of a lot": (
        "UPDATE ledger.lot_sale SET quantity = quantity + 1 WHERE user_id = 7",
        "lot sales", "user 7 seq",
    ),
    "a sale without its row": (
        "DELETE FROM ledger.lot_sale WHERE user_id = 7",
        "lot sales", "the sale's row says 0, 0",
    ),
    "proceeds that are not what was sold": (
        "UPDATE ledger.lot_sale SET proceeds = proceeds + 1 WHERE user_id = 7",
        "sale proceeds", "user 7 seq",
    ),
    "a position that grew": (
        "UPDATE ledger.position SET net = net + 1 WHERE user_id = 9 AND net > 0",
        "positions", "user 9 ACME of",
    ),
    "a position entered at another value": (
        "UPDATE ledger.position SET open_value = open_value + 1 WHERE user_id = 9 AND net > 0",
        "positions", "entered at",
    ),
    "a loss forgotten": (
        "UPDATE ledger.position SET realised = 0 WHERE user_id = 11 AND realised < 0",
        "positions", "realised 0",
    ),
    "a position that forgot a sale": (
        "UPDATE ledger.position SET sell_quantity = 0 WHERE user_id = 9 AND sell_quantity > 0",
        "position trades", "user 9 ACME of",
    ),
    "intraday orders that nobody has": (
        "UPDATE ledger.position SET open_sell = open_sell + 1 WHERE user_id = 9 AND open_sell > 0",
        "intraday orders", "user 9 ACME of",
    ),
    "a margin too low": (
        "UPDATE ledger.position SET margin_rate = margin_rate / 2 WHERE user_id = 9 AND net > 0",
        "holds", "user 9: holds",
    ),
    "shares that nobody pledged": (
        "UPDATE ledger.holding SET pledged = 1 WHERE user_id = 7",
        "pledges", "user 7 ACME: 1 are pledged, its events say 0",
    ),
    "shares pledged and in an open sell": (
        "UPDATE ledger.holding SET pledged = quantity WHERE user_id = 7",
        "pledges", "user 7 ACME",
    ),
    "a settlement forgotten": (
        "DELETE FROM ledger.settlement_due WHERE user_id = 7",
        "settlements", "user 7:",
    ),
    "more blocked than settles": (
        "UPDATE ledger.settlement_due SET blocked = blocked + 1 WHERE user_id = 7",
        "settlements", "blocked",
    ),
    "a settlement on another day than the account expects": (
        "UPDATE ledger.account SET settles_next = settles_next + 1 WHERE user_id = 7",
        "settlements", "next on",
    ),
    "unsettled money of no event": (
        ("UPDATE ledger.account SET unsettled = unsettled + 1 WHERE user_id = 7"),
        "accounts", "user 7: unsettled is",
    ),
    "a day's result of another amount": (
        "UPDATE ledger.intraday_result SET amount = amount + 1 WHERE user_id = 9",
        "intraday results", "user 9: the result of",
    ),
    "a day's result lost": (
        "DELETE FROM ledger.intraday_result WHERE user_id = 19",
        "intraday results", "user 19: the result of",
    ),
    "shares delivered for a short sale from another lot": (
        ("UPDATE ledger.lot_sale SET lot = lot + 1 WHERE user_id = 19 AND seq = (SELECT max(seq)"
        " FROM ledger.lot_sale WHERE user_id = 19)"),
        "lot sales", "user 19 seq",
    ),
    "a delivery for a short sale that was paid less": (
        ("UPDATE ledger.lot_sale SET proceeds = proceeds - 1 WHERE user_id = 19 AND seq ="
        " (SELECT max(seq) FROM ledger.lot_sale WHERE user_id = 19)"),
        "sale proceeds", "user 19 seq",
    ),
    "what a delivery sale lacked, forgotten": (
        ("UPDATE ledger.position SET net = 0, open_value = 0 WHERE user_id = 19 AND net < 0"),
        "positions", "user 19 ACME of",
    ),
    "what a delivery sale lacked, sold for more": (
        "UPDATE ledger.position SET sell_value = sell_value + 1 WHERE user_id = 19 AND net < 0",
        "position trades", "user 19 ACME of",
    ),
    "a delivery sale that lacked shares and kept no margin": (
        "UPDATE ledger.position SET margin_rate = 0 WHERE user_id = 19 AND net < 0",
        "holds", "user 19: holds",
    ),
    "more to settle than there is cash": (
        ("UPDATE ledger.account SET unsettled = cash + 1 WHERE user_id = 19"),
        "settlements", "user 19:",
    ),
    "a shortage of another value": (
        "UPDATE ledger.shortage SET value = value + 1 WHERE user_id = 11 AND closed_seq IS NULL",
        "shortages", "user 11 seq",
    ),
    "a shortage lost": (
        "DELETE FROM ledger.shortage WHERE user_id = 11 AND closed_seq IS NULL",
        "shortages", "user 11 seq",
    ),
    "a shortage of more shares": (
        "UPDATE ledger.shortage SET quantity = quantity + 1 WHERE user_id = 11",
        "shortages", "user 11 seq",
    ),
    "a shortage that could be closed out again": (
        "UPDATE ledger.shortage SET closed_seq = NULL WHERE user_id = 11",
        "shortages", "user 11 seq",
    ),
    "a shortage closed out by nothing": (
        "UPDATE ledger.shortage SET closed_seq = seq WHERE user_id = 11 AND closed_seq IS NULL",
        "shortages", "user 11 seq",
    ),
    "a loan that is not charged": (
        "DELETE FROM ledger.loan WHERE user_id = 15",
        "loans", ", and no row of loan has it charged",
    ),
    "a loan said to be charged through a day longer": (
        "UPDATE ledger.loan SET charged_through = charged_through + 1 WHERE user_id = 15",
        "interest", "user 15: the interest of 2026-07-10 is",
    ),
    "a loan charged a day again": (
        "UPDATE ledger.loan SET charged_through = charged_through - 1 WHERE user_id = 9",
        "interest", "user 9: the interest of 2026-07-14 is 0 on a loan of 0, booked is",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_to_what_an_account_is_left_with_is_found_and_named(
    books: BusyBooks, kind: str
) -> None:
    sql, check, words = DAMAGE[kind]
    problems = problems_of_damage(books, sql)
    found = [p for p in problems if p.startswith(f"shard 0, {check}: ") and words in p]
    assert found, problems
