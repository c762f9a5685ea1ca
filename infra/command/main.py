"""`outcry`: every command, its arguments and its exit code."""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cyclopts
import msgspec
from cyclopts import Parameter

from functions.shared.domain.accounts import AccountClass
from functions.shared.domain.errors import Retryable
from infra.command.clock import clock_app, read_clocks
from infra.command.exits import CHECK_FAILED, DONE, NOT_REACHABLE, REFUSED, WRONG_USAGE, Failure
from infra.command.place import home, running_stack
from infra.local.home import DemoUser, Home
from infra.local.options import API_PORT, STREAM_PORT, Options

if TYPE_CHECKING:
    from tui.settings import TerminalSettings

_DOWN_SECONDS = 40.0

app = cyclopts.App(name="outcry", help="A retail stock brokerage you can run.", version="0.1.0")
app.command(clock_app)
# By name, with the help that each has itself: what one imports, no other command waits for.
for _name, _where, _help in (
    ("ledger", "ledger_app:ledger_app", "The ledger: checks, balances, dividends."),
    ("orders", "orders_app:orders_app", "Your orders, and those something is wrong with."),
    ("payments", "payments:payments_app", "Payments that wait for a person."),
    ("bank", "payments:bank", "Tell the simulated bank how to behave towards payments."),
    ("shards", "shards:shards_app", "The ledger's shards and the slots on them."),
    ("regions", "regions:regions_app", "Where users of other regions are at home."),
    ("instruments", "instruments:instruments_app", "The instruments that can be traded."),
    ("secrets", "secrets_app:secrets_app", "The keys of the stack on this machine."),
    ("users", "users:users_app", "Users, as the machine's operator."),
    ("qr", "authenticator:qr", "Draw what an authenticator scans, from a uri on standard input."),
    ("load", "load:load_app", "Put load on a stack of this machine."),
    ("quote", "trading:quote", "Show the last quote of each symbol."),
    ("buy", "trading:buy", "Say what buying would cost; buy with --confirm."),
    ("sell", "trading:sell", "Say what selling would bring; sell with --confirm."),
    ("cancel", "trading:cancel", "Cancel an order."),
    ("holdings", "trading:holdings", "Show the shares you hold."),
    ("funds", "trading:funds", "Show your money."),
    ("watch", "watch:watch", "Print each new price of the symbols."),
):
    app.command(f"infra.command.{_where}", name=_name, help=_help)


@app.command
def up(
    *,
    headless: bool = False,
    clock: str | None = None,
    shards: Annotated[int | None, Parameter(help="databases of the embedded server")] = None,
    market_rate: Annotated[
        int, Parameter(name=["--market-rate", "--rate"], help="market-data updates a second")
    ] = 200,
    symbols: Annotated[
        int | None,
        Parameter(help="trade so many: more of the NIFTY 500, then LOAD0001, ..."),
    ] = None,
    market: Path | None = None,
    port: Annotated[int, Parameter(help="port of the API; 0 for any free one")] = API_PORT,
    stream_port: Annotated[int, Parameter(help="port of the stream")] = STREAM_PORT,
    fix_tls: bool = False,
    standbys: bool = False,
) -> int:
    """Start everything, and open the terminal unless --headless or there is no tty.

    Args:
        headless: start without the terminal and run until interrupted
        clock: real, always-open, speed=N or a clock file; the home's own when not given
        market: what the exchange plays: prices, halts, listings and busts (market_file.md)
        fix_tls: order and drop-copy sessions over TLS, with certificates made in the home
        standbys: a second ingest, gateway, relay and triggers each, to take over within two
            seconds (ingest) or five
    """
    from infra.command.up import check_market_file, check_numbers, up_headless, up_with_terminal

    check_numbers({"market-rate": market_rate, "symbols": symbols, "shards": shards})
    options = Options(
        clock=clock,
        shards=shards,
        rate=market_rate,
        symbols=symbols,
        market=check_market_file(market),
        api_port=port,
        stream_port=stream_port,
        fix_tls=fix_tls,
        standbys=standbys,
    )
    if headless or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return up_headless(home(), options)
    return up_with_terminal(home(), options)


@app.command
def status(*, json_: Annotated[bool, Parameter(name="--json")] = False) -> int:
    """Show what runs: addresses, both clocks, stores, parts with their process ids.

    Args:
        json_: everything, as JSON
    """
    stack, clocks = running_stack(home()), read_clocks(home())
    if json_:
        shown = {**msgspec.to_builtins(stack), "clocks": msgspec.to_builtins(clocks)}
        print(msgspec.json.encode(shown).decode())
        return DONE
    print(f"{stack.state}  api {stack.api}  stream {stack.stream}  home {stack.home}")
    print(clocks.text())
    for part in stack.parts:
        restarts = f"  restarts {part.restarts}" if part.restarts else ""
        line = f"{part.name:<10}{part.pid or '-':>8}  {part.state:<11}{part.detail}{restarts}"
        print(line.rstrip())
    return DONE


