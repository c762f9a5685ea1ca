"""Asking the bank about one payment: said before, asked once, its last word booked.

Flow: attempt (ledger) -> collect or pay (bank) -> end (ledger). Invariant: an answer that doesn't
come, or makes no sense, changes nothing; the payment waits and is asked about again by the same
reference. Money out waits also while the bank is told of another account: it goes to one on file.
"""

from functions.shared.access.bank_changes import bank_changes
from functions.shared.bookkeeping.payments import attempt_payment, end_payment
from functions.shared.domain.calendar import market_status
from functions.shared.domain.errors import PeerProtocolError, Retryable
from functions.shared.domain.payments import Direction, PaymentHappening
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.stores.bank import BankAnswer
from functions.shared.stores.wake import wake_relay
from functions.shared.wire.payments import PaymentFacts


def ask_bank(stores: Stores, user_id: int, payment: PaymentFacts) -> PaymentFacts:
    """Asks the bank if that is due, for at most two seconds, and gives the payment as it is then.

    A bank that rests is not asked, and the payment is as due as before; so is money out while the
    user's bank account changes. Raises Retryable when the ledger can't be asked; what the bank did
    then is learned by asking again.
    """
    if stores.bank.rests:
        return payment
    if payment.direction is Direction.OUT and bank_changes(stores.shards, user_id):
        return payment
    now = stores.clock.now()
    today = market_status(now, stores.clock.hours).trade_date
    due = attempt_payment(stores.shards, user_id, payment.payment_id, today, now)
    if due is None:
        return payment
    answer = _answer(stores, user_id, due)
    if answer is None or answer.status == "PENDING":
        return due
    done = answer.status == "DONE"
    ended = end_payment(
        stores.shards,
        user_id,
        due.payment_id,
        PaymentHappening.DONE if done else PaymentHappening.REFUSED,
        None if done else answer.reason or "REFUSED",
        today,
        now,
    )
    wake_relay(stores.valkey, stores.shards.number_of_user(user_id))
    return ended


def _answer(stores: Stores, user_id: int, payment: PaymentFacts) -> BankAnswer | None:
    """What the bank says; None when that is nothing, or nothing that makes sense."""
    ask = stores.bank.collect if payment.direction is Direction.IN else stores.bank.pay
    try:
        return ask(str(payment.payment_id), str(user_id), payment.amount)
    except Retryable as error:
        logger().warning("bank silent", payment_id=str(payment.payment_id), why=str(error))
    except PeerProtocolError as error:
        logger().error("bank nonsense", payment_id=str(payment.payment_id), why=str(error))
    return None
