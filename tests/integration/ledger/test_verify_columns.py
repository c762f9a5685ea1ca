"""Every column of every table that money hangs on, changed by one unit, is found by verify.

The tables and columns are the database's own list, so one that is added is asked about too, and of
each kind of row the books have one is changed. What can't be found stands here with the reason.
"""

import itertools
from collections.abc import Iterator
from typing import Final

import pg8000.native
import pytest
from pg8000.exceptions import DatabaseError

from infra.command import verify_ledger
from infra.command.anchor_log import Shard, load_key, read_anchors
from infra.command.checks import Check
from infra.command.report import Report
from tests.support.busy_books import HOMES_OF_SHARD_0, BusyBooks

#: Rows of a table that differ in these are of different kinds, and one of each is changed.
KINDS: Final = {
    "account": "borrowed > 0, unsettled > 0",
    "contract_note": "version",
    "day_total": "asset, debits > 0, credits > 0",
    "deposit": "client_id LIKE 'payment:%'",
    "execution": "exec_type",
    "intervention": "kind",
    "holding": "pledged > 0, open_sell > 0",
    "holding_lot": "user_id",
    "job_entry": "job",
    "ledger_event": "kind",
    "lot_sale": "user_id",
    "orders": "status, side, product, pending_change, reason_code, released_seq > 0, trail > 0",
    "payment": "direction, state",
    "plan": "kind, state",
    "plan_slice": "state, due_at IS NULL, market_volume IS NULL, expected IS NULL",
    "price_alert": "state",
    "position": "sign(net), open_buy > 0, open_sell > 0",
    "posting": "account, asset = 'INR'",
    "settlement_due": "user_id, settles_on",
    "symbol_restriction": "ended_seq > 0",
    "trade_bust": "user_id, by_exec_id",
    "shortage": "closed_seq IS NULL",
}
RULES: Final = {
    "algo_registration": "what the exchange registered of a client's strategy, by day",
    "charge_head": "the accounts of the charges, as released",
    "interest_rate": "the tariff, by day",
    "kill_switch_rule": "our rule, by day",
    "order_rate": "the exchange's rule, by day",
    "order_transition": "the life of an order, as released",
    "payment_transition": "the life of a payment, as released",
    "position_limit": "our rule, by day",
    "proceeds_rule": "the exchange's rule, by day",
    "shortage_rule": "the exchange's rule, by day",
    "volume_curve": "averages of the market's, by day",
}
NO_MONEY: Final = {
    "halt": "what officers say of a symbol",
    "market_halt": "what was said of a halt of the whole market, by day",
    "early_ending": "endings that nothing is booked of yet",
    "migration": "which files have made the tables",
    "outbox": "events on their way out; each is in the log",
    "shard": "where a shard can be reached",
    "slot": "where users live: checked by `find_homes`",
    "slot_home": "the directory of where users live",
    "volume_curve_draw": "for which days the curves were drawn",
    "watchlist": "names and symbols that a person looks at",
}
#: (table, column): why a change of it can't be found in the books.
UNSEEN: Final = {
    ("fix_applied", "position"): "what was heard, not what came of it: asked again it is a twin",
    ("fix_applied", "session"): "as its position",
    ("fix_checkpoint", "applied_through"): "as the positions; the session's own store has them too",
    ("fix_checkpoint", "session"): "as its position",
    ("ledger_event", "xact"): "only under which anchor it falls counts, and that is checked",
    ("loan", "charged_through"): "through days on which nothing was owed",
    ("orders", "touched_at"): "the wall clock of the latest write, for the sweep",
    ("parked_execution", "at"): "nothing is booked of it; while it is there no check passes",
    ("parked_execution", "order_id"): "as its time",
    ("parked_execution", "position"): "as its time",
    ("parked_execution", "report"): "as its time",
    ("parked_execution", "session"): "as its time",
    ("parked_execution", "user_id"): "as its time",
    ("parked_execution", "why"): "as its time",
    ("payment", "attempts"): "of one under way: questions to the bank move nothing",
    ("payment", "due_at"): "as its attempts",
    ("payment", "updated_at"): "as its attempts",
    ("price_alert", "mail_due"): "whether a mail is to go out still",
    ("posting", "line"): "the order in which an event's postings are shown",
}


@pytest.fixture(scope="module")
def signed(books: BusyBooks) -> list[Shard]:
    return read_anchors(books.anchors.folder, load_key(books.anchors.key))


@pytest.fixture
def shard(books: BusyBooks) -> Iterator[pg8000.native.Connection]:
    """The shard past every trigger, in a transaction that is never committed."""
    connection = books.shards.superuser(0)
    connection.run("BEGIN")
    connection.run("SET LOCAL session_replication_role = replica")
    connection.run("INSERT INTO ledger.parked_execution VALUES ('S', 1, 7, 1, 'WHY', '{}', now())")
    connection.run("INSERT INTO ledger.fix_checkpoint VALUES ('S', 1)")
    yield connection
    connection.close()


def test_every_column_changed_by_one_unit_is_found_or_known_not_to_be(
    books: BusyBooks, signed: list[Shard], shard: pg8000.native.Connection
) -> None:
    unseen: set[tuple[str, str]] = set()
    unchanged: set[tuple[str, str]] = set()
    for table in _tables(shard):
        for column, kind in _columns(shard, table):
            changes = 0
            checks = _checks(table)
            for place, edit in itertools.product(_rows(shard, table), _OTHER[kind]):
                shard.run("SAVEPOINT one_change")
                if _change(shard, table, column, edit, place):
                    changes += 1
                    if not _verify_sees(shard, table, checks, signed, books):
                        unseen.add((table, column))
                shard.run("ROLLBACK TO SAVEPOINT one_change")
                if (table, column) in unseen:
                    break  # no other row takes that back
            if not changes:
                unchanged.add((table, column))
    assert unchanged == set()
    assert unseen == UNSEEN.keys()


