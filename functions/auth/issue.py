"""The pair of tokens that stands for a session."""

from datetime import datetime

from functions.auth.answers import Tokens
from functions.shared.access.keys import signing_key
from functions.shared.access.sessions import Session
from functions.shared.access.tokens import LIFETIME, issue_token
from functions.shared.runtime.composition import Stores


def tokens_for(stores: Stores, session: Session, refresh: str, now: datetime) -> Tokens:
    """An access token for the session, beside the refresh token that follows it."""
    token = issue_token(
        signing_key(stores.secrets),
        user_id=session.user_id,
        session_id=session.session_id,
        roles=session.roles,
        mode=session.mode,
        region=stores.regions.home,
        now=now,
    )
    return Tokens(
        access_token=token,
        expires_in=int(LIFETIME.total_seconds()),
        refresh_token=refresh,
        session_id=session.session_id,
    )
