"""Login: user name, password and one-time code to a new session and its first tokens.

Invariant: a stranger learns one thing from a refusal, that it was one; the same code, text and
work whether the name, the password or the code is wrong (ASVS 5.0, 6.3.8).
"""

from datetime import datetime

from functions.auth.answers import Tokens
from functions.auth.issue import tokens_for
from functions.shared.access.accounts import (
    Login,
    find_login,
    normal_username,
    replace_password_hash,
    use_code_step,
)
from functions.shared.access.one_time_codes import matching_step
from functions.shared.access.passwords import needs_rehash, password_matches
from functions.shared.access.regions import region_of_login
from functions.shared.access.sessions import Session, Sessions
from functions.shared.access.throttle import LOGIN, Throttle, network_of
from functions.shared.domain.errors import Refused
from functions.shared.runtime.composition import Stores


def log_in(
    stores: Stores, username: str, password: str, code: str, address: str, now: datetime
) -> Tokens:
    """Opens a session.

    Raises Refused: 401 INVALID_CREDENTIALS, 421 WRONG_REGION for a user name that another region
    told us of, 429 TOO_MANY_REQUESTS.
    """
    throttle = Throttle(stores.valkey)
    subject = (normal_username(username), network_of(address))
    throttle.take(LOGIN, *subject)
    login = find_login(stores.shards, username)
    if login is None:
        region = region_of_login(stores.shards, stores.secrets, normal_username(username))
        if region is not None:
            stores.regions.require_home(region)
    # The password comes first in every case, so that all refusals cost the same hash.
    if not password_matches(login.password_hash if login else None, password) or login is None:
        raise _wrong()
    if not _code_is_good(stores, login, code, now):
        raise _wrong()
    throttle.give_back(LOGIN, *subject)
    if needs_rehash(login.password_hash):
        replace_password_hash(stores.shards, login, password)
    session_id, refresh = Sessions(stores.shards.control, stores.valkey).open(
        login.user_id, stores.regions.home, now
    )
    session = Session(session_id, login.user_id, login.roles, login.mode)
    return tokens_for(stores, session, refresh, now)


def _code_is_good(stores: Stores, login: Login, code: str, now: datetime) -> bool:
    step = matching_step(login.totp_secret(stores.secrets), code, now)
    return step is not None and use_code_step(stores.shards, login.user_id, step)


def _wrong() -> Refused:
    return Refused(401, "INVALID_CREDENTIALS", "the user name, password or code is not right")
