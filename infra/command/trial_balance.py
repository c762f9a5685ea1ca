"""`outcry ledger trial-balance`: per shard and day, what each account opened with, took and gave.

Invariant: opening + debits - credits = closing for every account, and each of the columns sums to
zero over the accounts of an asset, opening and closing as they are and debits against credits.

These are the broker's books. A posting above zero is a credit, as on the client's statement: money
owed to a client, a charge earned. One below zero is a debit: money in the bank. A balance above
zero is a debit balance, one below zero a credit balance.

Days are those of India. The postings up to the latest anchor are folded into a row for each
account, asset and day; only those behind it, of the last minute, are read one by one. So a balance
costs as many rows as there were accounts, assets and days before it (about 20 a day in rupees, and
three a day for each security that moved), however many postings they were made of.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date
from typing import Any

import msgspec

from infra.command.verify_ledger import connect

RUPEES = "INR"

_BALANCE = """
WITH line AS (
  SELECT account, asset, day, debits, credits FROM ledger.day_total WHERE day <= :day
  UNION ALL
  SELECT p.account, p.asset, (e.at AT TIME ZONE 'Asia/Kolkata')::date, greatest(-p.amount, 0),
    greatest(p.amount, 0)
  FROM ledger.ledger_event e JOIN ledger.posting p USING (user_id, seq)
  WHERE e.xact > 0 AND e.xact >= coalesce(
      (SELECT max(through) FROM ledger.anchor), 1)
    AND e.at < (:day::date + 1)::timestamp AT TIME ZONE 'Asia/Kolkata')
SELECT asset, account,
  coalesce(sum(debits - credits) FILTER (WHERE day < :day), 0)::bigint,
  coalesce(sum(debits) FILTER (WHERE day = :day), 0)::bigint,
  coalesce(sum(credits) FILTER (WHERE day = :day), 0)::bigint,
  sum(debits - credits)::bigint
FROM line GROUP BY asset, account ORDER BY asset <> 'INR', asset, account
"""
_LATEST = "SELECT (max(at) AT TIME ZONE 'Asia/Kolkata')::date FROM ledger.account"


class Line(msgspec.Struct, frozen=True):
    """One account of one asset on one day; rupees in paise, securities in pieces."""

    account: str
    asset: str
    opening: int
    debits: int
    credits: int
    closing: int


class ShardBalance(msgspec.Struct, frozen=True):
    """A shard's day. `day` is YYYY-MM-DD."""

    shard: int
    day: str
    lines: list[Line]

    def unbalanced(self) -> list[str]:
        """Assets whose accounts do not sum to zero: none, unless postings are wrong."""
        sums: dict[str, int] = {}
        for line in self.lines:
            for part, amount in (
                ("opening", line.opening),
                ("moved", line.debits - line.credits),
                ("closing", line.closing),
            ):
                key = f"{line.asset} {part}"
                sums[key] = sums.get(key, 0) + amount
        return [f"{key} is {total}, not 0" for key, total in sums.items() if total]


def read_balances(postgres_owner_urls: Sequence[str], day: date | None) -> list[ShardBalance]:
    """The balance of each shard on that day; on the latest day anything happened when None, and
    none when nothing ever did.

    Raises pg8000's errors when a shard can't be read.
    """
    balances: list[ShardBalance] = []
    with ExitStack() as opened:
        connections = []
        for url in postgres_owner_urls:
            connection = connect(url)
            opened.callback(connection.close)
            connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connections.append(connection)
        if day is None:
            days = [connection.run(_LATEST)[0][0] for connection in connections]
            day = max((latest for latest in days if latest), default=None)
        for shard, connection in enumerate(connections if day else ()):
            rows: list[list[Any]] = connection.run(_BALANCE, day=day)
            lines = [Line(account, asset, *amounts) for asset, account, *amounts in rows]
            balances.append(ShardBalance(shard, str(day), lines))
    return balances


def text(balances: Sequence[ShardBalance]) -> str:
    """The rupee accounts for a person, and in one line what the securities come to."""
    out: list[str] = [] if balances else ["nothing was posted yet"]
    for balance in balances:
        out.append(f"shard {balance.shard}, {balance.day}")
        out.append(f"{'':<22}{'opening':>20}{'debits':>20}{'credits':>20}{'closing':>20}")
        rupees = [line for line in balance.lines if line.asset == RUPEES]
        out += [_line(line.account, line) for line in rupees]
        columns = (line[1:] for line in map(_amounts, rupees))
        total = [sum(column) for column in zip(*columns, strict=True)] or [0, 0, 0, 0]
        out.append(_line("sum", Line("", RUPEES, *total)))
        securities = {line.asset for line in balance.lines} - {RUPEES}
        wrong = balance.unbalanced()
        out.append(f"{len(securities)} securities")
        out += wrong or ["every asset sums to zero"]
        out.append("")
    return "\n".join(out).rstrip()


def _amounts(line: Line) -> tuple[str, int, int, int, int]:
    return line.account, line.opening, line.debits, line.credits, line.closing


def _line(name: str, line: Line) -> str:
    return f"{name:<22}" + "".join(f"{_rupees(amount):>20}" for amount in _amounts(line)[1:])


def _rupees(paise: int) -> str:
    sign = "-" if paise < 0 else ""
    return f"{sign}{abs(paise) // 100:,}.{abs(paise) % 100:02}"