@app.command
def down() -> int:
    """Stop the stack and wait until nothing of it is left."""
    place = home()
    holder = place.holder()
    if holder is None:
        print("Outcry is not running.")
        return DONE
    if holder == 0:  # the lock is held and its number not written yet; kill(0) is our own group
        raise Failure("Outcry is starting; try again", NOT_REACHABLE)
    os.kill(holder, signal.SIGTERM)
    deadline = time.monotonic() + _DOWN_SECONDS
    while place.holder() is not None:
        if time.monotonic() > deadline:
            raise Failure(f"process {holder} goes on after {_DOWN_SECONDS:.0f} s", CHECK_FAILED)
        time.sleep(0.05)
    print("Outcry has stopped.")
    return DONE


@app.command
def reset(*, yes: bool = False) -> int:
    """Empty OUTCRY_HOME: every account, order and fill in it.

    Args:
        yes: do not ask
    """
    place = home()
    if place.holder() is not None:
        raise Failure("Outcry is running here; stop it first with `outcry down`", REFUSED)
    if not place.path.exists():
        return DONE
    if not (place.run / "lock").exists():
        raise Failure(f"{place.path} is not a home of Outcry; nothing was removed", REFUSED)
    if not yes:
        if not sys.stdin.isatty():
            raise Failure("reset removes everything; say --yes", WRONG_USAGE)
        if input(f"Remove everything in {place.path}? Type yes: ").strip() != "yes":
            raise Failure("nothing was removed", REFUSED)
    for entry in place.path.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    print(f"{place.path} is empty.")
    return DONE


@app.command
def logs(part: str, *, follow: bool = False, fix: bool = False) -> int:
    """Print a part's log.

    Args:
        part: its name, as `outcry status` shows it
        follow: go on printing until interrupted
        fix: of the gateway, every FIX message in and out instead
    """
    from infra.command.logs import print_fix_log, print_log

    if fix:
        if part != "gateway" or follow:
            raise Failure("--fix is for the gateway's log as it stands", WRONG_USAGE)
        return print_fix_log(home())
    return print_log(home(), part, follow)


@app.command
def doctor() -> int:
    """Check what the stack needs and, when it runs, that every part does its work."""
    from infra.command.doctor import run_checks

    return run_checks(home())


@app.command
def mail() -> int:
    """Show the mail that the stack sent since it started."""
    import httpx

    from infra.local.mail import read_mail

    try:
        messages = read_mail(running_stack(home()).stores.mail)
    except httpx.HTTPError as error:
        raise Failure(f"the mail part does not answer: {error}", NOT_REACHABLE) from error
    for message in messages:
        print(f"To: {', '.join(message.to)}\nSubject: {message.subject}\n\n{message.body}\n")
    return DONE


@app.command(name="demo-user")
def demo_user(
    *,
    count: int | None = None,
    class_: Annotated[AccountClass, Parameter(name="--class")] = AccountClass.RETAIL,
    orders_per_second: int | None = None,
    code: bool = False,
    qr: bool = False,
    json_: Annotated[bool, Parameter(name="--json")] = False,
) -> int:
    """Show the demo user's credentials, or make new paper users and show theirs.

    Args:
        count: make that many new users with ₹10,00,000 each
        class_: the class of client they are: RETAIL places 10 orders a second, TEST as many as it
            likes (for load)
        orders_per_second: the rate that a REGISTERED_ALGO's strategy is registered with
        code: print the demo user's one-time code of this moment alone; each works once
        qr: draw what an authenticator program scans to show the demo user's codes
        json_: as JSON
    """
    from infra.local.demo import COUNT_MOST, Terms, create_demo_users

    registers = class_ is AccountClass.REGISTERED_ALGO
    if orders_per_second is not None and not (registers and orders_per_second > 0):
        raise Failure("--orders-per-second is 1 or more, of --class registered-algo", WRONG_USAGE)
    place = home()
    if code or qr:
        if count is not None or json_ or (code and qr):
            raise Failure("--code and --qr stand alone", WRONG_USAGE)
        from infra.command.authenticator import draw, print_code

        return (print_code if code else draw)(_made_demo_user(place))
    if count is None:
        users = [_made_demo_user(place)]
    elif 1 <= count <= COUNT_MOST:
        stack = running_stack(place)
        terms = Terms(class_, orders_per_second)
        users = create_demo_users(place, stack.stores, stack.region, count, terms)
    else:
        raise Failure(f"--count is 1 to {COUNT_MOST}", WRONG_USAGE)
    if json_:
        shown = msgspec.to_builtins(users)
        print(json.dumps(shown[0] if count is None else shown))
    else:
        for user in users:
            print(f"{user.username}  {user.password}  TOTP {user.totp_secret}")
    return DONE


