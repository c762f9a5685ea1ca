"""A payment as the bank keeps it, and the one journal that makes it last.

One JSON array a line. Invariant: a payment's line is on the disk (fsync) before anybody is told of
it, so whatever happens to the process or the machine, an answer given stays true. A payment's line
says at once how it ends and when; a payment that is under way needs no timer and no second line.
"""

import fcntl
import json
import os
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

JOURNAL: Final = "journal.jsonl"
IN, OUT = "IN", "OUT"
PENDING, DONE, REFUSED = "PENDING", "DONE", "REFUSED"


class JournalError(Exception):
    """The journal can't be used: held by another process, unwritable, or damaged in the middle."""


@dataclass(frozen=True, slots=True)
class Payment:
    """Money in (collected from a customer) or out (paid to one). `amount` in paise; times in
    nanoseconds since 1970; `outcome` is DONE or REFUSED and holds from `decided_at` on."""

    reference: str
    direction: str
    account: str
    amount: int
    outcome: str
    reason: str
    at: int
    decided_at: int
    to: str = ""
    """Of money out: IFSC/NUMBER of the account it went to; empty for one paid at the counter."""

    def status(self, now: int) -> str:
        """PENDING until it is decided."""
        return self.outcome if now >= self.decided_at else PENDING


class Journal:
    """Opens, recovers and appends. One process at a time holds the folder (an advisory lock)."""

    def __init__(self, folder: Path) -> None:
        """Raises JournalError."""
        path = folder / JOURNAL
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(f"cannot write the state folder {folder}: {error}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise JournalError(f"another bank uses the state folder {folder}") from error
        self.recovered = _recover(path, self._file)
        _sync_folder(folder)

    def append(self, payment: Payment) -> None:
        """On the disk when this returns. Raises JournalError; the bank must stop then, for it can't
        know what the file holds."""
        data = json.dumps(astuple(payment), separators=(",", ":")).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._file, data) :]
            os.fsync(self._file)
        except OSError as error:
            raise JournalError(f"cannot write the journal: {error}") from error

    def close(self) -> None:
        """Lets the folder go."""
        os.close(self._file)


def _recover(path: Path, file: int) -> dict[str, Payment]:
    """Every payment by reference, oldest first. Only the last line may be incomplete: nobody was
    told of it, and it is cut."""
    payments: dict[str, Payment] = {}
    whole = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                os.ftruncate(file, whole)
                break
            whole += len(line)
            try:
                payment = Payment(*json.loads(line))
            except (ValueError, TypeError) as error:
                raise JournalError(f"{path}, line {number}: {error}") from error
            payments[payment.reference] = payment
    return payments


def _sync_folder(folder: Path) -> None:
    """A new file's name is on the disk only once its folder is (fsync(2))."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
