"""A user as officers see them: without what identifies a person, which this function can't decrypt.

Invariant: an officer's look is an entry of the audit trail before anything is shown.
"""

from aws_lambda_powertools.event_handler import Response

from functions.audit.answers import render_limits, render_order_in_short, render_user
from functions.shared.access.accounts import normal_username
from functions.shared.access.audit_trail import note_reading
from functions.shared.access.interventions import user_named, watched_user
from functions.shared.access.roles import Officer
from functions.shared.bookkeeping import reading
from functions.shared.bookkeeping.intervening import account_setting
from functions.shared.clock import trade_date
from functions.shared.domain.errors import NotFound
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.http import respond
from functions.shared.wire.events import render_funds


def show_user(stores: Stores, user_id: int, by: Officer) -> Response[str]:
    """Raises NotFound, Refused 403 ROLE_MISSING, Retryable."""
    note_reading(stores.shards, by, "USER_READ", user_id, {"of": "account"})
    user = watched_user(stores.shards, user_id)
    if user is None:
        raise NotFound("there is no such user")
    return respond(render_user(user_id, user, _account(stores, user_id)))


def show_user_named(stores: Stores, username: str, by: Officer) -> Response[str]:
    """The name itself is not noted: it is personal data, and what was typed may be anything. Raises
    as `show_user`."""
    user_id = user_named(stores.shards, normal_username(username))
    if user_id is None:
        note_reading(stores.shards, by, "USER_READ", None, {"of": "name"})
        raise NotFound("there is no such user")
    return show_user(stores, user_id, by)


def list_orders(
    stores: Stores, user_id: int, rows: int, before: int | None, by: Officer
) -> Response[str]:
    """Newest first. Raises as `show_user`."""
    note_reading(stores.shards, by, "USER_READ", user_id, {"of": "orders"})
    found = reading.orders(stores.shards, user_id, reading.OrderQuery(rows, before))
    following = str(found[-1].order_id) if len(found) == rows else None
    return respond({"items": [render_order_in_short(each) for each in found], "next": following})


def _account(stores: Stores, user_id: int) -> dict[str, object] | None:
    """None until it is open."""
    today = trade_date(stores.clock.now())
    try:
        setting = account_setting(stores.shards, user_id, today)
        funds = reading.funds(stores.shards, user_id, today)
    except NotFound:
        return None
    return {
        "state": setting.state,
        "account_class": setting.account_class,
        "limits": render_limits(setting.limits),
        "open_orders": setting.open_orders,
        "funds": render_funds(funds),
    }
