"""Deposits and withdrawals as a client asks for them, and the list of them.

Flow: record -> ask the bank once -> answer with what is known by then. Invariant: an id asks for
one payment; sent again it is answered with how that payment stands, and moves nothing.
"""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from functions.ledger.ask_bank import ask_bank
from functions.shared.access.bank_changes import bank_changes
from functions.shared.bookkeeping import reading
from functions.shared.bookkeeping.payments import list_payments, request_payment
from functions.shared.domain.calendar import market_status
from functions.shared.domain.errors import Conflict, Refused
from functions.shared.domain.payments import UNDER_WAY, Direction, PaymentState
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.http import respond
from functions.shared.stores.wake import wake_relay
from functions.shared.wire.events import render_funds
from functions.shared.wire.payments import PaymentFacts, render_payment

_BANK_SAID_NO = frozenset({PaymentState.FAILED, PaymentState.RETURNED})


def move_money(
    stores: Stores, user_id: int, direction: Direction, client_id: str, amount: int
) -> Response[str]:
    """`amount` paise in or out. 202, also for an id sent before; raises Refused 422 when a rule of
    ours or the bank says no, Conflict (BANK_CHANGING) for money out while the bank is told of
    another account."""
    if direction is Direction.OUT and bank_changes(stores.shards, user_id):
        raise Conflict("BANK_CHANGING", "your bank account is being changed; try in a minute")
    now = stores.clock.now()
    today = market_status(now, stores.clock.hours).trade_date
    requested = request_payment(stores.shards, user_id, direction, client_id, amount, today, now)
    payment = requested.payment
    if not requested.replayed:
        wake_relay(stores.valkey, stores.shards.number_of_user(user_id))
    if payment.state in UNDER_WAY:
        payment = ask_bank(stores, user_id, payment)
    _refuse(payment)
    funds = reading.funds(stores.shards, user_id, today)
    answer = {**render_payment(payment), "funds": render_funds(funds)}
    return respond(answer, HTTPStatus.ACCEPTED)


def show_payments(stores: Stores, user_id: int, before: int | None, limit: int) -> Response[str]:
    """The user's payments, newest first; `next` is the payment to go on behind."""
    found = list_payments(stores.shards, user_id, before, limit)
    following = str(found[-1].payment_id) if len(found) == limit else None
    return respond({"items": [render_payment(one) for one in found], "next": following})


def _refuse(payment: PaymentFacts) -> None:
    told = {"client_id": payment.client_id, "payment_id": str(payment.payment_id)}
    if payment.state is PaymentState.REFUSED:
        rules = payment.rules or []
        first = str(rules[0]["message"]) if rules else "a rule forbids it"
        raise Refused(422, "PAYMENT_REFUSED", first, rules=rules, **told)
    if payment.state in _BANK_SAID_NO:
        raise Refused(422, "BANK_REFUSED", f"the bank says {payment.reason}", **told)
