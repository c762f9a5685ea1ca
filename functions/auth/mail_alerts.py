"""The mails of price alerts that were told, to whoever set them.

Invariant: an alert is due until its mail was taken; a run that dies between the two mails it again.
What can't be sent for its address's sake is due no more, and said in the log.
"""

from typing import Any, Final

from functions.shared.access.personal_data import personal_fields
from functions.shared.domain.errors import InvariantViolated, NotFound, Refused, Retryable
from functions.shared.domain.money import format_price
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.stores.price_alerts import DueMail, PriceAlerts
from functions.shared.wire.alerts import what_came

#: Mails a run sends of each shard's; the rest are due still when the next run comes.
ALERTS_MOST: Final = 200


def mail_alerts(stores: Stores, context: Any, reserve_milliseconds: int) -> int:
    """How many were mailed, in the time that Lambda's `context` leaves beyond the reserve."""
    alerts, mailed = PriceAlerts(stores.shards), 0
    for due in alerts.to_mail(ALERTS_MOST):
        if context.get_remaining_time_in_millis() < reserve_milliseconds:
            break
        try:
            mailed += _mail(stores, due)
            alerts.mailed(due)
        except Retryable as error:
            logger().warning("alert not mailed", user_id=str(due.user_id), why=str(error))
    return mailed


def _mail(stores: Stores, due: DueMail) -> bool:
    """Whether there was somebody to mail it to. Raises Retryable."""
    alert = due.alert
    what = f"{alert.symbol} {what_came(alert.kind, alert.threshold)}"
    price = format_price(alert.fired_price or 0)
    again = "You are told again on a later day." if alert.repeats else "It is told once."
    note = f"\n\nYour note: {alert.note}" if alert.note else ""
    try:
        mail = personal_fields(stores.shards, stores.secrets, due.user_id).get("mail")
        if mail is None:
            return False
        stores.mail.send(mail, what, f"{what}. The last price was {price}. {again}{note}")
    except (Refused, NotFound, InvariantViolated) as error:
        logger().error("alert not mailed", user_id=str(due.user_id), why=str(error))
        return False
    return True
