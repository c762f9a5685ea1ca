"""`outcry up`: the stack in this process, or under the terminal of the person who asked for it.

Invariant: the stack lives as long as this command. With a terminal the supervisor is a process of
its own, holding a pipe whose end it takes as the order to stop, however this process ended.
"""

import contextlib
import importlib
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

import msgspec

from functions.shared.settings import SettingsError
from infra.command.exits import CHECK_FAILED, DONE, REFUSED, WRONG_USAGE, Failure
from infra.local.clickhouse import NOT_INSTALLED
from infra.local.home import AlreadyRunning, DemoUser, Home, StackFile
from infra.local.main import Event, run_stack
from infra.local.options import Options
from infra.local.refusals import StartRefused

_STOP_SECONDS = 40.0
_RANGES: Final = {"market-rate": (10, 100_000), "symbols": (1, 5_000), "shards": (1, 16)}


def check_numbers(given: Mapping[str, int | None]) -> None:
    """Ends the command when an option's number is out of its range."""
    for name, number in given.items():
        least, most = _RANGES[name]
        if number is not None and not least <= number <= most:
            raise Failure(f"--{name} is {least} to {most}", WRONG_USAGE)


def check_market_file(path: Path | None) -> str | None:
    """The path for the exchange, whatever folder it runs in. Ends the command when the file is
    wrong, before anything starts."""
    if path is None:
        return None
    from infra.exchange.market_file import MarketFileError, read_market_file

    try:
        read_market_file(path)
    except MarketFileError as error:
        raise Failure(str(error), WRONG_USAGE) from error
    return str(path.resolve())


def up_headless(home: Home, options: Options) -> int:
    """Runs until SIGINT, SIGTERM or `outcry down`."""

    def ready(stack: StackFile) -> None:
        _say(f"api       {stack.api}")
        _say(f"stream    {stack.stream}")
        _say(f"exchange  {stack.exchange}")
        _say(f"home      {stack.home}")
        if stack.stores.clickhouse is None:
            _say(f"candles   {NOT_INSTALLED}")
        _say(
            f"Outcry is running: {len(stack.parts)} parts ready. Ctrl-C or `outcry down` stops it."
        )

    try:
        run_stack(home, options, _say, ready)
    except AlreadyRunning as error:
        raise Failure(
            f"{error}; `outcry status` shows it, `outcry down` stops it", REFUSED
        ) from error
    except (StartRefused, SettingsError, OSError) as error:
        raise Failure(_in_words(home, error), CHECK_FAILED) from error
    _say("Outcry has stopped.")
    return DONE


def up_with_terminal(home: Home, options: Options) -> int:
    """Starts the stack, opens the terminal signed in as the demo user, stops the stack."""
    supervisor = subprocess.Popen(
        [
            *(sys.executable, "-m", "infra.local.main"),
            *(str(home.path), msgspec.json.encode(options).decode()),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C of the terminal reaches it through us alone
    )
    if supervisor.stdin is None or supervisor.stdout is None:
        raise RuntimeError("the supervisor was started without its pipes")
    # The terminal's code is read while the stack starts.
    threading.Thread(target=importlib.import_module, args=("tui.app",), daemon=True).start()
    try:
        api = _follow_start(supervisor.stdout)
        drain = threading.Thread(target=supervisor.stdout.read, daemon=True)
        drain.start()
        user = home.read_demo_user()
        return _open_terminal(home, api, user)
    except KeyboardInterrupt:
        return DONE
    finally:
        _say("Stopping ...")
        with contextlib.suppress(BrokenPipeError):  # it has ended already
            supervisor.stdin.close()
        _wait(supervisor)


def _follow_start(events: IO[bytes]) -> str:
    """Shows the progress; gives the API's address. Ends the command when the start fails."""
    for line in events:
        event = msgspec.json.decode(line, type=Event)
        if event.kind == "ready":
            return event.text
        if event.kind == "failed":
            raise Failure(event.text, CHECK_FAILED)
        _say(event.text)
    raise Failure("the supervisor ended before the stack was ready", CHECK_FAILED)


def _open_terminal(home: Home, api: str, user: DemoUser | None) -> int:
    from tui.app import run
    from tui.settings import TerminalSettings

    return run(
        TerminalSettings(
            api_url=api,
            home=home.path / "terminal",
            username=user.username if user else None,
            password=user.password if user else None,
            totp_secret=user.totp_secret if user else None,
        )
    )


def _wait(supervisor: "subprocess.Popen[bytes]") -> None:
    """A second Ctrl-C must not leave the stack behind: it is stopping by itself by now."""
    while True:
        try:
            supervisor.wait(_STOP_SECONDS)
        except KeyboardInterrupt:
            continue
        except subprocess.TimeoutExpired:
            supervisor.kill()  # the kernel ends its parts with it
            supervisor.wait()
        return


def _in_words(home: Home, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or home.path}: {error.strerror or error}"
    return str(error)


def _say(line: str) -> None:
    print(line, flush=True)
