"""`outcry regions`: what the regions tell each other of their logins: digests, no name among them.

A second region is given the first one's `directory-key` before its first start; without the same
key the digests say nothing to it.
"""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import cyclopts
import msgspec

from functions.shared.access.regions import home_logins, learn_logins
from functions.shared.stores.postgres import Shards
from functions.shared.stores.secrets import open_secrets
from infra.command.exits import DONE, REFUSED, WRONG_USAGE, Failure
from infra.command.place import home, running_stack

regions_app = cyclopts.App(name="regions", help="Where users of other regions are at home.")

_BATCH: Final = 1_000


class ToldLogin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the file. `digest`: 32 bytes, in base 64."""

    region: str
    digest: bytes


@regions_app.command(name="export")
def export_logins() -> int:
    """Print a line for each login at home here, for the other regions to import."""
    stack = running_stack(home())
    shards = Shards(stack.stores.postgres, "regions")
    try:
        for digest in home_logins(shards, open_secrets(stack.stores.secrets)):
            line = msgspec.json.encode(ToldLogin(stack.region, digest))
            sys.stdout.write(line.decode() + "\n")
    finally:
        shards.close()
    return DONE


@regions_app.command(name="import")
def import_logins(path: Path) -> int:
    """Learn another region's logins, so that one at our door is sent there.

    Args:
        path: what `outcry regions export` printed there
    """
    stack = running_stack(home())
    shards = Shards(stack.stores.postgres, "regions")
    count = 0
    try:
        with path.open("rb") as file:
            lines = _read(file)
            while batch := list(islice(lines, _BATCH)):
                for region in {told.region for told in batch}:
                    if region == stack.region:
                        raise Failure(f"{region} is this region itself", REFUSED)
                    learn_logins(shards, region, [t.digest for t in batch if t.region == region])
                count += len(batch)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", WRONG_USAGE) from error
    finally:
        shards.close()
    print(f"{count:,} logins of other regions are known")
    return DONE


def _read(lines: Iterator[bytes]) -> Iterator[ToldLogin]:
    for number, line in enumerate(lines, start=1):
        try:
            told = msgspec.json.decode(line, type=ToldLogin)
        except msgspec.MsgspecError as error:
            raise Failure(f"line {number}: {error}", WRONG_USAGE) from error
        yield told
