"""The second factor: a one-time code, or a recovery code in its place.

Invariant: each counts once. Whoever has an authenticator is never let by without one of the two
(ASVS 5.0, 6.3.4); whoever has none yet has nothing to prove with, and a login that only enrols.
"""

from datetime import datetime
from typing import Final

from functions.auth.account_answers import SecondFactor
from functions.shared.access.accounts import Login, find_login, use_code_step
from functions.shared.access.factors import username_of
from functions.shared.access.one_time_codes import matching_step
from functions.shared.access.recovery_codes import use_recovery_code
from functions.shared.access.throttle import Limit, Throttle
from functions.shared.domain.errors import Conflict, Refused
from functions.shared.runtime.composition import Stores

#: Second factors that one user may show, right or wrong: five, then one each 30 seconds.
FACTOR: Final = Limit("factor", 5, 30_000)


def factor_holds(
    stores: Stores,
    login: Login,
    code: str | None,
    recovery_code: str | None,
    network: str,
    now: datetime,
) -> bool:
    """Whether the second factor is right; a right one is used up. Of the two exactly one counts."""
    secret = login.totp_secret(stores.secrets)
    if secret is None:
        return code is None and recovery_code is None and login.state in {"APPLIED", "VERIFIED"}
    if (code is None) == (recovery_code is None):
        return False
    if recovery_code is not None:
        return use_recovery_code(stores.shards, login.user_id, recovery_code, network)
    step = matching_step(secret, code or "", now)
    return step is not None and use_code_step(stores.shards, login.user_id, step)


def my_login(stores: Stores, user_id: int) -> Login:
    """The login behind a session. Raises Refused 401 when its owner was closed or erased since."""
    login = find_login(stores.shards, username_of(stores.shards, user_id))
    if login is None:
        raise Refused(401, "SESSION_ENDED", "the account is closed")
    return login


def require_factor(
    stores: Stores, user_id: int, shown: SecondFactor, network: str, now: datetime
) -> Login:
    """The login of a signed-in user who proves again that it is them (ASVS 5.0, 7.5.1).

    Raises Refused 403 FACTOR_REFUSED, 429 TOO_MANY_REQUESTS; Conflict (TOTP_NOT_ENROLLED).
    """
    login = my_login(stores, user_id)
    if login.sealed_totp_secret is None:
        raise Conflict("TOTP_NOT_ENROLLED", "enrol an authenticator first: POST /v1/auth/totp")
    if shown.totp is None and shown.recovery_code is None:
        raise Refused(403, "FACTOR_REFUSED", "send totp or recovery_code")  # no guess to count
    Throttle(stores.valkey).take(FACTOR, str(user_id))
    if not factor_holds(stores, login, shown.totp, shown.recovery_code, network, now):
        raise Refused(403, "FACTOR_REFUSED", _why_refused(stores, login, shown, now))
    return login


def _why_refused(stores: Stores, login: Login, shown: SecondFactor, now: datetime) -> str:
    """Only who is signed in is told that a code was right once: a login says nothing of it."""
    secret = login.totp_secret(stores.secrets)
    if secret is None or shown.totp is None or shown.recovery_code is not None:
        return "the one-time or recovery code is not right"
    if matching_step(secret, shown.totp, now) is None:
        return "the one-time code is not right"
    return "the one-time code was used already; wait for the authenticator's next one"