def _tables(shard: pg8000.native.Connection) -> list[str]:
    rows = shard.run(
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema = 'ledger' AND table_type = 'BASE TABLE' ORDER BY 1"
    )
    return [table for (table,) in rows if table not in RULES and table not in NO_MONEY]


def _columns(shard: pg8000.native.Connection, table: str) -> list[tuple[str, str]]:
    rows = shard.run(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
        " WHERE attrelid = :t::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        t=f"ledger.{table}",
    )  # fmt: skip
    return [(column, kind) for column, kind in rows]


def _rows(shard: pg8000.native.Connection, table: str) -> list[str]:
    kinds = KINDS.get(table, "(SELECT true)")
    rows = shard.run(
        f"SELECT DISTINCT ON ({kinds}) ctid::text FROM ledger.{table} ORDER BY {kinds}, ctid"
    )
    assert rows, f"the books have no {table}"
    return [place for (place,) in rows]


#: Of columns that a check of the database lets have few values.
_WORDS: Final = {"state": "'HALTED'", "leg": "'TARGET'", "type": "'MARKET'", "validity": "'IOC'",
                 "pending_change": "'CANCEL'", "class": "'RETAIL'"}  # fmt: skip
_STEP: Final = ("coalesce({c}, 0) + 1", "coalesce({c}, 0) + 1000")
#: By type, what a value becomes; the second where the database itself refuses the first. A list has
#: several values: its first and its last one change, it grows, it is cut.
_OTHER: Final = {
    "bigint": (_STEP,),
    "integer": (_STEP,),
    "smallint": (_STEP,),
    "numeric": (_STEP,),
    "date": (("CASE WHEN isfinite({c}) THEN {c} + 1 ELSE DATE '2026-07-13' END", "{c} + 1000"),),
    "timestamp with time zone": (("coalesce({c}, now()) + interval '1 microsecond'",),),
    "boolean": (("NOT coalesce({c}, false)",),),
    "bytea": (("CASE {c} WHEN '' THEN '\\x00' ELSE set_byte({c}, 0, get_byte({c}, 0) # 1) END",),),
    "jsonb": (("""'[{{"code": "X"}}]'""",), ("{c} || {c}",), ("{c} - 0",),
              ("jsonb_set({c}, '{{0}}', {c} -> 0 #- '{{limit}}')",)),
    "text": (("(SELECT min(x.{c}) FROM ledger.{t} x WHERE x.{c} IS DISTINCT FROM t.{c})",
              "concat({c}, 'x')", "{w}"),),
    "bigint[]": (("ARRAY[{c}[1] + 1] || {c}[2:]",),
                 ("trim_array({c}, 1) || {c}[cardinality({c})] + 1",),
                 ("{c} || 1::bigint",), ("trim_array({c}, 1)",)),
    "text[]": (("ARRAY[concat({c}[1], 'x')] || {c}[2:]",),
               ("trim_array({c}, 1) || concat({c}[cardinality({c})], 'x')",),
               ("{c} || 'cancel x [null,null,null]'::text",), ("trim_array({c}, 1)",)),
}  # fmt: skip


#: SQLSTATE of NOT NULL, a key and a CHECK; of a list that has nothing to cut.
_REFUSALS: Final = frozenset({"23502", "23505", "23514", "2202E"})


def _change(
    shard: pg8000.native.Connection, table: str, column: str, edit: tuple[str, ...], place: str
) -> bool:
    """Whether the database itself let it be changed: a key or a check may refuse, and nothing can
    be cut from nothing."""
    for other in edit:
        value = other.format(c=column, t=table, w=_WORDS.get(column, "NULL"))
        shard.run("SAVEPOINT the_change")
        try:
            rows = shard.run(
                f"UPDATE ledger.{table} t SET {column} = {value} WHERE ctid = '{place}'"
                f" AND {column} IS DISTINCT FROM {value} RETURNING 1"
            )
        except DatabaseError as error:
            if error.args[0]["C"] not in _REFUSALS:
                raise
            rows = []
        if rows:
            return True
        shard.run("ROLLBACK TO SAVEPOINT the_change")
    return False


def _checks(table: str) -> list[Check]:
    """All that need nothing but the shard, those that read the table first."""
    checks = [check for check in verify_ledger.CHECKS if check.name != "parked reports"]
    return sorted(checks, key=lambda check: f"ledger.{table} " not in check.wrong)


def _verify_sees(
    shard: pg8000.native.Connection,
    table: str,
    checks: list[Check],
    signed: list[Shard],
    books: BusyBooks,
) -> bool:
    """No further than the first finding. The check that has it becomes the first of `checks`: most
    often it finds the next change of the column too."""
    report = Report()
    if table == "anchor":
        verify_ledger.check_anchor_rows(shard, 0, report, signed, books.anchors.folder)
    if table in {"account", "ledger_event"}:
        verify_ledger.check_chains(shard, 0, report, HOMES_OF_SHARD_0, signed)
    if report.problems:
        return True
    for place, check in enumerate(checks):
        verify_ledger.run_check(shard, 0, check, report)
        if report.problems:
            checks.insert(0, checks.pop(place))
            return True
    return False
