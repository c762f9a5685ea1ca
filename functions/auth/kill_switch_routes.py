"""The route of a user's own kill switch, beside what proves a person: turning it off asks for it.

Invariant: a session is enough to stop, in one call; to go on takes the time that the ledger says
and the second factor, which is not used up while it is too early.
"""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, StrictBool

from functions.auth.account_answers import SecondFactor
from functions.auth.api import app
from functions.auth.prove import require_factor
from functions.shared.access.throttle import network_of
from functions.shared.bookkeeping.limiting import (
    Cancelled,
    kill_switch_of,
    turn_off_kill_switch,
    turn_on_kill_switch,
)
from functions.shared.clock import micros, trade_date, wall_now
from functions.shared.domain.errors import Refused
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.described import IdText, TimeText, described
from functions.shared.runtime.fields import example
from functions.shared.runtime.http import client_address, needs, principal
from functions.shared.stores.wake import wake_relay
from functions.shared.wire.events import format_time


class KillSwitchRequest(SecondFactor):
    """To turn it off, exactly one of the two beside it."""

    model_config = example({"on": True})

    on: StrictBool


class KillSwitchAnswer(BaseModel):
    """`since`: of the latest turn, null when it was never turned; `may_end_at`: when it may be
    turned off, null while it is off. The numbers are those that this call asked to cancel."""

    on: Annotated[bool, Field(examples=[True])]
    since: TimeText | None
    may_end_at: TimeText | None
    cancelled_orders: Annotated[list[IdText], Field(examples=[[]])]
    cancelled_plans: Annotated[list[IdText], Field(examples=[[]])]


@app.post(
    "/v1/risk/kill-switch",
    security=needs("trade"),
    summary="Turn my kill switch on or off",
    tags=["Risk"],
    responses=described(
        {200: KillSwitchAnswer},
        {
            403: ["SCOPE_MISSING", "FACTOR_REFUSED"],
            404: ["NOT_FOUND"],
            409: ["TOTP_NOT_ENROLLED"],
            422: ["KILL_SWITCH_WAITS"],
            429: ["TOO_MANY_REQUESTS"],
        },
    ),
)
def post_kill_switch(body: KillSwitchRequest) -> KillSwitchAnswer:
    """On: every order and plan that could open is cancelled, and none is taken until it is off;
    what can only reduce stays and is taken, stops and other exits among it. Off: 12 hours later at
    the earliest, with `totp` or `recovery_code`. Asked again it is as it is."""
    stores, user_id, now = composition.stores(), principal(app).user_id, wall_now()
    if body.on:
        business = stores.clock.business_at(now)
        cancelled = turn_on_kill_switch(stores.shards, user_id, trade_date(business), business)
        wake_relay(stores.valkey, stores.shards.number_of_user(user_id))
    else:
        cancelled = Cancelled((), ())
        _turn_off(stores, user_id, body, now)
    return _answer(stores, user_id, cancelled, now)


def _turn_off(stores: Stores, user_id: int, shown: SecondFactor, now: datetime) -> None:
    business = stores.clock.business_at(now)
    today = trade_date(business)
    state = kill_switch_of(stores.shards, user_id, today)
    if not state.is_on:
        return
    _require_time(business, state.may_end_at)
    require_factor(stores, user_id, shown, network_of(client_address(app)), now)
    _require_time(business, turn_off_kill_switch(stores.shards, user_id, today, business))
    wake_relay(stores.valkey, stores.shards.number_of_user(user_id))


def _require_time(now: datetime, may_end_at: datetime | None) -> None:
    if may_end_at is not None and now < may_end_at:
        until = format_time(micros(may_end_at))
        raise Refused(
            422, "KILL_SWITCH_WAITS", f"it may be turned off from {until}", may_end_at=until
        )


def _answer(stores: Stores, user_id: int, cancelled: Cancelled, now: datetime) -> KillSwitchAnswer:
    state = kill_switch_of(stores.shards, user_id, trade_date(stores.clock.business_at(now)))
    return KillSwitchAnswer(
        on=state.is_on,
        since=None if state.since is None else format_time(micros(state.since)),
        may_end_at=None if state.may_end_at is None else format_time(micros(state.may_end_at)),
        cancelled_orders=[str(number) for number in cancelled.orders],
        cancelled_plans=[str(number) for number in cancelled.plans],
    )
