"""A forgotten password: a token by mail, and the second factor all the same (ASVS 5.0, 6.4.3).

Flow: a row for whatever address -> the schedule of applications, each minute, which finds out whose
it is and mails (mail_resets) -> the token comes back. Invariant: asking tells nobody whether an
address is known: the same answer after the same work (6.3.8). A token is for 15 minutes, counts
once and allows five guesses of the second factor; a stranger who asks, too, voids none.
"""

from datetime import datetime
from typing import Final

from functions.auth import notices
from functions.auth.account_answers import ResetRequest
from functions.auth.announce_ends import announce_ends
from functions.auth.password_rules import require_good_password
from functions.auth.prove import factor_holds
from functions.auth.sign_up import TOKEN_TRIES
from functions.shared.access import factors
from functions.shared.access.accounts import find_login
from functions.shared.access.passwords import hash_password
from functions.shared.access.personal_data import mail_digest
from functions.shared.access.throttle import Limit, Throttle
from functions.shared.domain.errors import Refused
from functions.shared.runtime.composition import Stores

#: Resets asked for by one network: for whatever addresses, and for one of them.
ASK_RESET: Final = Limit("ask-reset", 10, 60_000)
ASK_RESET_OF: Final = Limit("ask-reset-of", 3, 600_000)
#: And for one address by all the world. Fewer within a token's life than tokens are kept.
RESET_TO: Final = Limit("reset-to", 10, 600_000)


def ask_reset(stores: Stores, mail: str, network: str, now: datetime) -> None:
    """Raises Refused 429, by address as by network, whether the address is known or not."""
    throttle, address = Throttle(stores.valkey), mail_digest(stores.secrets, mail).hex()
    throttle.take(ASK_RESET, network)
    throttle.take(ASK_RESET_OF, address, network)  # so that one network can't use up the next
    throttle.take(RESET_TO, address)
    factors.ask_reset(stores.shards, stores.secrets, mail, now, network)


def reset(stores: Stores, asked: ResetRequest, network: str, now: datetime) -> None:
    """Raises Refused 403 RESET_REFUSED for whatever of it is wrong, 422 PASSWORD_TOO_WEAK, 429."""
    Throttle(stores.valkey).take(TOKEN_TRIES, network)
    username = factors.try_reset(stores.shards, asked.token, now)
    login = find_login(stores.shards, username) if username else None
    if username is None or login is None:
        raise _refused()
    # Before the code, which would be spent on a password that is not taken.
    require_good_password(asked.new_password, username)
    if not factor_holds(stores, login, asked.totp, asked.recovery_code, network, now):
        raise _refused()
    ends = factors.reset_password(
        stores.shards, asked.token, hash_password(asked.new_password), now, network
    )
    if ends is None:
        raise _refused()
    notices.notify(stores, login.user_id, notices.PASSWORD)
    announce_ends(stores, ends)


def _refused() -> Refused:
    return Refused(403, "RESET_REFUSED", "the token or the second factor is not right")
