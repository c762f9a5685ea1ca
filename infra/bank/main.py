"""`python -m infra.bank.main`: the simulated bank as one process.

Opens the journal, serves the port, and runs until SIGTERM or SIGINT. Exit 0 after a clean stop;
exit 1 with one message on stderr when it can't start or its journal fails.
"""

import argparse
import signal
import sys
import threading
from pathlib import Path

from infra.bank.bank import Bank
from infra.bank.behaviour import Behaviour, Orders
from infra.bank.customers import Customers
from infra.bank.payments import Journal, JournalError
from infra.bank.server import BankServer

_TOKEN_LEAST = 16


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; argparse exits with 2 and a message when it is wrong."""
    parser = argparse.ArgumentParser(prog="infra.bank.main", description="A simulated bank.")
    parser.add_argument("--listen", required=True, metavar="HOST:PORT")
    parser.add_argument("--state", type=Path, required=True, help="folder of the journal")
    parser.add_argument("--token-file", type=Path, required=True, help="what callers must show")
    parser.add_argument("--behaviour", type=Behaviour, default=Behaviour.NORMAL)
    return parser.parse_args(arguments)


def main() -> int:
    options = parse_arguments(sys.argv[1:])
    host, _, port = options.listen.rpartition(":")
    failures: list[str] = []
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def failed(message: str) -> None:
        failures.append(message)
        stop.set()

    try:
        token = options.token_file.read_text().strip()
        if len(token) < _TOKEN_LEAST:
            raise OSError(f"{options.token_file}: a token has at least {_TOKEN_LEAST} characters")
        journal = Journal(options.state)
        bank = Bank(journal, Customers(options.state), Orders(options.behaviour))
        server = BankServer(host, int(port), bank=bank, token=token, failed=failed)
    except (JournalError, OSError, ValueError, OverflowError) as error:
        sys.stderr.write(f"bank: {error}\n")
        return 1
    server.start()
    stop.wait()
    server.stop()
    if failures:
        sys.stderr.write(f"bank: {failures[0]}\n")
        return 1
    journal.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
