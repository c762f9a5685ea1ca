"""Reading template.yaml as the embedded gateway does."""

from pathlib import Path

import pytest

from infra.local.gateway.template import TemplateError, read_template

HEAD = """
Parameters:
  Target: {Type: String, Default: aws}
Conditions:
  OnAws: !Equals [!Ref Target, aws]
Globals:
  Function: {Timeout: 7}
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      Auth:
        DefaultAuthorizer: Bearer
        Authorizers:
          Bearer: {FunctionArn: !GetAtt Gate.Arn}
      GatewayResponses:
        UNAUTHORIZED:
          StatusCode: 401
          ResponseParameters: {Headers: {WWW-Authenticate: "'Bearer'"}}
          ResponseTemplates: {application/json: '{"code":"TOKEN_INVALID"}'}
  Gate:
    Type: AWS::Serverless::Function
    Properties: {Handler: gate.handler}
  Reports:
    Type: AWS::Kinesis::Stream
    Properties: {Name: reports.0}
"""


def written(tmp_path: Path, resources: str) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(HEAD + resources)
    return path


def test_a_route_has_the_default_authorizer_unless_it_says_none(tmp_path: Path) -> None:
    template = read_template(
        written(
            tmp_path,
            """
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      Handler: orders.handler
      Events:
        Place: {Type: Api, Properties: {Method: post, Path: /orders}}
        Open: {Type: Api, Properties: {Method: get, Path: /open, Auth: {Authorizer: NONE}}}
""",
        )
    )
    place, opened = template.routes
    assert (place.method, place.path) == ("POST", "/orders")
    assert place.authorizer is not None
    assert place.authorizer.handler == "gate.handler"
    assert opened.authorizer is None


def test_globals_apply_where_a_function_says_nothing(tmp_path: Path) -> None:
    (gate,) = read_template(written(tmp_path, "")).functions
    assert gate.timeout_seconds == 7


def test_a_stream_is_found_through_its_condition(tmp_path: Path) -> None:
    template = read_template(
        written(
            tmp_path,
            """
  Apply:
    Type: AWS::Serverless::Function
    Properties:
      Handler: apply.handler
      Events:
        Reports:
          Type: Kinesis
          Properties:
            Stream: !If [OnAws, !Ref Reader, !GetAtt Reports.Arn]
            BatchSize: 25
""",
        )
    )
    (source,) = template.streams
    assert (source.stream, source.batch_size) == ("reports.0", 25)


def test_an_event_nobody_serves_here_stops_the_start(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
  Odd:
    Type: AWS::Serverless::Function
    Properties:
      Handler: odd.handler
      Events: {Queue: {Type: SQS, Properties: {}}}
""",
    )
    with pytest.raises(TemplateError, match=r"Odd\.Queue: no SQS"):
        read_template(path)


def scheduled(tmp_path: Path, properties: str) -> Path:
    return written(
        tmp_path,
        f"""
  Settle:
    Type: AWS::Serverless::Function
    Properties:
      Handler: settle.handler
      Events:
        EachMinute: {{Type: Schedule, Properties: {properties}}}
""",
    )


@pytest.mark.parametrize(
    ("rate", "minutes"),
    [("rate(1 minute)", 1), ("rate(2 minutes)", 2), ("rate(15 minutes)", 15)],
)
def test_a_schedule_is_a_rate_of_minutes(tmp_path: Path, rate: str, minutes: int) -> None:
    (schedule,) = read_template(scheduled(tmp_path, f"{{Schedule: {rate}}}")).schedules
    assert (schedule.name, schedule.minutes) == ("Settle.EachMinute", minutes)
    assert schedule.function.handler == "settle.handler"


@pytest.mark.parametrize(
    "schedule", ["cron(0 12 * * ? *)", "rate(1 hour)", "rate(0 minutes)", "rate(1 minutes)"]
)
def test_another_kind_of_schedule_stops_the_start(tmp_path: Path, schedule: str) -> None:
    path = scheduled(tmp_path, f"{{Schedule: {schedule!r}}}")
    with pytest.raises(TemplateError, match=r"Settle\.EachMinute: .* is neither rate"):
        read_template(path)


def test_a_property_of_a_schedule_that_does_nothing_here_stops_the_start(tmp_path: Path) -> None:
    path = scheduled(tmp_path, "{Schedule: rate(1 minute), Enabled: false}")
    with pytest.raises(TemplateError, match="Enabled"):
        read_template(path)


def test_a_schedule_that_is_disabled_is_not_fired(tmp_path: Path) -> None:
    path = scheduled(tmp_path, "{Schedule: rate(1 minute), State: DISABLED}")
    assert read_template(path).schedules == ()


def test_what_hashes_a_password_is_named_among_the_functions_own_events(tmp_path: Path) -> None:
    auth = """
  Auth:
    Type: AWS::Serverless::Function
    Metadata: {PasswordRoutes: [%s]}
    Properties:
      Handler: auth.handler
      Events:
        LogIn: {Type: Api, Properties: {Method: post, Path: /login}}
        Profile: {Type: Api, Properties: {Method: get, Path: /profile}}
"""
    template = read_template(written(tmp_path, auth % "LogIn"))
    assert [route.hashes_password for route in template.routes] == [True, False]
    with pytest.raises(TemplateError, match="LogOn"):
        read_template(written(tmp_path, auth % "LogOn"))


def test_the_projects_own_template_is_understood() -> None:
    template = read_template()
    assert "/v1/auth/login" in {each.path for each in template.routes if each.hashes_password}
    paths = {(route.method, route.path) for route in template.routes}
    assert ("POST", "/v1/orders") in paths
    streams = [source.stream for source in template.streams]
    assert streams == ["commands.0", "executions.0", "listings.0", "ledger-events"]
    assert "DrawVolumeCurves.EachFiveMinutes" in {each.name for each in template.schedules}
    open_to_all = {route.path for route in template.routes if route.authorizer is None}
    assert open_to_all == {
        "/v1/accounts",
        "/v1/accounts/confirmation",
        "/v1/auth/challenge",
        "/v1/auth/login",
        "/v1/auth/password-reset",
        "/v1/auth/refresh",
        "/v1/auth/token",
        "/v1/search",
        "/v1/openapi.json",
        "/docs",
        "/health",
    }
