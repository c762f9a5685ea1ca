"""Sessions without a login, for tests of what comes after one."""

from datetime import datetime, timedelta

from functions.shared.access.challenges import new_challenge
from functions.shared.access.daily_logout import SessionEnd
from functions.shared.access.devices import device_digest
from functions.shared.access.sessions import Arrival, Opening, Sessions
from functions.shared.runtime.composition import Stores

LIFE = timedelta(hours=12)
ARRIVAL = Arrival("203.0.113.7", "LOCAL", device_digest("a device"))


def open_session(
    stores: Stores, user_id: int, now: datetime, end: SessionEnd | None = None
) -> tuple[str, str]:
    """Its id and its first refresh token."""
    opening = Opening.new("IN", end or SessionEnd(now + LIFE, now + LIFE))
    sessions = Sessions(stores.shards.control, stores.valkey)
    factors = factors_of(stores, user_id)
    assert sessions.log_in(user_id, factors, opening, ARRIVAL, new_challenge(now), now)
    return opening.session_id, opening.refresh


def factors_of(stores: Stores, user_id: int) -> bytes:
    """What a login of now is right by."""
    [[factors]] = stores.shards.control.run(
        "SELECT sha256(convert_to(password_hash, 'UTF8') || coalesce(totp_secret, ''))"
        " FROM identity.login WHERE user_id = :user::bigint",
        user=user_id,
    )
    return bytes(factors)
