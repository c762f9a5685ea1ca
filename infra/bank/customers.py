"""Where money out to a customer goes: the account that was registered last.

One JSON array a line. Invariant: a registration is on the disk (fsync) before anybody is told of
it. A customer without one is paid at the counter, which is all that paper users have.
"""

import json
import os
import re
import threading
from pathlib import Path
from typing import Final

from infra.bank.payments import JournalError

_FILE: Final = "customers.jsonl"
_NUMBER: Final = re.compile("[0-9]{9,18}")
_IFSC: Final = re.compile("[A-Z]{4}0[A-Z0-9]{6}")


class Customers:
    """Accounts by customer. The journal beside it holds the folder. Safe for many threads."""

    def __init__(self, folder: Path) -> None:
        """Raises JournalError."""
        path = folder / _FILE
        self._lock = threading.Lock()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._accounts = {
                customer: f"{ifsc}/{number}"
                for customer, number, ifsc in _whole_lines(path, self._file)
            }
        except (OSError, ValueError) as error:
            raise JournalError(f"{path} can't be read: {error}") from error

    def register(self, customer: str, number: str, ifsc: str) -> None:
        """Raises JournalError."""
        line = json.dumps([customer, number, ifsc], separators=(",", ":")).encode() + b"\n"
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._file, line) :]
                os.fsync(self._file)
            except OSError as error:
                raise JournalError(f"cannot write {_FILE}: {error}") from error
            self._accounts[customer] = f"{ifsc}/{number}"

    def account_of(self, customer: str) -> str:
        """`IFSC/NUMBER`; empty for a customer who registered none."""
        return self._accounts.get(customer, "")


def read_account(body: object) -> tuple[str, str]:
    """`{"number", "ifsc"}`. Raises ValueError when it can't be an account."""
    if not isinstance(body, dict) or body.keys() != {"number", "ifsc"}:
        raise ValueError("give number and ifsc")
    number, ifsc = body["number"], body["ifsc"]
    if not isinstance(number, str) or _NUMBER.fullmatch(number) is None:
        raise ValueError("number is 9 to 18 digits")
    if not isinstance(ifsc, str) or _IFSC.fullmatch(ifsc) is None:
        raise ValueError("ifsc is four letters, 0 and six letters or digits")
    return number, ifsc


def _whole_lines(path: Path, file: int) -> list[tuple[str, str, str]]:
    """Only the last line may be incomplete: nobody was told of it, and it is cut."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    os.ftruncate(file, whole)
    return [tuple(json.loads(line)) for line in data[:whole].splitlines()]
