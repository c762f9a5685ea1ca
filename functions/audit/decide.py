"""What a risk officer decides alone, and what becomes a request for a second one.

Invariant: whichever it is, is decided in the database, under the lock of what it is about; what was
decided is carried out at once if it can be, and by the schedule if not.
"""

from typing import NamedTuple

import msgspec

from functions.audit.answers import DecisionAnswer, HaltState, RequestAnswer, request_answer
from functions.audit.carry_out import carry_out, tell_halts
from functions.audit.order_breaker import carry_out_words
from functions.shared.access import interventions, requests
from functions.shared.access.people import read_state
from functions.shared.access.requests import RequestAction
from functions.shared.access.roles import Officer
from functions.shared.bookkeeping.closing import what_remains
from functions.shared.bookkeeping.intervening import AccountLimits, encode_limits
from functions.shared.domain.errors import Conflict, NotFound, Refused
from functions.shared.runtime.composition import Stores


class Target(NamedTuple):
    """What a halt is of: a symbol ('' is the market), or a user."""

    symbol: str | None
    user_id: int | None


def target_of(stores: Stores, symbol: str | None, user_id: str | None) -> Target:
    """Raises Refused 404 UNKNOWN_SYMBOL, Retryable."""
    if user_id is not None:
        return Target(None, int(user_id))
    if symbol is not None and stores.instruments.get(symbol) is None:
        raise Refused(404, "UNKNOWN_SYMBOL", f"{symbol[:40]!r} is not listed", symbol=symbol[:40])
    return Target(symbol or "", None)


def halt(
    stores: Stores, target: Target, state: HaltState, by: Officer, why: str
) -> DecisionAnswer | RequestAnswer:
    """Raises Refused 403, NotFound, Conflict NOTHING_TO_DO or REQUEST_OPEN, Retryable."""
    symbol, user_id = target
    audit_id = interventions.set_halt(stores.shards, symbol, user_id, state, by, why)
    if audit_id is not None:
        return done(stores, audit_id)
    detail: dict[str, object] = {"state": state}
    if symbol is not None:
        detail["symbol"] = symbol
    return request_answer(
        requests.ask(stores.shards, RequestAction.LIFT_HALT, user_id, detail, by, why)
    )


def limits(
    stores: Stores, user_id: int, wanted: AccountLimits, by: Officer, why: str
) -> DecisionAnswer | RequestAnswer:
    """Raises as `halt`."""
    value = encode_limits(wanted)
    audit_id = interventions.set_limits(stores.shards, user_id, value, by, why)
    if audit_id is not None:
        return done(stores, audit_id)
    detail: dict[str, object] = {"limits": None if value is None else msgspec.json.decode(value)}
    return request_answer(
        requests.ask(stores.shards, RequestAction.RAISE_LIMITS, user_id, detail, by, why)
    )


def require_erasable(stores: Stores, user_id: int) -> None:
    """Raises Conflict STATE_MOVED unless the account is closed, Refused 422 ACCOUNT_NOT_EMPTY when
    it still has something, NotFound, Retryable."""
    state = read_state(stores.shards, user_id)
    if state is None:
        raise NotFound("there is no such user")
    if state != "CLOSED":
        raise Conflict("STATE_MOVED", "only a closed account can be erased")
    if remains := what_remains(stores.shards, user_id):
        text = f"there is still: {', '.join(remains)}"
        raise Refused(422, "ACCOUNT_NOT_EMPTY", text, remains=remains)


def done(stores: Stores, audit_id: int) -> DecisionAnswer:
    """Carries out what the entry decided."""
    applied = [carry_out(stores, audit_id), tell_halts(stores), carry_out_words(stores)]
    return DecisionAnswer(audit_id=str(audit_id), applied=all(applied))
