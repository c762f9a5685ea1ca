"""`outcry shards`: which shard each slot is at home on, a shard more, and a slot that moves."""

import re
from typing import Annotated, Final

import cyclopts
import pg8000.native
from cyclopts import Parameter

from functions.shared.domain.ids import SLOTS
from functions.shared.stores.valkey import open_valkey
from functions.shared.stores.wake import wake_relay
from infra.command.exits import DONE, NOT_REACHABLE, REFUSED, WRONG_USAGE, Failure
from infra.command.place import home, owner_urls, running_stack
from infra.command.slot_move import Move, MoveRefused
from infra.command.slot_tables import CopyDiffers, UnknownKind
from infra.local.home import Home
from infra.local.refusals import StartRefused

shards_app = cyclopts.App(name="shards", help="The ledger's shards and the slots on them.")

_COUNTS: Final = """
SELECT s.slot, s.state, s.epoch,
  (SELECT count(*) FROM ledger.account a WHERE (a.user_id & 63) = s.slot)
FROM ledger.slot s ORDER BY s.slot
"""


@shards_app.command(name="list")
def list_shards() -> int:
    """Show each shard, its slots, its accounts, and slots that are on their way."""
    from infra.local.postgres import connect
    from infra.local.slots import address_of

    for number, url in enumerate(owner_urls(running_stack(home()))):
        connection = connect(url)
        try:
            rows = connection.run(_COUNTS)
        finally:
            connection.close()
        here = [slot for slot, state, _, _ in rows if state == "HERE"]
        accounts = sum(count for _, state, _, count in rows if state == "HERE")
        print(f"shard {number}  {address_of(url)}  {len(here)} slots  {accounts:,} accounts")
        print(f"  here: {_runs(here) or 'none'}")
        for slot, state, _, _ in rows:
            if state in {"LEAVING", "ARRIVING"}:
                print(f"  slot {slot} is {state}: `outcry shards move` again finishes it")
    return DONE


@shards_app.command
def add(url: str | None = None) -> int:
    """Make one more shard, without slots; processes that run learn of it by themselves.

    Args:
        url: a database of your own, as its owner; without it one is made in the embedded server
    """
    from infra.local.slots import address_of

    place = home()
    stack = running_stack(place)
    urls = owner_urls(stack)
    new = _own_database(urls, url) if url else _embedded_database(place, urls)
    if address_of(new) in {address_of(known) for known in urls}:
        raise Failure(f"{address_of(new)} is a shard already", REFUSED)
    try:
        add_shard(urls, new)
    except StartRefused as error:
        raise Failure(str(error), REFUSED) from error
    except (pg8000.native.InterfaceError, OSError) as error:
        raise Failure(f"{address_of(new)} does not answer: {error}", NOT_REACHABLE) from error
    print(f"shard {len(urls)} is {address_of(new)}; it has no slots yet")
    if url:
        print("name it in OUTCRY_POSTGRES_URLS, behind the others, before the next start")
    return DONE


@shards_app.command
def move(slot: int, *, to: Annotated[int, Parameter(help="the number of the shard")]) -> int:
    """Move a slot and everything of its users to another shard, while orders flow.

    Killed at any moment and run again, it finishes.

    Args:
        slot: its number, as `outcry shards list` shows it
    """
    stack = running_stack(home())
    urls = owner_urls(stack)
    if not 0 <= slot < SLOTS:
        raise Failure(f"a slot is 0 to {SLOTS - 1}", WRONG_USAGE)
    if not 0 <= to < len(urls):
        raise Failure(f"there are shards 0 to {len(urls) - 1}", WRONG_USAGE)
    valkey = open_valkey(stack.stores.valkey)
    moving = Move(urls, slot, to, lambda shard: wake_relay(valkey, shard))
    rows = 0
    try:
        for step in moving.steps():
            rows += step.rows
            print(f"{step.name:<8} {step.rows or '':>8}".rstrip(), flush=True)
    except (MoveRefused, CopyDiffers, UnknownKind) as error:
        raise Failure(str(error), REFUSED) from error
    except pg8000.native.DatabaseError as error:  # the slot stays, or goes on from where it is
        raise Failure(f"a shard refused a row: {error.args[0].get('M', error)}", REFUSED) from error
    except (pg8000.native.InterfaceError, OSError) as error:
        raise Failure(f"a shard does not answer: {error}", NOT_REACHABLE) from error
    finally:
        moving.close()
        valkey.close()
    pause = "" if moving.pause_ms is None else f", {moving.pause_ms:.0f} ms without orders"
    print(f"slot {slot} is at home on shard {to}: {rows:,} rows{pause}")
    return DONE


def add_shard(urls: list[str], new: str) -> None:
    """Migrates an empty database and puts it into the directory, with what every shard must know.

    Raises MigrationRefused.
    """
    from infra.command.slot_tables import copy_common
    from infra.local.migrations import migrate
    from infra.local.postgres import connect

    migrate([*urls, new])
    source, target = connect(urls[0]), connect(new)
    try:
        copy_common(source, target)
    finally:
        source.close()
        target.close()


def _embedded_database(place: Home, urls: list[str]) -> str:
    from infra.local.postgres import OWNER, PostgresServer, keep_shards

    if place.shards is None and not place.path.joinpath("postgres").exists():
        raise Failure("the servers are your own: give the new database's address", WRONG_USAGE)
    keep_shards(place, len(urls) + 1)
    server = PostgresServer.at(place, urls[0])
    server.create_roles_and_databases()
    return server.urls(OWNER)[len(urls)]


def _own_database(urls: list[str], url: str) -> str:
    """The processes reach every shard with the role and password they have for shard 0."""
    if not re.fullmatch(r"postgresql://[^/@]+@[^/@]+/[^/]+", url):
        raise Failure("the address is not postgresql://ROLE:PASSWORD@HOST:PORT/DATABASE",
                      WRONG_USAGE)  # fmt: skip
    if url.rpartition("@")[0] != urls[0].rpartition("@")[0]:
        raise Failure("the new database must know shard 0's role by the same password", REFUSED)
    return url


def _runs(slots: list[int]) -> str:
    """`0-31, 40`: neighbours together."""
    parts: list[list[int]] = []
    for slot in slots:
        if parts and parts[-1][-1] == slot - 1:
            parts[-1].append(slot)
        else:
            parts.append([slot])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in parts)
