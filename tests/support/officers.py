"""The broker's own people in tests: somebody with a session and roles, at a function's door."""

from collections.abc import Callable
from dataclasses import dataclass, field

from functions.audit import handler as audit
from functions.shared.access.keys import signing_key
from functions.shared.access.principal import person_scopes
from functions.shared.access.sessions import Sessions
from functions.shared.access.tokens import issue_token
from functions.shared.bookkeeping import intervening
from functions.shared.clock import trade_date, wall_now
from functions.shared.runtime.composition import Stores
from tests.support.api_events import Answer, Handler, api_event, call
from tests.support.sessions import open_session

WHY = {"why": "asked for by the client"}


@dataclass
class Person:
    """Somebody with a session; `token` says the roles that the database does."""

    stores: Stores
    user_id: int
    roles: tuple[str, ...]
    session_id: str = field(init=False)

    def __post_init__(self) -> None:
        self.session_id, _ = open_session(self.stores, self.user_id, wall_now())

    @property
    def path(self) -> str:
        return f"/v1/admin/users/{self.user_id}"

    def ask(
        self, method: str, path: str, body: object = None, door: Handler = audit.lambda_handler
    ) -> Answer:
        token = issue_token(
            signing_key(self.stores.secrets), user_id=self.user_id, session_id=self.session_id,
            roles=self.roles, mode="PAPER", region="IN", now=wall_now(),
            scopes=person_scopes("ACTIVE", self.roles), kind="PERSON",
        )  # fmt: skip
        return call(door, api_event(method, path, body, token=token))

    def approves(self, asked: Answer) -> Answer:
        assert asked.status == 202, asked.body
        return self.ask("POST", f"/v1/admin/requests/{asked.body['request_id']}/approve", WHY)

    def setting(self) -> intervening.AccountSetting:
        today = trade_date(self.stores.clock.now())
        return intervening.account_setting(self.stores.shards, self.user_id, today)

    def is_signed_in(self) -> bool:
        sessions = Sessions(self.stores.shards.control, self.stores.valkey)
        return sessions.is_alive(self.session_id, wall_now())

    def told(self) -> list[tuple[str, int | None, str | None]]:
        """The entries about this user, oldest first: action, actor, network."""
        rows = self.stores.shards.control.run(
            "SELECT action, actor, network FROM identity.audit WHERE subject = :u::bigint"
            " AND action <> 'LOGIN_OK' ORDER BY audit_id",
            u=self.user_id,
        )
        return [(action, actor, network) for action, actor, network in rows]


Hire = Callable[..., Person]
