"""The schedule that drives every payment to its end: each minute, shard by shard.

It finds what is due by itself: what the API recorded and did not send, what the bank did not
answer, what the bank decides later. Invariant: run twice at once or cut off anywhere, it moves no
money twice; a bank that stays silent ends the run, and no payment; a payment whose bank or books
contradict themselves is said aloud and holds up nobody else's.
"""

from datetime import datetime
from typing import Any, Final

from functions.ledger.ask_bank import ask_bank
from functions.shared.bookkeeping.payments import due_payments, stuck_payments
from functions.shared.domain.errors import InvariantViolated, Retryable
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.stores.postgres import Database

#: Payments a run takes of one shard; the rest are due still when the next run comes.
PAYMENTS_MOST: Final = 200
#: Payments of one shard that may be put off in a run before the shard itself is taken to be away.
PUT_OFF_MOST: Final = 3
#: A question needs less; a run with less time left ends by itself.
_RESERVE_MILLISECONDS: Final = 5_000


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """How many payments the bank was asked about. Raises InvariantViolated at the end when one
    could not be worked."""
    stores = composition.stores()
    run = _Run(stores, context, stores.clock.now())
    for shard, database in enumerate(stores.shards.databases):
        try:
            run.drive(database)
            _tell_stuck(database)
        except Retryable as error:  # the others' payments don't wait for this one
            logger().warning("shard skipped", shard=shard, why=str(error))
    if run.broken:
        raise InvariantViolated(f"{run.broken} payments could not be worked")
    return {"asked": run.asked}


def _tell_stuck(database: Database) -> None:
    """One line a run for as long as a payment of the shard waits for a person; an alarm reads it.

    Raises Retryable.
    """
    stuck = stuck_payments(database, PAYMENTS_MOST)
    if stuck:
        logger().error("payments stuck", count=len(stuck), payment_ids=[str(one) for one in stuck])


class _Run:
    """One run of the schedule over every shard."""

    def __init__(self, stores: Stores, context: Any, now: datetime) -> None:
        self._stores = stores
        self._context = context
        self._now = now
        self.asked = 0
        self.broken = 0

    def drive(self, database: Database) -> None:
        """Asks about what is due on one shard. A payment whose account is busy, or on its way to
        another shard, is put off to the next run. Raises Retryable when the shard can't be asked.
        """
        put_off = 0
        for user_id, payment in due_payments(database, self._now, PAYMENTS_MOST):
            if self._stores.bank.rests or self._is_late():
                return
            try:
                ask_bank(self._stores, user_id, payment)
            except Retryable as error:
                put_off += 1
                if put_off > PUT_OFF_MOST:
                    raise
                why = str(error)
                logger().warning("payment put off", payment_id=str(payment.payment_id), why=why)
            except InvariantViolated as error:
                self.broken += 1
                logger().error(
                    "payment not worked", payment_id=str(payment.payment_id), why=str(error)
                )
            else:
                self.asked += 1

    def _is_late(self) -> bool:
        left: int = self._context.get_remaining_time_in_millis()
        return left < _RESERVE_MILLISECONDS
