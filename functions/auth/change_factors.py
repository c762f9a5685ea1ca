"""Another authenticator, recovery codes or password, for somebody who is signed in.

Invariant: each asks for what proved its owner before (ASVS 5.0, 7.5.1), ends the other sessions
(7.4.3) and is mailed; a secret or a code is shown once and never again.
"""

from datetime import datetime
from typing import Final

import pyotp

from functions.auth.account_answers import (
    EnrolRequest,
    FactorRequest,
    OfferedTotp,
    PasswordRequest,
    RecoveryCodes,
)
from functions.auth.activate import activate_if_ready
from functions.auth.announce_ends import announce_ends
from functions.auth.notices import FIRST_TOTP, PASSWORD, RECOVERY, TOTP, notify
from functions.auth.password_rules import require_good_password
from functions.auth.prove import FACTOR, my_login, require_factor
from functions.shared.access import factors
from functions.shared.access.one_time_codes import matching_step, new_secret
from functions.shared.access.passwords import hash_password, password_matches
from functions.shared.access.principal import Principal
from functions.shared.access.recovery_codes import put_recovery_codes
from functions.shared.access.throttle import Throttle
from functions.shared.domain.errors import Conflict, Refused
from functions.shared.runtime.composition import Stores

_ISSUER: Final = "Outcry"


def offer(
    stores: Stores, user_id: int, asked: EnrolRequest, network: str, now: datetime
) -> OfferedTotp:
    """Raises Refused 403 FACTOR_REFUSED when the old authenticator is not shown."""
    if my_login(stores, user_id).sealed_totp_secret is not None:
        require_factor(stores, user_id, asked, network, now)
    secret = new_secret()
    factors.offer_totp(stores.shards, stores.secrets, user_id, secret, now)
    name = factors.username_of(stores.shards, user_id)
    return OfferedTotp(
        secret=secret, uri=pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=_ISSUER)
    )


def confirm(stores: Stores, me: Principal, code: str, network: str, now: datetime) -> RecoveryCodes:
    """Raises Refused 403 FACTOR_REFUSED, 429; Conflict (TOTP_NOT_OFFERED)."""
    offered = factors.find_offer(stores.shards, stores.secrets, me.user_id, now)
    if offered is None:
        raise _not_offered()
    Throttle(stores.valkey).take(FACTOR, str(me.user_id))
    step = matching_step(offered.secret, code, now)
    if step is None:
        raise Refused(403, "FACTOR_REFUSED", "the code is not the new authenticator's")
    had_one = my_login(stores, me.user_id).sealed_totp_secret is not None
    confirmed = factors.confirm_totp(
        stores.shards, me.user_id, offered, step, me.session_id, now, network
    )
    if confirmed is None:
        raise _not_offered()
    codes, ends = confirmed
    notify(stores, me.user_id, TOTP if had_one else FIRST_TOTP)
    announce_ends(stores, ends)
    activate_if_ready(stores, my_login(stores, me.user_id))
    return RecoveryCodes(recovery_codes=codes)


def new_codes(
    stores: Stores, user_id: int, asked: FactorRequest, network: str, now: datetime
) -> RecoveryCodes:
    """Raises as `require_factor` does."""
    require_factor(stores, user_id, asked, network, now)
    codes = put_recovery_codes(stores.shards, user_id, network)
    notify(stores, user_id, RECOVERY)
    return RecoveryCodes(recovery_codes=codes)


def change_password(
    stores: Stores, me: Principal, asked: PasswordRequest, network: str, now: datetime
) -> None:
    """Raises Refused 403 FACTOR_REFUSED, 422 PASSWORD_TOO_WEAK, 429."""
    require_good_password(asked.new_password, factors.username_of(stores.shards, me.user_id))
    login = require_factor(stores, me.user_id, asked, network, now)
    if not password_matches(login.password_hash, asked.password):
        raise _wrong_password()
    ends = factors.change_password(
        stores.shards,
        me.user_id,
        old_hash=login.password_hash,
        new_hash=hash_password(asked.new_password),
        session_id=me.session_id,
        now=now,
        network=network,
    )
    if ends is None:
        raise _wrong_password()
    notify(stores, me.user_id, PASSWORD)
    announce_ends(stores, ends)


def _wrong_password() -> Refused:
    return Refused(403, "FACTOR_REFUSED", "the password is not right")


def _not_offered() -> Conflict:
    return Conflict("TOTP_NOT_OFFERED", "set an authenticator up first: POST /v1/auth/totp")