def _made_demo_user(place: Home) -> DemoUser:
    user = place.read_demo_user()
    if user is None:
        raise Failure("there is no demo user yet; `outcry up` makes one", NOT_REACHABLE)
    return user


@app.command
def tui(*, url: str | None = None, stream: str | None = None, username: str | None = None) -> int:
    """Open the terminal: on the stack that runs here as its demo user, or on a broker elsewhere.

    Args:
        url: the API's address elsewhere
        stream: the stream's address; the broker is asked when it is not given
        username: fill in the sign-in with this user name; it asks for the password and a code
    """
    from tui.app import run
    from tui.settings import TerminalSettings

    if url is None:
        if stream or username:
            raise Failure("--stream and --username go with --url", WRONG_USAGE)
        return run(_of_demo_user(home()))
    return run(
        TerminalSettings(
            api_url=url,
            home=home().path / "terminal",
            stream_url=stream,
            username=username,
        )
    )


@app.command
def reconcile(*, verbose: bool = False) -> int:
    """Compare the ledger's orders and fills with the exchange's own book, its payments with the
    bank's, and the books with themselves, as `ledger verify` does. The verdict is the first line.

    Args:
        verbose: say what was looked at, check by check
    """
    from infra.command.all_books import compare

    report = compare()
    print(report.text(verbose=verbose))
    return DONE if report.ok else CHECK_FAILED


@app.command
def screenshot(path: Path, *, size: str = "120x36", after: float = 6.0) -> int:
    """Save a picture (SVG) of the running stack's terminal, as the demo user sees it.

    Args:
        path: the file to write
        size: columns x rows
        after: seconds of live prices before the picture is taken
    """
    from tui.app import photograph

    columns, _, rows = size.partition("x")
    if not (columns.isdecimal() and rows.isdecimal()):
        raise Failure("--size is COLUMNSxROWS", WRONG_USAGE)
    return photograph(_of_demo_user(home()), path, after, (int(columns), int(rows)))


def _of_demo_user(place: Home) -> "TerminalSettings":
    """The terminal on the running stack, signed in. Raises Failure without a stack or user."""
    from tui.settings import TerminalSettings

    stack, user = running_stack(place), place.read_demo_user()
    if user is None:
        raise Failure("there is no demo user yet; `outcry up` makes one", NOT_REACHABLE)
    return TerminalSettings(
        api_url=stack.api,
        home=place.path / "terminal",
        stream_url=stack.stream,
        username=user.username,
        password=user.password,
        totp_secret=user.totp_secret,
    )


@app.command
def token() -> int:
    """Print an access token of the demo user, good for ten minutes."""
    from infra.command.sign_in import demo_token

    place = home()
    user = place.read_demo_user()
    if user is None:
        raise Failure("there is no demo user yet; `outcry up` makes one", NOT_REACHABLE)
    print(demo_token(running_stack(place).api, user))
    return DONE


@app.command
def capacity(
    *,
    users: list[int] | None = None,
    assume: list[str] | None = None,
    bench: Path | None = None,
    json_: Annotated[bool, Parameter(name="--json")] = False,
) -> int:
    """Show the nodes, cores, memory, bandwidth and cost that so many users ask for, by arithmetic.

    Args:
        users: how many; may be given again. 1, 10 and 100 million when it isn't
        assume: NAME=NUMBER in place of a figure of the list; may be given again
        bench: a folder of `make bench`'s reports in place of those that came with Outcry
        json_: everything as JSON
    """
    from infra.command.capacity import show_capacity

    counts = users or [1_000_000, 10_000_000, 100_000_000]
    if min(counts) < 1:
        raise Failure(f"{min(counts)} users: at least 1", WRONG_USAGE)
    return show_capacity(counts, bench, assume or [], json_)


def main() -> None:
    """The entry point of the `outcry` command."""
    try:
        code = app(result_action="return_value", exit_on_error=False, print_error=True)
    except cyclopts.CycloptsError:  # shown already
        code = WRONG_USAGE
    except Failure as failure:
        print(f"outcry: {failure}", file=sys.stderr)
        code = failure.code
    except Retryable as error:
        print(f"outcry: {error}", file=sys.stderr)
        code = NOT_REACHABLE
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = DONE
    sys.exit(code)


if __name__ == "__main__":
    main()
