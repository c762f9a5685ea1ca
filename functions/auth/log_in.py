"""Login: user name, password and one-time code to a new session and its first tokens.

Invariant: a stranger learns one thing from a refusal, that it was one; the same code, text and
work whether the name, the password or the code is wrong (ASVS 5.0, 6.3.8). What was right from a
new device, network and country at once opens nothing before a mailed code has come back.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from functions.auth.answers import LoginAnswer
from functions.auth.issue import tokens_for
from functions.auth.login_mail import mail_code
from functions.auth.notices import RECOVERY_USED, notify
from functions.auth.prove import factor_holds
from functions.shared.access.accounts import (
    Login,
    find_login,
    normal_username,
    note_refusal,
    replace_password_hash,
)
from functions.shared.access.challenges import new_challenge
from functions.shared.access.countries import country_of
from functions.shared.access.daily_logout import SessionEnd, session_end
from functions.shared.access.devices import device_digest, new_device_token
from functions.shared.access.guesses import Bucket, Guesses, LoginPatience
from functions.shared.access.one_time_codes import matching_step
from functions.shared.access.passwords import needs_rehash, password_matches
from functions.shared.access.regions import region_of_login
from functions.shared.access.sessions import Arrival, Opening, Sessions
from functions.shared.access.throttle import network_of
from functions.shared.domain.errors import Refused
from functions.shared.runtime.composition import Stores

#: A one-time code is compared for a user name that nobody has, too.
_NOBODYS_SECRET: Final = "A" * 32


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What was typed, and the token of the device it was typed on. Never logged: no `repr`."""

    username: str
    password: str
    code: str | None
    device_token: str | None
    recovery_code: str | None = None


def log_in(stores: Stores, given: Credentials, address: str, now: datetime) -> LoginAnswer:
    """Opens a session.

    Raises Refused: 401 INVALID_CREDENTIALS, 403 LOGIN_HELD with the `challenge_id` that the mailed
    code answers, 421 WRONG_REGION for a user name that another region told us of, 429
    TOO_MANY_REQUESTS.
    """
    network, name = network_of(address), normal_username(given.username)
    guesses, patience = Guesses(stores.valkey), _patience(stores)
    device = device_digest(given.device_token) if given.device_token is not None else None
    login = find_login(stores.shards, name, device, now)
    buckets: list[Bucket]
    if device is not None and login is not None and login.on_known_device:
        buckets = patience.of_device(name, device)
    else:
        buckets = patience.of_stranger(name, network)
    guesses.take(buckets)
    elsewhere = region_of_login(stores.shards, stores.secrets, name)  # asked for every name alike
    if login is None and elsewhere is not None:
        stores.regions.require_home(elsewhere)
    if not _is_right(stores, login, given, network, now) or login is None:
        note_refusal(stores.shards, login, network)
        raise Refused(401, "INVALID_CREDENTIALS", "the user name, password or code is not right")
    guesses.right(buckets)
    if given.recovery_code is not None and given.code is None:
        notify(stores, login.user_id, RECOVERY_USED)
    if needs_rehash(login.password_hash):
        login = replace_password_hash(stores.shards, login, given.password)
    token = given.device_token if login.on_known_device else None
    return _open(stores, login, token or new_device_token(), address, now)


def opening(stores: Stores, now: datetime) -> Opening:
    """What the next session is opened with."""
    lead = timedelta(minutes=stores.settings.logout_minutes)
    end: SessionEnd = session_end(stores.clock, now, lead)
    return Opening.new(stores.regions.home, end)


def _open(
    stores: Stores, login: Login, device_token: str, address: str, now: datetime
) -> LoginAnswer:
    made, challenge = opening(stores, now), new_challenge(now)
    arrival = Arrival(network_of(address), country_of(address), device_digest(device_token))
    sessions = Sessions(stores.shards.control, stores.valkey)
    session = sessions.log_in(login.user_id, login.factors, made, arrival, challenge, now)
    if session is None:
        mail_code(stores, login.user_id, challenge, arrival, now)
        raise Refused(
            403,
            "LOGIN_HELD",
            "a new device in a new country: send the code that was mailed to you",
            challenge_id=challenge.challenge_id,
            expires_in=int((challenge.expires_at - now).total_seconds()),
        )
    tokens = tokens_for(stores, session, made.refresh, now)
    return LoginAnswer(**tokens.model_dump(), device_token=device_token)


def _is_right(
    stores: Stores, login: Login | None, given: Credentials, network: str, now: datetime
) -> bool:
    """Whether password and code are. Both are looked at in every case, so that all refusals cost
    the same hash; a code is used up by a right password alone."""
    secret = login.totp_secret(stores.secrets) if login else _NOBODYS_SECRET
    matching_step(secret or _NOBODYS_SECRET, given.code or "", now)
    password_is = password_matches(login.password_hash if login else None, given.password)
    if login is None or not password_is:
        return False
    return factor_holds(stores, login, given.code, given.recovery_code, network, now)


def _patience(stores: Stores) -> LoginPatience:
    return LoginPatience(stores.settings.login_tries, stores.settings.login_tries_network)
