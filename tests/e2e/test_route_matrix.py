"""Every route by every caller: the owner gets through, and nobody else learns that there is one.

Read from the API's document, so that a new route without a sample fails here by its name. ASVS 5.0:
8.2.1 (functions), 8.2.2 (objects), 8.3.1 (by us, not by the client); 7.4.1 and 9.2.1 for tokens.
"""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pyotp
import pytest

from tests.support.api_document import document
from tests.support.forged_tokens import Genuine, expired, signed
from tests.support.route_samples import SAMPLES, filled
from tests.support.stack import Stack
from tests.support.trader import Trader, eventually

_WAIT_SECONDS: Final = 120
_RETRY_SECONDS: Final = 10
_STAFF: Final = ("support", "risk_officer", "auditor")
OPERATIONS: Final[Mapping[str, Any]] = {
    f"{method.upper()} {path}": operation
    for path, operations in document()["paths"].items()
    for method, operation in operations.items()
}
_PROTECTED: Final = [route for route in SAMPLES if OPERATIONS.get(route, {}).get("security")]


@dataclass(frozen=True)
class Call:
    """One route, as one caller calls it about some things."""

    http: httpx.Client
    route: str
    things: Mapping[str, str]
    token: str | None = None

    def answer(self) -> httpx.Response:
        """A 429 that soon passes is waited for: what it keeps off is no matter here."""
        sample = SAMPLES[self.route]
        method, _, path = self.route.partition(" ")
        for name, value in sample.parameters.items():
            path = path.replace(f"{{{name}}}", filled(value, self.things))
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            body = filled(sample.body, self.things)
            url = f"{path}?{sample.query}" if sample.query else path
            found = self.http.request(method, url, json=body, headers=headers)
            if found.status_code != 429 or time.monotonic() > deadline:
                return found
            wait = float(found.headers["Retry-After"])
            if wait > _RETRY_SECONDS:
                return found  # too many guesses at a second factor: refused is refused
            time.sleep(wait)


@dataclass(frozen=True)
class Scene:
    """An owner with one of each thing, a stranger, and a hand that signs as we do."""

    http: httpx.Client
    owner: Trader
    stranger: Trader
    things: Mapping[str, str]
    key: str = field(repr=False)

    def of_the_stranger(self, **claims: Any) -> str:
        """The stranger's own session, saying something else of itself."""
        genuine = Genuine(self.stranger.token, "", self.key, 0)
        return signed(genuine, genuine.claims | claims)

    def expired(self) -> str:
        return expired(Genuine(self.owner.token, "", self.key, 0))

    def call(self, route: str, token: str | None, things: Mapping[str, str]) -> httpx.Response:
        return Call(self.http, route, things, token).answer()


@pytest.fixture(scope="module")
def scene(stack: Stack) -> Iterator[Scene]:
    done = stack.outcry("demo-user", "--count", "2", "--class", "TEST", "--json")
    users = json.loads(done.stdout)
    session = first_session(stack, users[0])
    owner, stranger = (stack.signed_in(user) for user in users)
    mark = uuid.uuid4().hex[:12]
    client_order = f"matrix-{mark}"
    order = {"symbol": "INFY", "side": "BUY", "quantity": 1, "price": "1400"}
    placed = owner.place(**order, client_order_id=client_order).json()
    plan = {**order, "kind": "ICEBERG", "legs": 5, "quantity": 10, "client_id": f"plan-{mark}"}
    started = owner.http.post("/v1/plans", json=plan)
    assert started.status_code == 202, started.text
    paid = owner.http.post(
        "/v1/funds/deposits", json={"client_id": f"pay-{mark}", "amount": "10.00"}
    )
    assert paid.status_code == 202, paid.text
    listed = owner.http.post("/v1/watchlists", json={"name": mark, "symbols": ["INFY"]})
    wanted = {"symbol": "TCS", "kind": "PRICE_ABOVE", "threshold": "800000.00", "note": mark}
    alert = owner.http.post("/v1/alerts", json=wanted)
    assert listed.status_code == 201, listed.text
    owner.wait_for(placed["order_id"], {"OPEN"})
    things = {
        "user": owner.get("/v1/profile")["user_id"],
        "username": owner.user["username"],
        "order": placed["order_id"],
        "client_order": client_order,
        "plan": started.json()["plan_id"],
        "watchlist": listed.json()["watchlist_id"],
        "alert": alert.json()["alert_id"],
        "payment": f"pay-{mark}",
        "session": session,
    }
    key = (stack.home / "secrets" / "token-signing-key").read_text()
    with httpx.Client(base_url=stack.api, timeout=60, verify=False) as http:
        yield Scene(http, owner, stranger, things, key)


def first_session(stack: Stack, user: Mapping[str, str]) -> str:
    """A session by the code of the step before, which leaves the code of now for the next one."""

    def log_in() -> httpx.Response:
        code = pyotp.TOTP(user["totp_secret"]).at(time.time() - 30)
        body = {**{k: user[k] for k in ("username", "password")}, "totp": code}
        return httpx.post(f"{stack.api}/v1/auth/login", json=body, verify=False)

    found = eventually(log_in, lambda answer: answer.status_code == 200, _WAIT_SECONDS)
    return str(found.json()["session_id"])


def without_ids(answer: httpx.Response, things: Mapping[str, str]) -> str:
    """The body as it would be of any other thing."""
    body = {k: v for k, v in answer.json().items() if k != "request_id"}
    text = json.dumps(body)
    for thing in things.values():
        text = text.replace(thing, "ID")
    return text


