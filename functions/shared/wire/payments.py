"""A payment as the ledger tells of it, and as clients see it.

Invariant: one function renders a payment, so every answer says the same of it.
"""

import msgspec

from functions.shared.domain.money import format_amount
from functions.shared.domain.payments import Direction, PaymentState
from functions.shared.wire.events import format_time


class PaymentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A payment's row. `amount` in paise, times in microseconds since 1970; `waits`: the bank will
    be asked again by itself. `requested_seq` and `ended_seq` are events of the user's log."""

    payment_id: int
    client_id: str
    direction: Direction
    amount: int
    state: PaymentState
    attempts: int
    waits: bool
    reason: str | None
    rules: list[dict[str, object]] | None
    requested_seq: int | None
    ended_seq: int | None
    created_at: int
    updated_at: int


_decoder = msgspec.json.Decoder(PaymentFacts)

#: A deposit is BOOKED once it is in the ledger; whatever the bank has yet to say is PENDING.
_STATUS = {
    PaymentState.REQUESTED: "PENDING",
    PaymentState.SENT: "PENDING",
    PaymentState.COLLECTED: "BOOKED",
}


def decode_payment(text: str | bytes) -> PaymentFacts:
    return _decoder.decode(text)


def render_payment(payment: PaymentFacts) -> dict[str, object]:
    """The payment as clients see it. `seq`: its latest event of the log."""
    return {
        "payment_id": str(payment.payment_id),
        "client_id": payment.client_id,
        "direction": payment.direction,
        "amount": format_amount(payment.amount),
        "status": _STATUS.get(payment.state, payment.state),
        "reason": payment.reason or _first_rule(payment),
        "seq": payment.ended_seq or payment.requested_seq,
        "created_at": format_time(payment.created_at),
        "updated_at": format_time(payment.updated_at),
    }


def _first_rule(payment: PaymentFacts) -> str | None:
    return str(payment.rules[0]["message"]) if payment.rules else None
