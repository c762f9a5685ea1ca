"""A person with an account, signed in, who asks functions on real stores."""

import uuid
from collections.abc import Mapping

from functions.shared.access.accounts import create_user
from functions.shared.access.keys import signing_key
from functions.shared.access.one_time_codes import new_secret
from functions.shared.access.principal import Scope, person_scopes
from functions.shared.access.tokens import issue_token
from functions.shared.bookkeeping.accounts import open_account
from functions.shared.clock import wall_now
from functions.shared.domain.accounts import AccountClass
from functions.shared.runtime.composition import Stores
from tests.support.api_events import Answer, Handler, api_event, call
from tests.support.sessions import open_session


class Person:
    """One user with a session of these scopes."""

    def __init__(
        self, stores: Stores, scopes: frozenset[Scope] = person_scopes("ACTIVE", ())
    ) -> None:
        now = wall_now()
        self.user_id = create_user(
            stores.shards, stores.secrets, username=f"u{uuid.uuid4().hex[:12]}",
            password="long enough", totp_secret=new_secret(),
        )  # fmt: skip
        open_account(stores.shards, self.user_id, now, AccountClass.TEST)
        session, _ = open_session(stores, self.user_id, now)
        self._token = issue_token(
            signing_key(stores.secrets), user_id=self.user_id, session_id=session, roles=("user",),
            mode="PAPER", region="IN", scopes=scopes, kind="PERSON", now=now,
        )  # fmt: skip

    def ask(
        self,
        handler: Handler,
        method: str,
        target: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The function's answer, held against the API's document."""
        event = api_event(method, target, body, token=self._token, headers=headers)
        return call(handler, event)
