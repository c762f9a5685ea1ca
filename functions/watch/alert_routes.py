"""The routes of price alerts: set, listed, dropped. What they wait for is watched by
edge/triggers/alerts.py; told is what functions/orders/act_on_triggers.py has the ledger write.

Invariant: an alert that is answered here is in the ledger, and watched from its event on.
"""

from aws_lambda_powertools.event_handler import Response

from functions.shared.domain.calendar import market_status
from functions.shared.domain.errors import Conflict, NotFound
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.described import described
from functions.shared.runtime.http import needs, no_content, principal, respond
from functions.shared.stores.price_alerts import PriceAlerts
from functions.shared.stores.wake import wake_relay
from functions.watch import keep_watchlists
from functions.watch.alert_answers import (
    PriceAlertAnswer,
    PriceAlertList,
    SetAlertBody,
    alert_answer,
)
from functions.watch.api import app
from functions.watch.keep_watchlists import require_listed

_TAGS = ["Alerts"]
_NUMBER_MAX = 2**63 - 1


@app.get("/v1/alerts", security=needs("read"), summary="My price alerts", tags=_TAGS)
def get_alerts() -> PriceAlertList:
    """Those that wait and those that were told, until you drop them."""
    found = PriceAlerts(composition.stores().shards).all(principal(app).user_id)
    return PriceAlertList(items=[alert_answer(each) for each in found])


@app.post(
    "/v1/alerts",
    security=needs("account"),
    summary="Set a price alert",
    tags=_TAGS,
    responses=described(
        {200: PriceAlertAnswer, 201: PriceAlertAnswer},
        {404: ["NOT_FOUND", "UNKNOWN_SYMBOL"], 409: ["TOO_MANY"]},
    ),
)
def post_alert(body: SetAlertBody) -> Response[str]:
    """Told by `alert` on the stream and by mail when the last price, the day's change or the day's
    volume is there; at once if it is already. 200 when one waited for the same."""
    stores, user_id = composition.stores(), principal(app).user_id
    require_listed(stores, (), [body.symbol])
    now, most = stores.clock.now(), keep_watchlists.settings().alerts
    today = market_status(now, stores.clock.hours).trade_date
    outcome, found = PriceAlerts(stores.shards).set(user_id, body.wanted(), most, today, now)
    if found is None:
        raise Conflict("TOO_MANY", f"there are {most} alerts; drop one that you need no more")
    _wake(stores, user_id)
    return respond(alert_answer(found).model_dump(), 201 if outcome == "SET" else 200)


@app.delete(
    "/v1/alerts/<alert_id>",
    security=needs("account"),
    summary="Drop a price alert",
    tags=_TAGS,
    responses=described({204: None}, {404: ["NOT_FOUND"]}),
)
def delete_alert(alert_id: str) -> Response[str]:
    """One that waits waits no more, one that was told is forgotten."""
    stores, user_id = composition.stores(), principal(app).user_id
    now = stores.clock.now()
    today = market_status(now, stores.clock.hours).trade_date
    if not PriceAlerts(stores.shards).drop(user_id, _id(alert_id), today, now):
        raise NotFound(f"no alert {alert_id[:40]!r}")
    _wake(stores, user_id)
    return no_content()


def _wake(stores: Stores, user_id: int) -> None:
    wake_relay(stores.valkey, stores.shards.number_of_user(user_id))


def _id(text: str) -> int:
    """Raises NotFound for what can't be an alert's id."""
    if text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _NUMBER_MAX:
        return int(text)
    raise NotFound(f"no alert {text[:40]!r}")
