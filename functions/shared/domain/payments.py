"""The life of a payment between a customer's bank account and the ledger.

Invariant: a state changes only along `TRANSITIONS`; a pair that isn't there is refused. The
database holds the same rows (a test compares them). Money out has left the customer's cash before
the bank hears of it; money in is the customer's once the bank has it. From the moment the bank may
have heard of a payment, only the bank's word ends it.
"""

from enum import StrEnum
from typing import Final

#: How often the bank is asked about one payment before a person must look: with the pauses of
#: `ledger.attempt_payment`, for about seven hours.
ATTEMPTS_MOST: Final = 12
#: How many payments of a user may be under way at once.
UNDER_WAY_MOST: Final = 20


class Direction(StrEnum):
    """As the ledger sees it."""

    IN = "IN"
    OUT = "OUT"


class PaymentState(StrEnum):
    """REFUSED is ours and reached no bank; FAILED and RETURNED are the bank's refusal."""

    REQUESTED = "REQUESTED"
    SENT = "SENT"
    COLLECTED = "COLLECTED"
    FAILED = "FAILED"
    PAID = "PAID"
    RETURNED = "RETURNED"
    REFUSED = "REFUSED"


class PaymentHappening(StrEnum):
    """ASKED: the bank may hear of it from now on. DONE and REFUSED: the bank's last word."""

    ASKED = "ASKED"
    DONE = "DONE"
    REFUSED = "REFUSED"


UNDER_WAY: Final = frozenset({PaymentState.REQUESTED, PaymentState.SENT})

_D, _S, _H = Direction, PaymentState, PaymentHappening

#: {(direction, state, happening): next state}. What isn't here doesn't happen.
TRANSITIONS: Final[dict[tuple[Direction, PaymentState, PaymentHappening], PaymentState]] = {
    (_D.OUT, _S.REQUESTED, _H.ASKED): _S.SENT,
    (_D.OUT, _S.SENT, _H.ASKED): _S.SENT,
    (_D.OUT, _S.SENT, _H.DONE): _S.PAID,
    (_D.OUT, _S.SENT, _H.REFUSED): _S.RETURNED,
    (_D.IN, _S.REQUESTED, _H.ASKED): _S.REQUESTED,
    (_D.IN, _S.REQUESTED, _H.DONE): _S.COLLECTED,
    (_D.IN, _S.REQUESTED, _H.REFUSED): _S.FAILED,
    # The bank's last word, heard once more.
    (_D.OUT, _S.PAID, _H.DONE): _S.PAID,
    (_D.OUT, _S.RETURNED, _H.REFUSED): _S.RETURNED,
    (_D.IN, _S.COLLECTED, _H.DONE): _S.COLLECTED,
    (_D.IN, _S.FAILED, _H.REFUSED): _S.FAILED,
}
