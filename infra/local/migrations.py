"""Migrations: numbered, forward-only SQL files, each applied once to each shard.

Invariant: a file and its row in ledger.migration are one transaction; a file that changed after it
was applied stops the start.
"""

import hashlib
import re
from pathlib import Path

import pg8000.native

from infra.local.postgres import connect
from infra.local.refusals import StartRefused
from infra.local.slots import deal_slots

FOLDER = Path(__file__).parent.parent / "postgres"
_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)(\.shard0)?\.sql$")

# Made in the transaction of the first file, which makes the schema.
_TABLE = """
CREATE TABLE IF NOT EXISTS ledger.migration (
  number integer PRIMARY KEY,
  name text NOT NULL,
  sha256 text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now())
"""


class MigrationRefused(StartRefused):
    """A file is misnamed, or differs from what was applied."""


def migrations(folder: Path = FOLDER) -> list[tuple[int, str, bool, Path]]:
    """(number, name, shard 0 only, path) in order. Raises MigrationRefused for a bad name."""
    found: list[tuple[int, str, bool, Path]] = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.match(path.name)
        if match is None:
            raise MigrationRefused(f"{path.name} is not NNNN_name.sql or NNNN_name.shard0.sql")
        found.append((int(match[1]), match[2], match[3] is not None, path))
    numbers = [number for number, *_ in found]
    if len(set(numbers)) != len(numbers):
        raise MigrationRefused("two migrations have the same number")
    return found


def migrate(urls: list[str], folder: Path = FOLDER) -> int:
    """Brings every shard up to date and into the directory, as the databases' owner.

    Returns how many files ran. Raises MigrationRefused and ShardMissing.
    """
    applied = 0
    for shard, url in enumerate(urls):
        connection = connect(url)
        try:
            applied += _migrate_shard(connection, shard, folder)
        finally:
            connection.close()
    deal_slots(urls)
    return applied


def _migrate_shard(connection: pg8000.native.Connection, shard: int, folder: Path) -> int:
    # Held until the connection closes: two starters take their turns.
    connection.run("SELECT pg_advisory_lock(hashtext('ledger.migration'))")
    known = _applied(connection)
    count = 0
    for number, name, only_shard_0, path in migrations(folder):
        if only_shard_0 and shard != 0:
            continue
        text = path.read_text()
        digest = hashlib.sha256(text.encode()).hexdigest()
        if number in known:
            if known[number] != digest:
                raise MigrationRefused(
                    f"{path.name} changed after it was applied here; a change is a new file, and "
                    "`outcry reset` starts anew"
                )
            continue
        _apply(connection, path, text, (number, name, digest))
        count += 1
    return count


def _applied(connection: pg8000.native.Connection) -> dict[int, str]:
    """Number -> sha256 of what was applied before."""
    if connection.run("SELECT to_regclass('ledger.migration')")[0][0] is None:
        return {}
    rows = connection.run("SELECT number, sha256 FROM ledger.migration")
    return {int(number): str(digest) for number, digest in rows}


def _apply(
    connection: pg8000.native.Connection, path: Path, text: str, row: tuple[int, str, str]
) -> None:
    connection.run("BEGIN")
    try:
        connection.execute_simple(text)
        connection.run(_TABLE)
        connection.run(
            "INSERT INTO ledger.migration (number, name, sha256) VALUES (:n, :m, :s)",
            n=row[0],
            m=row[1],
            s=row[2],
        )
        connection.run("COMMIT")
    except pg8000.native.DatabaseError as error:
        connection.run("ROLLBACK")
        raise MigrationRefused(f"{path.name}: {error.args[0].get('M', error)}") from error
