"""The verifier finds nothing in sound books, and each kind of damage in broken ones.

Damage is planted as the superuser, past every trigger: what no role of ours can do, but a restored
backup, a bad disk or a person with the keys can.
"""

import pytest

from infra.command import verify_ledger
from infra.local.postgres import OWNER
from tests.support.busy_books import BusyBooks, problems_of_damage


def test_sound_books_have_no_problems_and_everything_was_looked_at(books: BusyBooks) -> None:
    report = verify_ledger.run(books.shards.urls(OWNER), books.anchors)
    assert report.ok, report.text()
    empty = {name for name, count in report.checked.items() if count == 0}
    assert empty == {"parked reports", "early endings", "archived logs"}  # no slot has moved


# A person with every key to the database: what a customer was told of a holding is changed, and the
# chain after it is made anew.
_REWRITTEN = """
DO $$ DECLARE e ledger.ledger_event; v_head bytea; BEGIN
  UPDATE ledger.ledger_event SET body = replace(body, '"bought_today" : 10', '"bought_today" : 9')
    WHERE user_id = 7 AND seq = 4;
  SELECT hash INTO v_head FROM ledger.ledger_event WHERE user_id = 7 AND seq = 3;
  FOR e IN SELECT * FROM ledger.ledger_event WHERE user_id = 7 AND seq >= 4 ORDER BY seq LOOP
    v_head := ledger.event_hash(v_head, e.user_id, e.seq, e.at, e.kind, e.ref, e.cash_change,
      e.held_change, e.cash, e.held, e.borrowed, e.body);
    UPDATE ledger.ledger_event SET hash = v_head WHERE user_id = e.user_id AND seq = e.seq;
  END LOOP;
  UPDATE ledger.account SET head = v_head WHERE user_id = 7;
END $$
"""
# The same person undoes a customer's latest events, and sets the account back to before them.
_REWOUND = """
DO $$ DECLARE e ledger.ledger_event; BEGIN
  SELECT * INTO e FROM ledger.ledger_event WHERE user_id = 13 AND seq = 2;
  DELETE FROM ledger.ledger_event WHERE user_id = 13 AND seq > 2;
  DELETE FROM ledger.posting WHERE user_id = 13 AND seq > 2;
  DELETE FROM ledger.deposit WHERE user_id = 13 AND seq > 2;
  DELETE FROM ledger.payment WHERE user_id = 13;
  UPDATE ledger.account SET seq = e.seq, head = e.hash, at = e.at, cash = e.cash, held = e.held
    WHERE user_id = 13;
END $$
"""
# Users: 7 invests, 9 trades days, 11 sells short, 13 pays, 15 borrows, 17 changes its
# mind, 19 sells what it lacks, 23 waits (support/busy_books.py).
# (what is damaged, SQL, the check that must name it, words of its finding)
DAMAGE = {
    "exits beyond their position": (
        "UPDATE ledger.position SET net = 1 WHERE user_id = 23",
        "exits of positions", "user 23 ACME of 2026-07-10: its position is 1, exits that SELL wait",
    ),
    "an edited body": (
        ("UPDATE ledger.ledger_event SET body = replace(body, 'ACME', 'ACNE')"
        " WHERE user_id = 7 AND seq = 3"),
        "events", "user 7 seq 3: the hash does not fit",
    ),
    "a body cut in half": (
        ("UPDATE ledger.ledger_event SET body = left(body, length(body) / 2)"
        " WHERE user_id = 7 AND kind = 'FILL'"),
        "events", "user 7 seq 4: the hash does not fit",
    ),
    "an edited amount": (
        ("UPDATE ledger.ledger_event SET cash_change = cash_change + 1, cash = cash + 1"
        " WHERE user_id = 7 AND seq = 2"),
        "events", "user 7 seq 2: the hash does not fit",
    ),
    "an edited reference": (
        "UPDATE ledger.ledger_event SET ref = ref + 1 WHERE user_id = 7 AND seq = 4",
        "events", "user 7 seq 4: the hash does not fit",
    ),
    "an event taken out": (
        "DELETE FROM ledger.ledger_event WHERE user_id = 7 AND seq = 4",
        "events", "user 7 seq 5: seq 4 is missing before it",
    ),
    "a cut tail": (
        ("DELETE FROM ledger.ledger_event WHERE user_id = 7"
        " AND seq = (SELECT max(seq) FROM ledger.ledger_event WHERE user_id = 7)"),
        "accounts", "user 7: the account is at seq",
    ),
    "a whole log lost": (
        "DELETE FROM ledger.ledger_event WHERE user_id = 7",
        "accounts", "user 7: has no events",
    ),
    "an account lost": (
        "DELETE FROM ledger.account WHERE user_id = 7",
        "accounts", "user 7: has events but no account",
    ),
    "changed cash in the snapshot": (
        "UPDATE ledger.account SET cash = cash + 100 WHERE user_id = 7",
        "accounts", "user 7: cash is",
    ),
    "a changed hold in the snapshot": (
        "UPDATE ledger.account SET held = held - 1 WHERE user_id = 7",
        "accounts", "user 7: held is",
    ),
    "a changed head": (
        "UPDATE ledger.account SET head = sha256('x') WHERE user_id = 7",
        "accounts", "user 7: the head is not",
    ),
    "a missing posting": (
        "DELETE FROM ledger.posting WHERE user_id = 7 AND line = 4",
        "postings", "user 7 seq 4: INR postings sum to",
    ),
    "a whole set of postings lost": (
        "DELETE FROM ledger.posting WHERE user_id = 7 AND seq = 2",
        "cash postings", "user 7 seq 2: the event moves",
    ),
    "postings of no event": (
        ("INSERT INTO ledger.posting VALUES (7, 999, 1, 'client:holding', 'ACME', 5),"
        " (7, 999, 2, 'house:clearing', 'ACME', -5)"),
        "cash postings", "user 7 seq 999",
    ),
    "a doubled fill": (
        ("INSERT INTO ledger.execution SELECT venue, trade_date, exec_id || 'X', user_id, order_id,"
        " exec_type, quantity, price, value, charges, settles_on, seq, at FROM ledger.execution"
        " WHERE user_id = 7 AND exec_type = 'F'"),
        "order totals", "its executions",
    ),
    "a fill without its execution": (
        "DELETE FROM ledger.execution WHERE user_id = 7 AND exec_type = 'F'",
        "fills", "has 0 matching executions",
    ),
    "an execution without its fill": (
        "UPDATE ledger.execution SET seq = seq + 1 WHERE user_id = 7 AND exec_type = 'F'",
        "executions", "is booked by 0 events",
    ),
    "a fill at another price": (
        "UPDATE ledger.execution SET price = price + 500 WHERE user_id = 7 AND exec_type = 'F'",
        "execution values", "is not worth",
    ),
    "an order that says less was filled": (
        ("UPDATE ledger.orders SET filled_quantity = filled_quantity - 1"
        " WHERE user_id = 7 AND status = 'CANCELLED'"),
        "order totals", "filled 1 worth",
    ),
    "an order brought back to life": (
        "UPDATE ledger.orders SET status = 'OPEN' WHERE user_id = 7 AND status = 'CANCELLED'",
        "order events", "its last event says CANCELLED",
    ),
    "an order under another id of the client's": (
        "UPDATE ledger.orders SET client_order_id = 'x' || client_order_id WHERE user_id = 7",
        "order events", ", and of another order",
    ),
    "an order that shows another part of itself": (
        "UPDATE ledger.orders SET disclosed_quantity = 1 WHERE user_id = 7 AND status = 'PENDING'",
        "order events", ", and of another order",
    ),
    "a refusal that forgot a limit": (
        ("UPDATE ledger.orders SET rules = jsonb_build_array((rules -> 0) - 'limit')"
        " WHERE rules <> '[]'"),
        "order events", ", and of another order",
    ),
    "an order lost": (
        "DELETE FROM ledger.orders WHERE user_id = 9 AND status = 'FILLED'",
        "order events", ": is lost, version ; its last event says FILLED",
    ),
    "an order in another share": (
        ("UPDATE ledger.orders SET symbol = 'GOLD'"
        " WHERE user_id = 7 AND side = 'BUY' AND status = 'PENDING'"),
        "order events", ", and of another order",
    ),
    "a stop that went for a trade short of its trigger": (
        ("UPDATE ledger.orders SET trigger_price = 1070000"
        " WHERE user_id = 23 AND status = 'FILLED'"),
        "releases", ": released by seq ",
    ),
    "a stop that says it never went": (
        "UPDATE ledger.orders SET released_seq = NULL WHERE user_id = 23 AND status = 'FILLED'",
        "releases", ", its row says , at 1060000 for the trigger",
    ),
    "an account of another class": (
        "UPDATE ledger.account SET class = 'RETAIL' WHERE user_id = 9",
        "account classes", "user 9: is of class RETAIL, was opened as TEST",
    ),
    "an order at another price for the venue": (
        "UPDATE ledger.orders SET limit_price = limit_price + 500 WHERE user_id = 7",
        "order events", ", and of another order",
    ),
    "an order whose change the venue never took": (
        "UPDATE ledger.orders SET accepted_request = 1 WHERE user_id = 7 AND request = 1",
        "order events", ", and of another order",
    ),
    "an order that answers for another body": (
        "UPDATE ledger.orders SET fingerprint = sha256(fingerprint) WHERE user_id = 7",
        "order placing", "was not placed as user 7 seq 3 says",
    ),
    "an order charged to another head": (
        ("UPDATE ledger.orders SET charges = ARRAY[charges[2], charges[1]] || charges[3:]"
        " WHERE user_id = 7"),
        "order charges", "its fills say",
    ),
    "a cancel forgotten": (
        "UPDATE ledger.orders SET change_keys = NULL WHERE user_id = 7",
        "change keys", ": knows the changes ",
    ),
    "a cancel that nobody asked for": (
        ("UPDATE ledger.orders SET change_keys = change_keys || 'cancel SQ-1 [null]'::text,"
        " change_seqs = change_seqs || 5::bigint WHERE user_id = 7 AND change_keys IS NOT NULL"),
        "change keys", ": knows the changes ",
    ),
    "a report under another id": (
        "UPDATE ledger.execution SET exec_id = 'E0' WHERE user_id = 7 AND exec_type = '4'",
        "reports", "the execution is E0 of",
    ),
    "a holding from nowhere": (
        "INSERT INTO ledger.holding VALUES (7, 'GOLD', 5, 0, 0, 0)",
        "holdings", "user 7 GOLD: holds 5, its postings say 0",
    ),
    "an order whose hold nobody has": (
        ("UPDATE ledger.orders SET reserved = reserved * 2"
        " WHERE user_id = 7 AND side = 'BUY' AND status = 'PENDING'"),
        "holds", "user 7: holds",
    ),
    "a miscounted account": (
        "UPDATE ledger.account SET open_orders = open_orders + 1 WHERE user_id = 7",
        "holds", "its open orders and positions need",
    ),
    "shares that no open sell holds": (
        "UPDATE ledger.holding SET open_sell = open_sell + 1 WHERE user_id = 7",
        "open sells", "user 7 ACME: 2 shares in open sells",
    ),
    "a changed deposit": (
        "UPDATE ledger.deposit SET amount = amount * 2 WHERE user_id = 7",
        "deposits", "is not the DEPOSITED event",
    ),
    "a report that waits for a person": (
        "INSERT INTO ledger.parked_execution VALUES ('S', 1, 7, 1, 'WHY', '{}', now())",
        "parked reports", "S position 1 (user 7, order 1): WHY",
    ),
    "a rewritten chain, with every hash computed anew": (
        _REWRITTEN, "anchored heads", ": its hash is not the one that anchor 1",
    ),
    "a tail cut off together with its account": (
        _REWOUND, "anchored heads", "the log does not",
    ),
    "a dividend announced higher than it was paid": (
        "UPDATE ledger.dividend SET per_share = per_share + 1",
        "dividends", "user 9 seq",
    ),
    "a profit in the house's account": (
        ("UPDATE ledger.posting SET account = 'house:clearing' WHERE user_id = 9"
        " AND account = 'client:position' AND asset = 'INR'"),
        "event postings", "user 9 seq",
    ),
    "a charge in another account": (
        ("UPDATE ledger.posting SET account = 'charge:sebi' WHERE user_id = 7 AND seq = 4"
        " AND account = 'charge:stt'"),
        "event postings", "user 7 seq 4: posts",
    ),
    "a withdrawal under another id of the client's": (
        "UPDATE ledger.payment SET client_id = client_id || 'x' WHERE state = 'SENT'",
        "payments", "of user 13: OUT",
    ),
    "a payment in that asks for more": (
        ("UPDATE ledger.payment SET amount = amount * 2 WHERE direction = 'IN'"
        " AND state = 'REQUESTED'"),
        "payments", "of user 13: IN",
    ),
    "a withdrawal that came back by itself": (
        "UPDATE ledger.payment SET state = 'RETURNED' WHERE state = 'PAID'",
        "payments", "of user 13: OUT",
    ),
    "a withdrawal of another amount": (
        "UPDATE ledger.payment SET amount = amount + 1 WHERE direction = 'OUT' AND state = 'SENT'",
        "payouts under way", "user 13:",
    ),
    "a deposit collected twice": (
        "UPDATE ledger.payment SET state = 'COLLECTED' WHERE direction = 'IN' AND state = 'FAILED'",
        "payments", "of user 13: IN",
    ),
    "a withdrawal lost once it was paid": (
        "DELETE FROM ledger.payment WHERE state = 'PAID'",
        "payment events", "WITHDRAWAL_REQUESTED of payment",
    ),
    "a payment in lost once it was collected": (
        "DELETE FROM ledger.payment WHERE state = 'COLLECTED'",
        "payment events", "DEPOSIT_REQUESTED of payment",
    ),
    "a payment that nothing asks about": (
        "UPDATE ledger.payment SET due_at = NULL WHERE state = 'SENT'",
        "stuck payments", "of user 13",
    ),
    "a contract note lost": (
        "DELETE FROM ledger.contract_note WHERE user_id = 9",
        "contract notes", "user 9 note of 2026-07-10 version 1: is not what event",
    ),
    "an edited contract note": (
        "UPDATE ledger.contract_note SET body = body || ' ' WHERE user_id = 9 AND version = 1",
        "contract notes", "user 9 note of",
    ),
    "a note that charges something else": (
        "UPDATE ledger.contract_note SET charges[2] = charges[2] + 100 WHERE user_id = 9",
        "notes and postings", "for charge:stt",
    ),
    "a note nobody owes": (
        "DELETE FROM ledger.contract_note_due WHERE user_id = 7",
        "notes due", "user 7: traded on",
    ),
    "a job done and not booked": (
        "INSERT INTO ledger.job_entry VALUES ('INTEREST', '2026-01-01', 7, '', 3)",
        "jobs", "user 7 seq 3: INTEREST of",
    ),
    "a job done for another day than it says": (
        "UPDATE ledger.job_entry SET day = day + 100 WHERE job = 'INTEREST'",
        "jobs", "has the event INTEREST_CHARGED of",
    ),
    "a job done for another share than it says": (
        "UPDATE ledger.job_entry SET instrument = 'GOLD' WHERE job = 'DEPOSITORY'",
        "jobs", "DEPOSITORY of 2026-07-13 GOLD has the event DP_CHARGED of 2026-07-13 ACME",
    ),
    "a job booked twice": (
        "DELETE FROM ledger.job_entry WHERE job = 'INTEREST'",
        "jobs", "has the event INTEREST_CHARGED",
    ),
    "an event moved under another anchor": (
        ("UPDATE ledger.ledger_event SET xact = (SELECT through FROM ledger.anchor"
        " WHERE number = 1) WHERE user_id = 7"),
        "anchored users", "anchor 1: has the heads of",
    ),
    "a day that was folded twice": (
        "UPDATE ledger.day_total SET credits = credits * 2 WHERE account = 'client:cash'",
        "day totals", "client:cash INR of",
    ),
}  # fmt: skip


def test_only_the_anchors_can_tell_a_whole_chain_made_anew(books: BusyBooks) -> None:
    problems = problems_of_damage(books, _REWRITTEN)
    assert [problem.partition(":")[0] for problem in problems] == ["shard 0, anchored heads"]


@pytest.mark.parametrize("kind", DAMAGE)
def test_planted_damage_is_found_and_named(books: BusyBooks, kind: str) -> None:
    sql, check, words = DAMAGE[kind]
    problems = problems_of_damage(books, sql)
    found = [p for p in problems if p.startswith(f"shard 0, {check}: ") and words in p]
    assert found, problems
