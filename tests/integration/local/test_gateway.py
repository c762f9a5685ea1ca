"""The gateway with real worker processes, on a template and functions of the test's own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from infra.local.gateway.app import BODY_MOST, Gateway
from infra.local.gateway.pool import WAITING_MOST, Pool
from infra.local.gateway.template import read_template
from infra.local.gateway.turns import Turns
from tests.support.eventually import until

# One event loop and one pool for the module: a pool takes a second to start.
pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORDS = Turns(at_once=1, waiting_most=0)
TEMPLATE = """
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      Auth:
        DefaultAuthorizer: Bearer
        Authorizers: {Bearer: {FunctionArn: !GetAtt Gate.Arn}}
      GatewayResponses:
        ACCESS_DENIED:
          ResponseTemplates: {application/json: '{"code":"$context.authorizer.code"}'}
  Gate:
    Type: AWS::Serverless::Function
    Properties: {Handler: gateway_under_test.authorize}
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Handler: gateway_under_test.echo
      Timeout: 29
      Events:
        Echo: {Type: Api, Properties: {Method: POST, Path: "/echo/{name}"}}
        Open: {Type: Api, Properties: {Method: POST, Path: /open, Auth: {Authorizer: NONE}}}
  Dear:
    Type: AWS::Serverless::Function
    Metadata: {PasswordRoutes: [Dear]}
    Properties:
      Handler: gateway_under_test.echo
      Events:
        Dear: {Type: Api, Properties: {Method: POST, Path: /dear, Auth: {Authorizer: NONE}}}
  Brief:
    Type: AWS::Serverless::Function
    Properties:
      Handler: gateway_under_test.echo
      Timeout: 1
      Events:
        Brief: {Type: Api, Properties: {Method: POST, Path: /brief, Auth: {Authorizer: NONE}}}
"""

FUNCTIONS = """
import json, os, time

class Unauthorized(Exception):
    pass

def authorize(event, context):
    token = event["authorizationToken"]
    if token == "nobody":
        raise Unauthorized("Unauthorized")
    if token == "broken":
        raise RuntimeError("a bug")
    effect = "Deny" if token == "denied" else "Allow"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    policy = {"Statement": [statement]}
    context = {"user": token, "code": "TOKEN_EXPIRED"}
    return {"principalId": token, "policyDocument": policy, "context": context}

# As in Powertools' resolvers: whoever comes next overwrites it.
class Current:
    event = None

def echo(event, context):
    Current.event = event
    order = json.loads(event["body"] or "{}")
    if order.get("do") == "die":
        os._exit(3)
    if order.get("do") == "raise":
        raise ValueError("no")
    if order.get("do") == "nonsense":
        return "nonsense"
    if "meet" in order:  # until as many have come here
        open(os.path.join(order["meet"], str(os.getpid())), "w").close()
        while len(os.listdir(order["meet"])) < order["count"]:
            time.sleep(0.005)
    time.sleep(order.get("sleep", 0))
    seen = Current.event
    user = (seen["requestContext"]["authorizer"] or {}).get("user")
    answer = {"user": user, "path": seen["pathParameters"], "body": seen["body"]}
    answer["pid"] = os.getpid()
    return {"statusCode": 200, "body": json.dumps(answer)}
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "gateway_under_test.py").write_text(FUNCTIONS)
    path = folder / "template.yaml"
    path.write_text(TEMPLATE)
    sys.path.insert(0, str(folder))  # the workers are told our path
    yield path
    sys.path.remove(str(folder))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(template: Path) -> AsyncIterator[httpx.AsyncClient]:
    pool = Pool(2, preload=["infra.local.gateway.worker"])
    await pool.start()
    gateway = Gateway(read_template(template), pool, PASSWORDS)
    transport = httpx.ASGITransport(app=gateway)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened
    pool.close()


async def test_a_storm_of_passwords_is_turned_away_and_the_rest_is_served(
    client: httpx.AsyncClient,
) -> None:
    async with PASSWORDS.take():
        refused = await client.post("/dear", json={})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert (await client.post("/open", json={})).status_code == 200
    assert (await client.post("/dear", json={})).status_code == 200


def as_user(name: str) -> dict[str, str]:
    return {"Authorization": name}


async def test_concurrent_requests_of_two_users_are_never_swapped(
    client: httpx.AsyncClient,
) -> None:
    async def ask(number: int) -> None:
        user = f"user-{number % 2}"
        body = {"sleep": 0.002, "number": number}
        answer = await client.post(f"/echo/{user}", json=body, headers=as_user(user))
        seen = answer.json()
        assert seen["user"] == user
        assert seen["path"] == {"name": user}
        assert f'"number":{number}' in seen["body"]

    for _ in range(4):
        await asyncio.gather(*(ask(number) for number in range(90)))


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), (as_user("nobody"), 401), (as_user("denied"), 403), (as_user("broken"), 500)],
)
async def test_nobody_passes_without_the_authorizers_allow(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    answer = await client.post("/echo/a", json={}, headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "TOKEN_EXPIRED"  # the authorizer's word


async def test_an_open_route_asks_no_authorizer(client: httpx.AsyncClient) -> None:
    answer = await client.post("/open", json={})
    assert answer.status_code == 200
    assert answer.json()["user"] is None


@pytest.mark.parametrize("deed", ["die", "raise", "nonsense"])
async def test_a_function_that_fails_is_a_502_and_the_next_request_is_served(
    client: httpx.AsyncClient, deed: str
) -> None:
    for _ in range(3):
        assert (await client.post("/open", json={"do": deed})).status_code == 502
    assert (await client.post("/open", json={})).status_code == 200


async def test_a_function_over_its_time_is_killed_and_answers_nobody_else(
    client: httpx.AsyncClient,
) -> None:
    late = await client.post("/brief", json={"sleep": 60})
    assert late.status_code == 502
    answers = await asyncio.gather(*(client.post("/open", json={"n": n}) for n in range(10)))
    assert [f'"n":{n}' in a.json()["body"] for n, a in enumerate(answers)] == [True] * 10


async def test_past_the_bound_of_waiting_requests_the_next_is_turned_away(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    # Both workers stay where they are until a third file lets them go on.
    held = {"meet": str(tmp_path), "count": 3}
    asked = [
        asyncio.create_task(client.post("/open", json=held)) for _ in range(2 + WAITING_MOST + 5)
    ]
    await until(lambda: sum(task.done() for task in asked) == 5)
    refused = [task.result() for task in asked if task.done()]
    assert [answer.status_code for answer in refused] == [503] * 5
    assert refused[0].headers["retry-after"] == "1"
    (tmp_path / "go on").touch()
    answers = await asyncio.gather(*asked)
    assert sum(answer.status_code == 200 for answer in answers) == 2 + WAITING_MOST


async def test_a_body_past_the_limit_is_a_413(client: httpx.AsyncClient) -> None:
    answer = await client.post("/open", content=b"x" * (BODY_MOST + 1))
    assert answer.status_code == 413


async def test_invocations_run_in_processes_of_their_own(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    meeting = {"meet": str(tmp_path), "count": 2}
    answers = await asyncio.gather(*(client.post("/open", json=meeting) for _ in range(2)))
    pids = {answer.json()["pid"] for answer in answers}
    assert len(pids) == 2
    assert os.getpid() not in pids
