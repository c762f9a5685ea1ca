"""Money in and out: each step of a payment is one call, decided under the account's lock.

request -> attempt -> (the bank) -> end. Invariant: before the bank is asked the ledger says that it
may have been, and what it answers is booked once, however often it answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from functions.shared.domain.errors import Conflict
from functions.shared.domain.payments import (
    ATTEMPTS_MOST,
    UNDER_WAY_MOST,
    Direction,
    PaymentHappening,
)
from functions.shared.stores.postgres import Database, Shards
from functions.shared.wire.payments import PaymentFacts, decode_payment

_REQUEST = (
    "SELECT outcome, payment FROM ledger.request_payment(:user_id, :direction, :client_id, :amount,"
    " :under_way_most, :today, :now)"
)
_ATTEMPT = "SELECT ledger.attempt_payment(:user_id, :payment_id, :attempts_most, :today, :now)"
_END = "SELECT ledger.end_payment(:user_id, :payment_id, :happening, :reason, :today, :now)"
_DUE = (
    "SELECT user_id, ledger.payment_facts(p) FROM ledger.payment p WHERE due_at <= :now"
    " ORDER BY due_at LIMIT :rows"
)
_STUCK = (
    "SELECT payment_id FROM ledger.payment WHERE state IN ('REQUESTED', 'SENT') AND due_at IS NULL"
    " ORDER BY payment_id LIMIT :rows"
)
_PAYMENTS = (
    "SELECT ledger.payment_facts(p) FROM ledger.payment p WHERE p.user_id = :user_id"
    " AND (:before::bigint IS NULL OR p.payment_id < :before)"
    " ORDER BY p.payment_id DESC LIMIT :rows"
)


@dataclass(frozen=True, slots=True)
class RequestedPayment:
    """What became of a request; `replayed` when it had been made before."""

    payment: PaymentFacts
    replayed: bool


def request_payment(
    shards: Shards,
    user_id: int,
    direction: Direction,
    client_id: str,
    amount: int,
    today: date,
    now: datetime,
) -> RequestedPayment:
    """Records that `amount` paise are to move. Money out leaves the account's cash here; a request
    that breaks a rule comes back REFUSED, with the rules.

    Raises Conflict when the id was used for another amount, NotFound when there is no account.
    """
    outcome, payment = shards.of_user(user_id).call(
        _REQUEST,
        user_id=user_id,
        direction=direction.value,
        client_id=client_id,
        amount=amount,
        under_way_most=UNDER_WAY_MOST,
        today=today,
        now=now,
    )[0]
    if outcome == "KEY_REUSED":
        raise Conflict("ID_REUSED", f"client_id {client_id!r} was used for another amount")
    return RequestedPayment(decode_payment(payment), outcome == "REPLAY")


def attempt_payment(
    shards: Shards, user_id: int, payment_id: int, today: date, now: datetime
) -> PaymentFacts | None:
    """Says that the bank is about to be asked. None when that is not due: then don't ask."""
    text = shards.of_user(user_id).call(
        _ATTEMPT,
        user_id=user_id,
        payment_id=payment_id,
        attempts_most=ATTEMPTS_MOST,
        today=today,
        now=now,
    )[0][0]
    return None if text is None else decode_payment(text)


def end_payment(
    shards: Shards,
    user_id: int,
    payment_id: int,
    happening: Literal[PaymentHappening.DONE, PaymentHappening.REFUSED],
    reason: str | None,
    today: date,
    now: datetime,
) -> PaymentFacts:
    """Books the bank's last word, once. Raises InvariantViolated when it contradicts the first."""
    text = shards.of_user(user_id).call(
        _END,
        user_id=user_id,
        payment_id=payment_id,
        happening=happening.value,
        reason=reason,
        today=today,
        now=now,
    )[0][0]
    return decode_payment(text)


def due_payments(
    database: Database, now: datetime, rows: int
) -> Sequence[tuple[int, PaymentFacts]]:
    """The payments of one shard that the bank is to be asked about by now, longest due first, each
    with its user."""
    found = database.run(_DUE, now=now, rows=rows)
    return [(user_id, decode_payment(payment)) for user_id, payment in found]


def stuck_payments(database: Database, rows: int) -> list[int]:
    """The payments of one shard that nothing asks the bank about any more: a person must."""
    return [int(row[0]) for row in database.run(_STUCK, rows=rows)]


def list_payments(
    shards: Shards, user_id: int, before: int | None, rows: int
) -> list[PaymentFacts]:
    """The user's payments, newest first, behind payment `before`."""
    found = shards.of_user(user_id).run(_PAYMENTS, user_id=user_id, before=before, rows=rows)
    return [decode_payment(row[0]) for row in found]