#: Numbers of nobody's.
NOTHING: Final = {
    "user": "4503599627370497", "watchlist": "00000000-0000-4000-8000-000000000001",
    "alert": "118253937935253514",
    "order": "118253937935253512", "plan": "118253937935253513",
    "session": "00000000-0000-4000-8000-000000000000",
}  # fmt: skip


def test_each_route_of_the_document_has_a_sample_and_says_who_may_call_it() -> None:
    assert sorted(SAMPLES) == sorted(OPERATIONS)
    for route, operation in OPERATIONS.items():
        parameters = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert (route, set(SAMPLES[route].parameters)) == (route, parameters)


def test_nobody_without_a_good_token_gets_to_a_route(scene: Scene) -> None:
    found: dict[tuple[str, str], object] = {}
    for route in _PROTECTED:
        for name, token in (("none", None), ("expired", scene.expired()), ("bad", "a.b.c")):
            about = [scene.call(route, token, each) for each in (scene.things, NOTHING)]
            bodies = {without_ids(a, {**scene.things, **NOTHING}) for a in about}
            codes = {(a.status_code, a.json()["code"]) for a in about}
            found[route, name] = codes if len(bodies) == 1 else bodies
    why = {"none": "TOKEN_MISSING", "expired": "TOKEN_EXPIRED", "bad": "TOKEN_INVALID"}
    assert found == {(route, name): {(401, why[name])} for route, name in found}


def test_a_session_without_the_scope_gets_to_no_route_that_needs_it(scene: Scene) -> None:
    found: dict[str, object] = {}
    scopes = Genuine(scene.stranger.token, "", scene.key, 0).claims["scopes"]
    for route in _PROTECTED:
        needed = OPERATIONS[route]["security"][0]["bearer"]
        token = scene.of_the_stranger(scopes=[s for s in scopes if s not in needed])
        if needed:
            about = [scene.call(route, token, each) for each in (scene.things, NOTHING)]
            bodies = {without_ids(a, {**scene.things, **NOTHING}) for a in about}
            codes = {(a.status_code, a.json()["code"]) for a in about}
            found[route] = codes if len(bodies) == 1 else bodies
    assert found == {route: {(403, "SCOPE_MISSING")} for route in found}
    assert len(found) > 20


def test_others_and_staff_find_nothing_of_the_owners_and_change_nothing(scene: Scene) -> None:
    before = belongings(scene)
    tokens = {"stranger": scene.stranger.token}
    for role in _STAFF:
        scopes = [*Genuine(scene.stranger.token, "", scene.key, 0).claims["scopes"], "admin"]
        tokens[role] = scene.of_the_stranger(roles=["user", role], scopes=sorted(scopes))
    wrong = []
    for route, sample in SAMPLES.items():
        if sample.ends_the_session:
            continue
        names_a_thing = any("{" in each for each in sample.parameters.values())
        # The tokens say roles that the database doesn't know of: it is looked at, too.
        refused = {403, 404} if "/v1/admin/" in route else {404}
        public = not OPERATIONS[route]["security"]  # all of them are one stranger there
        for who, token in list(tokens.items())[: 1 if public else None]:
            answer = scene.call(route, token, scene.things)
            if names_a_thing:
                absent = scene.call(route, token, NOTHING)
                same = without_ids(answer, scene.things) == without_ids(absent, NOTHING)
                good = same and answer.status_code == absent.status_code in refused
            else:
                # All four are one user: what one did before may be a 409 or a 429 for the next.
                said = {sample.status, 409, 429, *refused}
                good = answer.is_success or answer.status_code in said
                good &= not any(thing in answer.text for thing in ids_of(scene))
            if not good:
                wrong.append((route, who, answer.status_code, answer.text[:200]))
    assert wrong == []
    assert belongings(scene) == before


def test_the_stream_tells_each_their_own_events_alone(scene: Scene) -> None:
    with scene.owner.stream() as mine, scene.stranger.stream() as theirs:
        theirs.send(action="resume", seq=0)
        theirs.until(lambda o: "user_seq" in o)
        placed = scene.owner.place(symbol="INFY", side="BUY", quantity=1, price="1400").json()
        number = placed["order_id"]
        mine.until(lambda o: o["type"] == "order" and o["order_id"] == number)
        theirs.send(action="ping", id="after")
        theirs.until(lambda o: o["type"] == "pong")
        seen = json.dumps(theirs.seen)
    assert not [thing for thing in (number, *ids_of(scene)) if thing in seen]


def test_the_owner_gets_through_everywhere_and_finds_what_is_theirs(scene: Scene) -> None:
    """Last: in the end nothing of the owner's is left, the session not either."""
    wrong = []
    for route, sample in SAMPLES.items():
        if sample.ends_the_session:
            ended = scene.call(route, scene.stranger.token, scene.things)
            assert ended.status_code == sample.status
        token = scene.owner.token if OPERATIONS[route]["security"] else None
        answer = scene.call(route, token, scene.things)
        missing = [name for name in sample.shows if scene.things[name] not in answer.text]
        if answer.status_code != sample.status or missing:
            wrong.append((route, answer.status_code, missing, answer.text[:200]))
    assert wrong == []
    assert scene.call("GET /v1/profile", scene.owner.token, {}).status_code == 401


def ids_of(scene: Scene) -> list[str]:
    """What of the owner's others must not read. They send the same client ids as the owner does,
    which are each user's own."""
    return [
        scene.things[name] for name in ("user", "username", "order", "plan", "watchlist", "session")
    ]


def belongings(scene: Scene) -> list[Any]:
    """What somebody else might have changed."""
    reads = ("orders", "plans", "watchlists", "funds/payments", "auth/sessions", "ledger")
    return [scene.owner.get(f"/v1/{each}") for each in reads]
