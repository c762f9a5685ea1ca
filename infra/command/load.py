"""`outcry load`: as many clients as you like on a stack of this machine, and what they saw.

Invariant: it goes to loopback addresses alone, and ends by itself.
"""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import cyclopts
from cyclopts import Parameter

from functions.shared.domain.errors import Retryable
from functions.shared.stores.instruments import InstrumentMaster
from functions.shared.stores.postgres import Shards
from functions.shared.stores.quotes import QuoteCache
from functions.shared.stores.valkey import open_valkey
from infra.command.exits import CHECK_FAILED, DONE, NOT_REACHABLE, REFUSED, WRONG_USAGE, Failure
from infra.command.place import home, running_stack
from infra.command.sign_in import demo_token
from infra.load.dialects import OUTCRY, outcry_hello
from infra.load.generator import Load
from infra.load.target import NotLocal, Target, local_target
from infra.local.home import Home, StackFile

load_app = cyclopts.App(name="load", help="Put load on a stack of this machine.")

_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "connections": (1, 40_000),
    "watch": (1, 3_000),
    "symbols": (1, 10_000),
    "seconds": (1, 300),
    "openings-per-second": (1, 5_000),
}
#: So many connections have each of their prices timed; more would be the generator's whole work.
_LOOKING: Final = 250


@load_app.command
def stream(
    *,
    connections: int = 1_000,
    watch: int = 20,
    symbols: int = 500,
    seconds: float = 30.0,
    openings_per_second: float = 500.0,
    core: int | None = None,
    to: str | None = None,
    tokens: Path | None = None,
    listing: Path | None = None,
    json_: Annotated[bool, Parameter(name="--json")] = False,
) -> int:
    """Watch prices on many connections, and tell how many came and how old each was.

    A node bounds the connections of one user: start the stack with
    OUTCRY_FANOUT_CONNECTIONS_PER_USER=10000, and with `outcry up --symbols 500 --market-rate 20000`
    so that there is something to watch.

    Args:
        connections: how many
        watch: symbols that each of them watches
        symbols: out of so many that have a price
        seconds: how long it is measured, once all of them are in
        openings_per_second: the pace they come at, whatever the answers
        core: the processor core to stay on; the last one when not given and there are several
        to: another stream of this machine, as ws://127.0.0.1:7401/v1/stream; needs the next two
        tokens: a file of access tokens, one a line, that connections take in turn
        listing: a file of symbols, one a line
        json_: everything, as JSON
    """
    from infra.load.run import cores, run_load

    given = {
        "connections": connections, "watch": watch, "symbols": symbols, "seconds": seconds,
        "openings-per-second": openings_per_second,
    }  # fmt: skip
    _check(given)
    target, words, names, pid = find_place(to, tokens, listing)
    names = names[:symbols]
    load = Load(
        target=target,
        dialect=OUTCRY,
        hello=_Hello(words, names, min(watch, len(names))),
        connections=connections,
        openings_per_second=openings_per_second,
        look_at_each=-(-connections // _LOOKING),
    )
    on = _own_core(core, cores())
    if not json_:
        there = "" if on is None else f", from core {on}"
        each = f"{min(watch, len(names))} of {len(names)} symbols"
        print(f"{connections:,} connections, each {each}, for {seconds:.0f} s{there}", flush=True)
    try:
        report = run_load(load, seconds, on, pid)
    except KeyboardInterrupt:
        raise Failure("stopped before it was measured", CHECK_FAILED) from None
    print(json.dumps(report.numbers()) if json_ else report.text())
    return DONE if report.whole else CHECK_FAILED


class _Hello:
    """The first words of each connection: the same ones in every run."""

    def __init__(self, tokens: Sequence[str], symbols: Sequence[str], watch: int) -> None:
        self._tokens, self._symbols, self._watch = tokens, symbols, watch

    def __call__(self, number: int) -> bytes:
        symbols = random.Random(number).sample(self._symbols, self._watch)
        return outcry_hello(self._tokens[number % len(self._tokens)], symbols)


def _check(given: Mapping[str, float]) -> None:
    for name, value in given.items():
        least, most = _RANGES[name]
        if not least <= value <= most:
            raise Failure(f"--{name} is {least:,} to {most:,}", WRONG_USAGE)


def find_place(
    to: str | None, tokens: Path | None, listing: Path | None
) -> tuple[Target, list[str], list[str], int | None]:
    """Where the load goes, the tokens, the symbols, and the node's process where it is known."""
    if to is None:
        if tokens or listing:
            raise Failure("--tokens and --listing go with --to", WRONG_USAGE)
        place = home()
        stack = running_stack(place)
        words = [_token(place, stack)]  # there is none before the stores have all they need
        return _target(stack.stream), words, _priced(stack), _node(stack)
    target = _target(to)
    if tokens is None or listing is None:
        raise Failure("--to needs --tokens and --listing", WRONG_USAGE)
    return target, _lines(tokens), _lines(listing), None


def _target(url: str) -> Target:
    try:
        return local_target(url)
    except NotLocal as error:
        raise Failure(str(error), REFUSED) from error
    except ValueError as error:
        raise Failure(str(error), WRONG_USAGE) from error


def _lines(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    except OSError as error:
        raise Failure(f"{path} can't be read: {error}", WRONG_USAGE) from error
    if not lines:
        raise Failure(f"{path} is empty", WRONG_USAGE)
    return lines


def _token(place: Home, stack: StackFile) -> str:
    user = place.read_demo_user()
    if user is None:
        raise Failure("there is no demo user yet; `outcry up` makes one", NOT_REACHABLE)
    return demo_token(stack.api, user)


def _priced(stack: StackFile) -> list[str]:
    """The symbols that have a price, in the listing's order."""
    shards, valkey = Shards(stack.stores.postgres, "load"), open_valkey(stack.stores.valkey)
    try:
        listed = list(InstrumentMaster(shards.control).by_symbol())
        quotes = QuoteCache(valkey).get(listed)
    except Retryable as error:
        raise Failure(f"the symbols can't be read: {error}", NOT_REACHABLE) from error
    finally:
        valkey.close()
        shards.close()
    priced = [symbol for symbol in listed if symbol in quotes]
    if not priced:
        raise Failure("nothing has a price yet", NOT_REACHABLE)
    return priced


def _node(stack: StackFile) -> int | None:
    return next((part.pid for part in stack.parts if part.name == "fanout"), None)


def _own_core(core: int | None, there: Sequence[int]) -> int | None:
    """The core to stay on: the one asked for, else the last of several."""
    if core is None:
        return there[-1] if len(there) > 1 else None
    if core not in there:
        raise Failure(f"--core {core}: there are {', '.join(map(str, there))}", WRONG_USAGE)
    return core
