"""What was decided of an account or a symbol, done where orders are placed.

Flow: a decision on shard 0, in one transaction with its audit entry -> here, at once, and each
minute for what was not done (a shard that was away, a process killed in between). Invariant: the
shard takes each entry once and keeps the latest, so doing it again changes nothing; it is marked
done only when the account has its event and the user's sessions are known to have ended.
"""

from collections.abc import Iterator
from typing import Any

from functions.audit import order_breaker
from functions.shared.access import interventions
from functions.shared.access.breaker_orders import open_words
from functions.shared.access.interventions import Halt, Intervention
from functions.shared.access.sessions import Sessions
from functions.shared.bookkeeping.intervening import halts_known, intervene, set_halt
from functions.shared.domain.errors import NotFound, Refused, Retryable
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.runtime.scheduled import ScheduledRun
from functions.shared.stores.postgres import Database
from functions.shared.stores.wake import wake_relay


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Each minute: how many interventions were carried out, halts told to a shard, and words on the
    whole market made statements."""
    stores = composition.stores()
    run = ScheduledRun(context, "accounts", "halts", "breaker")
    run.each("accounts", interventions.pending(stores.shards), _counted(stores))
    words_on_the_market = iter(open_words(stores.shards))
    run.each("breaker", words_on_the_market, lambda word: order_breaker.carry_out(stores, word))
    words = interventions.halts(stores.shards)

    def tell(database: Database) -> None:
        known = halts_known(database)
        run.each("halts", _news(words, known), lambda word: _tell(database, word))

    return run.over_shards(stores, tell)


def carry_out(stores: Stores, audit_id: int) -> bool:
    """Does what an entry left to be done to an account. False when it could not be done now: the
    schedule does it."""
    try:
        for intervention in interventions.left_by(stores.shards, audit_id):
            _do(stores, intervention)
    except (Retryable, NotFound, Refused) as error:
        logger().warning("left to the schedule", entry=audit_id, why=str(error))
        return False
    return True


def tell_halts(stores: Stores) -> bool:
    """Tells every shard the latest word on each symbol. False when one could not be told now: the
    schedule does it."""
    told = True
    words = interventions.halts(stores.shards)
    for number, database in enumerate(stores.shards.databases):
        try:
            for word in _news(words, halts_known(database)):
                _tell(database, word)
        except Retryable as error:
            logger().warning("halt left to the schedule", shard=number, why=str(error))
            told = False
    return told


def _do(stores: Stores, intervention: Intervention) -> None:
    """Money first: the account takes no orders before anything else is said."""
    user_id, kind = intervention.user_id, intervention.kind
    seq = None
    if kind != "SESSIONS":
        seq = intervene(
            stores.shards, user_id, intervention.audit_id, kind, intervention.value,
            stores.clock.now(),
        )  # fmt: skip
        wake_relay(stores.valkey, stores.shards.number_of_user(user_id))
    ended = interventions.sessions_ended(stores.shards, user_id)
    Sessions(stores.shards.control, stores.valkey).announce_ends(ended)
    interventions.finish(stores.shards, intervention.audit_id, seq)


def _counted(stores: Stores) -> Any:
    def act(intervention: Intervention) -> int:
        _do(stores, intervention)
        return 1

    return act


def _news(words: list[Halt], known: dict[str, int]) -> Iterator[Halt]:
    return (word for word in words if known.get(word.symbol, 0) < word.audit_id)


def _tell(database: Database, word: Halt) -> int:
    set_halt(database, word.symbol, word.state, word.audit_id)
    return 1
