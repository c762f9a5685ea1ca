"""A risk officer halts the whole market as the circuit breaker does, says when it opens, opens it.

Flow: a word with its audit entry on shard 0 -> a statement of ledger.market_halt -> every shard and
the cache; the watch (edge/ingest) tells the stream. Invariant: the statement's cause is the entry's
number, so that whoever carries it out, and however often, it is made once.
"""

from functions.audit.answers import BreakerBody, DecisionAnswer, RequestAnswer, request_answer
from functions.shared.access import breaker_orders, requests
from functions.shared.access.breaker_orders import BreakerWord
from functions.shared.access.requests import RequestAction
from functions.shared.access.roles import Officer
from functions.shared.domain.errors import Retryable
from functions.shared.domain.market_halts import ordered_halt
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.stores.market_halts import (
    cache_halt,
    last_halt,
    say_halt,
    spread_halt,
    was_said,
)

_THOUGHTS_MOST = 5


def order_breaker(stores: Stores, body: BreakerBody, by: Officer) -> DecisionAnswer | RequestAnswer:
    """Raises Refused 403, Conflict NOTHING_TO_DO or REQUEST_OPEN, Retryable."""
    order = body.order()
    audit_id = breaker_orders.order_breaker(stores.shards, order, by, body.why, stores.clock.now())
    if audit_id is not None:
        return DecisionAnswer(audit_id=str(audit_id), applied=carry_out_words(stores))
    detail = breaker_orders.order_detail(order)
    found = requests.ask(stores.shards, RequestAction.LIFT_BREAKER, None, detail, by, body.why)
    return request_answer(found)


def carry_out_words(stores: Stores) -> bool:
    """Carries out what was ordered. False when it could not be done now: the schedule does it."""
    try:
        for word in breaker_orders.open_words(stores.shards):
            carry_out(stores, word)
    except Retryable as error:
        logger().warning("breaker left to the schedule", why=str(error))
        return False
    return True


def carry_out(stores: Stores, word: BreakerWord) -> int:
    """Makes the statement, has it known, and marks the word done. Raises Retryable."""
    control = stores.shards.control
    for _ in range(_THOUGHTS_MOST):
        standing, now = last_halt(control), stores.clock.now()
        halt = ordered_halt(standing, now, word.order, word.audit_id)
        if was_said(control, halt.cause) or say_halt(control, halt):
            break
    else:
        raise Retryable("others speak of a halt at the same time")
    standing = last_halt(control)
    if standing is not None:
        away = spread_halt(stores.shards, standing)
        cache_halt(stores.valkey, standing)
        if away:
            raise Retryable(f"shards {away} were not told")
    breaker_orders.finish(stores.shards, word)
    return 1
