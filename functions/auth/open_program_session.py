"""A program's session: an API key, its secret, and its owner's one-time code.

Invariant: all three are right, from an address of the key's, or nothing is opened; whoever doesn't
have the secret learns nothing of the key, and can't use up its owner's tries.
"""

from datetime import datetime
from typing import Final

from functions.auth.answers import Tokens
from functions.auth.issue import tokens_for
from functions.auth.log_in import opening
from functions.auth.prove import FACTOR, factor_holds, my_login
from functions.shared.access.api_keys import key_of_secret, open_key_session, wrong_key
from functions.shared.access.countries import country_of
from functions.shared.access.principal import require_network
from functions.shared.access.sessions import Session
from functions.shared.access.throttle import Limit, Throttle, network_of
from functions.shared.runtime.composition import Stores

#: Tries of one key from one network. Closed while Valkey is away, as every login is.
_KEY: Final = Limit("key", 10, 10_000)


def open_program_session(
    stores: Stores, key_id: str, secret: str, code: str, address: str, now: datetime
) -> Tokens:
    """Raises Refused: 401 INVALID_CREDENTIALS, 403 ADDRESS_NOT_ALLOWED, 429 TOO_MANY_REQUESTS."""
    network, throttle = network_of(address), Throttle(stores.valkey)
    throttle.take(_KEY, key_id, network)
    database = stores.shards.control
    key = key_of_secret(database, key_id, secret)
    require_network(key.networks, address)
    throttle.take(FACTOR, str(key.user_id))
    login = my_login(stores, key.user_id)
    if not factor_holds(stores, login, code, None, network, now):
        raise wrong_key()
    made = opening(stores, now)
    open_key_session(database, key, login.factors, made, network, country_of(address), now)
    session = Session(made.session_id, login.user_id, login.roles, login.mode, made.end.expires_at)
    return tokens_for(stores, session, made.refresh, now)
