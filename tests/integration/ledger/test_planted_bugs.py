"""The checker has teeth: mistakes planted in the ledger's functions, and each is found.

Every mistake is an edit of a function's text as the database has it, on a scratch copy. In all of
them, and in the sound one beside them, each event takes a millisecond longer to write: a race that
is there is then met, and one that is not can't be blamed on the delay.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pg8000.native
import pytest

from infra.command import verify_ledger
from infra.local.postgres import APPLICATION, OWNER, connect
from tests.history import workload
from tests.support.postgres import PostgresUnderTest, ShardsUnderTest, fresh_databases

#: A mistake is looked for life by life, until it is found; a sound ledger has to stand up to three.
STEPS = 170
LIVES_MOST, LIVES_OF_A_SOUND_LEDGER = 8, 3
SEED = 11


Edits = Mapping[str, Sequence[tuple[str, str]]]


@dataclass(frozen=True)
class Bug:
    """`edits`: (text, text instead) of one function, or of several; `before`: SQL first; `found`:
    words of which one finding has some, so that it is this mistake that was found."""

    edits: Edits
    found: str | tuple[str, ...]
    before: str = ""


SLOW = {"chain_event": (("  a.at := greatest", "  PERFORM pg_sleep(0.001);\n  a.at := greatest"),)}

BUGS = {
    "the row lock dropped": Bug(
        {"lock_account": ((" FOR NO KEY UPDATE", ""),)}, "duplicate key value"
    ),
    "seq taken outside the lock": Bug(
        {
            "lock_account": (
                ("DECLARE a ledger.account;", "DECLARE a ledger.account; b ledger.account;"),
                ("SELECT * INTO a", ("SELECT * INTO b FROM ledger.account WHERE user_id = p_user;"
                                     "\n    SELECT * INTO a")),
                ("  RETURN a;", "  a.seq := b.seq;\n  RETURN a;"),
            )
        },
        "duplicate key value",
    ),
    "the balance checked before the lock": Bug(
        {
            "place_order": (
                ("    a := ledger.lock_account(p_user, p_trade_date, p_now);",
                 ("    PERFORM set_config('planted.early',"
                  " ledger.account_on(p_user, p_trade_date)::text, true);\n"
                  "    PERFORM pg_sleep(0.02);\n"  # others come in between on any machine
                  "    a := ledger.lock_account(p_user, p_trade_date, p_now);")),
            ),
            "place_one": (
                ("ledger.judge(a, b, o",
                 "ledger.judge(current_setting('planted.early')::ledger.account, b, o"),
            ),
        },
        "the model says Entry(kind='ORDER_",
    ),
    "ON CONFLICT dropped": Bug(
        {"place_one": ((" ON CONFLICT (user_id, client_order_id) DO NOTHING", ""),)},
        "duplicate key value",
    ),
    "a replay decided after the rules": Bug(
        {
            "place_one": (
                ("  IF NOT p_write OR",
                 ("  IF NOT p_write OR o.status = 'DENIED' AND EXISTS (SELECT FROM ledger.orders x"
                  " WHERE x.user_id = o.user_id AND x.client_order_id = o.client_order_id) OR")),
            )
        },
        "answered order None",
    ),
    "a fill without its key": Bug(
        {"judge_execution": (("AND e.exec_id = p_exec_id;", "AND false;"),)},
        ("is booked 2 times", "though the venue said nothing wrong"),
        before="ALTER TABLE ledger.execution DROP CONSTRAINT execution_pkey",
    ),
    "the hold not released on a partial cancel": Bug(
        {
            "reserve_of": (
                ("NOT ledger.keeps(o)",
                 "NOT (ledger.keeps(o) OR o.status = 'CANCELLED' AND o.filled_quantity > 0)"),
            )
        },
        ("the model says Entry(kind='ORDER_CANCELLED'", "the model says Entry(kind='FILL'"),
    ),
    "an event that leaves no outbox row": Bug(
        {
            "chain_event": (
                ("VALUES ((a.user_id & 7)::smallint, a.user_id, a.seq, p_symbol, p_command)",
                 ("SELECT (a.user_id & 7)::smallint, a.user_id, a.seq, p_symbol, p_command"
                  " WHERE p_kind <> 'ORDER_CANCELLED'")),
            )
        },
        "never leaves",
    ),
    "proceeds settled twice": Bug(
        {
            "settle_due": (
                ("DELETE FROM ledger.settlement_due x", "SELECT * FROM ledger.settlement_due x"),
                (" RETURNING *)", ")"),
            )
        },
        ("due", 'violates check constraint "account_sane"'),
    ),
    "a withdrawal judged by cash": Bug(
        {
            "judge_payment": (
                ("greatest(0, a.cash - a.held - a.unsettled - a.borrowed)", "a.cash"),
            )
        },
        "the model says Entry(kind='WITHDRAWAL_REFUSED'",
    ),
    "a deposit booked each time it is asked for": Bug(
        {"deposit": (("  IF FOUND THEN", "  IF false THEN"),)},
        "duplicate key value",
    ),
    "charges that forget what the order was charged before": Bug(
        {"book_fill": (("o.charges[i] - b.charges[i]", "o.charges[i]"),)},
        "the model says Entry(kind='FILL'",
    ),
    "proceeds that can be spent at once": Bug(
        {"pick_lots": (("blocked := CASE", "blocked := 0 * CASE"),)},
        "the model says Entry(kind='FILL'",
    ),
    "shares sold last in, first out": Bug(
        {"pick_lots": (("x.trade_date, x.lot", "x.trade_date DESC, x.lot DESC"),)},
        ("the model says Entry(kind='FILL'", "lots {"),
    ),
}  # fmt: skip


def plant(connection: pg8000.native.Connection, edits: Edits) -> None:
    """Replaces functions by their own text with the edits. Each text must be there exactly once:
    a mistake that no longer fits the function is no test of it."""
    for name, changes in edits.items():
        [[text]] = connection.run(
            "SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.proname = :name"
            " AND p.pronamespace = 'ledger'::regnamespace",
            name=name,
        )
        for old, new in changes:
            assert text.count(old) == 1, f"{name} has {text.count(old)} times {old!r}"
            text = text.replace(old, new)
        connection.run(text)


@pytest.fixture
def scratch(postgres: PostgresUnderTest) -> Iterator[ShardsUnderTest]:
    """Databases to be spoiled, already slower."""
    with fresh_databases(postgres) as made:
        for url in made.urls(OWNER):
            connection = connect(url)
            plant(connection, SLOW)
            connection.close()
        yield made


def judged(scratch: ShardsUnderTest, folder: Path, life: int) -> list[str]:
    """What the checker finds after another short life of two busy accounts."""
    workload.run_in_threads(folder, scratch.urls(APPLICATION), STEPS, SEED + life, life)
    return workload.judge(folder, scratch.urls(OWNER)).problems


def test_the_sound_ledger_passes(scratch: ShardsUnderTest, tmp_path: Path) -> None:
    for life in range(1, LIVES_OF_A_SOUND_LEDGER + 1):
        assert judged(scratch, tmp_path, life) == []
    assert verify_ledger.run(scratch.urls(OWNER)).problems == []


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_caught(scratch: ShardsUnderTest, tmp_path: Path, name: str) -> None:
    bug = BUGS[name]
    for url in scratch.urls(OWNER):
        connection = connect(url)
        if bug.before:
            connection.run(bug.before)
        plant(connection, bug.edits)
        connection.close()
    words = (bug.found,) if isinstance(bug.found, str) else bug.found
    for life in range(1, LIVES_MOST + 1):
        problems = judged(scratch, tmp_path, life)
        if any(word in problem for word in words for problem in problems):
            return
    pytest.fail(f"not found; the last findings: {problems[:5]}")
