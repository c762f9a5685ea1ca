"""`outcry ledger ...`: the ledger's checks, its accounts by day, and what is booked by hand."""

import json
from datetime import date
from pathlib import Path
from typing import Annotated

import cyclopts
import msgspec
from cyclopts import Parameter

from functions.shared.settings import file_url_path
from infra.command.exits import CHECK_FAILED, DONE, WRONG_USAGE, Failure
from infra.command.place import home, owner_urls, running_stack
from infra.local.home import StackFile

VERIFYING_KEY = "anchor-verifying-key"

ledger_app = cyclopts.App(name="ledger", help="The ledger: checks, balances, dividends.")


@ledger_app.command
def verify(*, anchors: Path | None = None, key: Path | None = None, verbose: bool = False) -> int:
    """Recompute every account from its events and compare; hold the log against its anchors.

    Args:
        anchors: folder of the write-once store or of a copy of it; the stack's own when not given
        key: public key, as PEM, that the anchors are checked by; the stack's own when not given
        verbose: say what was looked at, check by check
    """
    from infra.command import verify_ledger

    stack = running_stack(home())
    own = own_anchors(stack)
    store, pinned = anchors or (own and own[0]), key or (own and own[1])
    if store is None or pinned is None:
        raise Failure("say where a copy of the anchors and their key are: --anchors and --key",
                      WRONG_USAGE)  # fmt: skip
    try:
        report = verify_ledger.run(owner_urls(stack), verify_ledger.Anchors(store, pinned))
    except (OSError, ValueError) as error:
        raise Failure(f"the key can't be read: {error}", WRONG_USAGE) from error
    print(report.text(verbose=verbose))
    return DONE if report.ok else CHECK_FAILED


def own_anchors(stack: StackFile) -> tuple[Path, Path] | None:
    """The folder of the stack's anchors and the key they are checked by; None where its store or
    its secrets are not on this machine."""
    store, secrets = file_url_path(stack.stores.objects), file_url_path(stack.stores.secrets)
    return None if store is None or secrets is None else (store, secrets / VERIFYING_KEY)


@ledger_app.command
def prove(user: str, *, anchors: Path | None = None, since: Path | None = None) -> int:
    """Print, as JSON, the proof that a user's latest anchored event is under a signed root.

    Args:
        user: the user's name, which the running stack knows, or number
        anchors: folder of the write-once store or of a copy of it; the stack's own when not given
        since: file with an older checkpoint, to prove that the tree only grew since
    """
    from infra.command import prove_anchor

    store = anchors or file_url_path(running_stack(home()).stores.objects)
    if store is None:
        raise Failure("say where a copy of the anchors is: --anchors", WRONG_USAGE)
    try:
        before = since.read_bytes() if since else None
        proof = prove_anchor.prove(store / "anchors", _user_number(user), before)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise Failure(f"the anchors can't be read: {error}", WRONG_USAGE) from error
    except prove_anchor.NoProof as error:
        raise Failure(str(error), CHECK_FAILED) from error
    print(json.dumps(msgspec.to_builtins(proof)))
    return DONE


def _user_number(user: str) -> int:
    """A user's number from it or from the name. Raises Failure for a name that nobody has."""
    from infra.local.postgres import connect

    if user.isascii() and user.isdigit():
        return int(user)
    connection = connect(owner_urls(running_stack(home()))[0])
    try:
        rows = connection.run("SELECT user_id FROM identity.login WHERE username = :u", u=user)
    finally:
        connection.close()
    if not rows:
        raise Failure(f"nobody is called {user!r}", WRONG_USAGE)
    return int(rows[0][0])


@ledger_app.command
def rebuild(*, verbose: bool = False) -> int:
    """Make every snapshot again from the events alone, and compare; nothing is written.

    Args:
        verbose: say what was looked at, row by row of its kind
    """
    from infra.command import rebuild_ledger

    report = rebuild_ledger.run(owner_urls(running_stack(home())))
    print(report.text(verbose=verbose))
    return DONE if report.ok else CHECK_FAILED


@ledger_app.command(name="trial-balance")
def trial_balance(
    *,
    day: Annotated[date | None, Parameter(name="--date")] = None,
    json_: Annotated[bool, Parameter(name="--json")] = False,
) -> int:
    """Show each shard's accounts on a day: opening, debits, credits, closing.

    In the broker's books: what is owed to clients is a credit, below zero in opening and closing.

    Args:
        day: the day, as 2026-07-13; the latest one when not given
        json_: every account and asset, as JSON
    """
    from infra.command import trial_balance as balance

    balances = balance.read_balances(owner_urls(running_stack(home())), day)
    if json_:
        print(json.dumps(msgspec.to_builtins(balances)))
    else:
        print(balance.text(balances))
    return CHECK_FAILED if any(one.unbalanced() for one in balances) else DONE


@ledger_app.command
def dividend(symbol: str, *, record_date: date, per_share: str) -> int:
    """Pay a dividend to everybody who held the share at the end of the day before the record date.

    Args:
        symbol: the share
        record_date: the record date, which is the ex-date, as 2026-07-13
        per_share: rupees a share, with at most four decimals
    """
    from functions.shared.domain.money import parse_price
    from infra.command.dividend import pay_dividend

    try:
        units = parse_price(per_share)
    except ValueError as error:
        raise Failure(f"--per-share: {error}", WRONG_USAGE) from error
    if units <= 0:
        raise Failure("--per-share is above 0", WRONG_USAGE)
    place = home()
    done = pay_dividend(place, running_stack(place).stores, symbol, record_date, units)
    print(f"{done.entitled} entitled, {done.paid} paid now")
    return DONE
