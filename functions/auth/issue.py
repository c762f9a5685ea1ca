"""The pair of tokens that stands for a session."""

from datetime import datetime

from functions.auth.answers import Tokens
from functions.shared.access.api_keys import key_of_session
from functions.shared.access.keys import signing_key
from functions.shared.access.people import read_state
from functions.shared.access.principal import person_scopes
from functions.shared.access.sessions import Session
from functions.shared.access.tokens import LIFETIME, issue_token
from functions.shared.clock import micros
from functions.shared.runtime.composition import Stores
from functions.shared.wire.events import format_time


def tokens_for(stores: Stores, session: Session, refresh: str, now: datetime) -> Tokens:
    """An access token for the session, beside the refresh token that follows it. Neither counts
    past the session's end.

    The state is read behind the session's opening or renewal: whoever was frozen before it shows it
    here, and whoever is frozen after it loses the session.
    """
    state = read_state(stores.shards, session.user_id) or "CLOSED"
    key = key_of_session(stores.shards.control, session.session_id)
    token = issue_token(
        signing_key(stores.secrets),
        user_id=session.user_id,
        session_id=session.session_id,
        roles=session.roles if key is None else (),
        mode=session.mode,
        region=stores.regions.home,
        scopes=person_scopes(state, session.roles) if key is None else key.session_scopes(state),
        kind="PERSON" if key is None else "PROGRAM",
        addresses=() if key is None else key.networks,
        algo_id=None if key is None else key.order_algo,
        now=now,
        until=session.expires_at,
    )
    life = min(LIFETIME, session.expires_at - now)
    return Tokens(
        access_token=token,
        expires_in=max(0, int(life.total_seconds())),
        refresh_token=refresh,
        session_id=session.session_id,
        session_expires_at=format_time(micros(session.expires_at)),
    )
