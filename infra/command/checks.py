"""The form of the ledger's checks: questions that answer only what is wrong.

Invariant: each question returns text that names a wrong row, ordered so that the first is always
the same one, and no row when all is well.
"""

from typing import NamedTuple


class Check(NamedTuple):
    """`rows`: SQL for how many rows are looked at; `wrong`: SQL for those that are wrong."""

    name: str
    rows: str
    wrong: str


def home(table: str) -> str:
    """The rows of a table whose users are at home on this shard. The others are of slots that moved
    away or are still arriving: an archive, or half a copy."""
    return (
        f"(SELECT * FROM ledger.{table} WHERE user_id & 63 IN"
        " (SELECT slot FROM ledger.slot WHERE state IN ('HERE', 'LEAVING')))"
    )


def rows_of(table: str, which: str = "true") -> str:
    """How many rows of a table are looked at."""
    return f"SELECT count(*) FROM {home(table)} t WHERE {which}"


EVENT, POSTING, EXECUTION = home("ledger_event"), home("posting"), home("execution")
ACCOUNT, ORDERS = home("account"), home("orders")
BUST = home("trade_bust")

#: The venue's trades that stand: neither taken back nor corrected since.
TRADE = (
    f"(SELECT x.* FROM {EXECUTION} x WHERE x.exec_type IN ('F', 'G')"
    f" AND (x.venue, x.trade_date, x.exec_id) NOT IN"
    f" (SELECT b.venue, b.trade_date, b.exec_id FROM {BUST} b))"
)
