"""`outcry payments` and `outcry bank`: payments that wait for a person, and a bank that misbehaves.

Invariant: a payment is only ever asked about again, by its own reference; nothing here ends one.
"""

from typing import Annotated, Final

import cyclopts
from cyclopts import Parameter

from functions.shared.clock import open_clock
from functions.shared.domain.errors import NotFound
from infra.bank.behaviour import Behaviour
from infra.command.exits import DONE, NOT_REACHABLE, REFUSED, Failure
from infra.command.place import home, owner_urls, running_stack

payments_app = cyclopts.App(name="payments", help="Payments that wait for a person.")

_STUCK: Final = """
SELECT payment_id, user_id, direction, ledger.rupees(amount), state, created_at FROM ledger.payment
WHERE state IN ('REQUESTED', 'SENT') AND due_at IS NULL ORDER BY payment_id
"""
_RETRY: Final = "SELECT ledger.retry_payment(:payment_id, :now)"


@payments_app.command
def stuck() -> int:
    """List the payments that the bank gave no last word on, and that nobody asks it about."""
    from infra.local.postgres import connect

    count = 0
    for url in owner_urls(running_stack(home())):
        connection = connect(url)
        try:
            rows = connection.run(_STUCK)
        finally:
            connection.close()
        count += len(rows)
        for payment_id, user_id, direction, amount, state, created_at in rows:
            print(
                f"{payment_id}  user {user_id}  {direction:<3} {amount:>16}  {state}  {created_at}"
            )
    if not count:
        print("no payment is stuck")
    return DONE


@payments_app.command
def retry(payment_id: int) -> int:
    """Have the bank asked again about a stuck payment, within a minute.

    Args:
        payment_id: its number, which is its reference at the bank
    """
    from infra.local.postgres import connect

    stack = running_stack(home())
    now = open_clock(stack.clock).now()
    for url in owner_urls(stack):
        connection = connect(url)
        try:
            if connection.run(_RETRY, payment_id=payment_id, now=now)[0][0]:
                print(f"the bank will be asked about {payment_id} again")
                return DONE
        finally:
            connection.close()
    raise Failure(f"{payment_id} is not a stuck payment", REFUSED)


def bank(
    behaviour: Behaviour,
    *,
    times: Annotated[
        int | None, Parameter(help="for so many payments; until told otherwise")
    ] = None,
    seconds: Annotated[float, Parameter(help="how long slow and later take")] = 1.0,
) -> int:
    """Tell the simulated bank how to behave towards payments.

    Args:
        behaviour: normal; refuse; silent: done, never answered; lost: neither done nor answered;
            twice: answered twice; slow: answered late; later and later-refuse: pending first, then
            done or refused; away: 503
    """
    from infra.local.bank import BankSilent, read_bank_token, tell_bank

    place = home()
    try:
        tell_bank(running_stack(place).bank, read_bank_token(place), behaviour, times, seconds)
    except (BankSilent, NotFound) as error:
        raise Failure(str(error), NOT_REACHABLE) from error
    span = "until told otherwise" if times is None else f"for payments: {times}"
    print(f"the bank's behaviour is {behaviour}, {span}")
    return DONE
