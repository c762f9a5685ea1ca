"""Dealing the slots: which shard each one starts on, and how every shard is reached.

Invariant: the slots are dealt once, in equal runs over the shards there are; a shard added later
starts without any and gets them by moves. The directory is written last, so a dealing cut short is
done again as if it had never begun.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

import pg8000.native

from functions.shared.domain.ids import SLOTS, shard_of_slot
from infra.local.postgres import connect
from infra.local.refusals import StartRefused

_ADDRESS = """
INSERT INTO ledger.shard VALUES (:shard, :address)
ON CONFLICT (shard) DO UPDATE SET address = excluded.address
"""


class ShardMissing(StartRefused):
    """The directory sends users to a shard whose address was not given."""


def deal_slots(owner_urls: Sequence[str]) -> None:
    """Readies migrated shards, shard 0 first, as their owner; again, it changes addresses only.

    Raises ShardMissing.
    """
    control = connect(owner_urls[0])
    try:
        control.run("SELECT pg_advisory_lock(hashtext('ledger.slot_home'))")
        homes: dict[int, int] = dict(control.run("SELECT slot, shard FROM ledger.slot_home"))
        missing = max(homes.values(), default=0)
        if missing >= len(owner_urls):
            raise ShardMissing(
                f"slots are at home on shard {missing}, and its address is not given"
            )
        for shard, url in enumerate(owner_urls):
            control.run(_ADDRESS, shard=shard, address=address_of(url))
            if homes:
                _add_shard(url)
            else:
                _deal_to(url, shard, len(owner_urls))
        if not homes:
            rows = (f"({slot}, {shard_of_slot(slot, len(owner_urls))}, 0)" for slot in range(SLOTS))
            control.run(f"INSERT INTO ledger.slot_home VALUES {', '.join(rows)}")
    finally:
        control.close()


def shard_urls(owner_urls: Sequence[str]) -> list[str]:
    """The owner's address of every shard: those given, and those that the directory has besides."""
    control = connect(owner_urls[0])
    try:
        rows = control.run("SELECT address FROM ledger.shard ORDER BY shard")
    finally:
        control.close()
    login = owner_urls[0].rpartition("@")[0]
    return [*owner_urls, *(f"{login}@{row[0]}" for row in rows[len(owner_urls) :])]


def address_of(url: str) -> str:
    """`HOST:PORT/DATABASE`, with the query if there is one: a shard's address for every role."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}{query}"


def _deal_to(url: str, shard: int, shards: int) -> None:
    states = (
        (slot, "HERE" if shard_of_slot(slot, shards) == shard else "GONE") for slot in range(SLOTS)
    )
    rows = ", ".join(f"({slot}, '{state}', 0)" for slot, state in states)
    _run(
        url,
        f"INSERT INTO ledger.slot VALUES {rows}"
        " ON CONFLICT (slot) DO UPDATE SET state = excluded.state",
    )


def _add_shard(url: str) -> None:
    rows = ", ".join(f"({slot}, 'GONE', 0)" for slot in range(SLOTS))
    _run(url, f"INSERT INTO ledger.slot VALUES {rows} ON CONFLICT (slot) DO NOTHING")


def _run(url: str, sql: str) -> None:
    connection: pg8000.native.Connection = connect(url)
    try:
        connection.run(sql)
    finally:
        connection.close()
