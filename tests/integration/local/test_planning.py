"""Which parts a stack has, and who is told where what is, before anything starts."""

from pathlib import Path

import pytest

from infra.local import clickhouse
from infra.local.home import Home
from infra.local.options import Options
from infra.local.parts import Part
from infra.local.plan import OwnServers, Plan, make_plan

MINE = "http://me:secret@clickhouse.example:8443/outcry"
NAME = "OUTCRY_CLICKHOUSE_URL"


def planned(folder: Path, own: str | None = None) -> tuple[Plan, dict[str, Part]]:
    home = Home(folder)
    home.create()
    options = Options(api_port=0, stream_port=0)
    plan = make_plan(home, options, OwnServers(clickhouse_url=own), lambda _: None)
    return plan, {part.name: part for part in plan.parts}


@pytest.mark.parametrize(
    ("installed", "own", "has_part"),
    [(True, None, True), (True, MINE, False), (False, None, False), (False, MINE, False)],
)
def test_candles_go_to_a_server_of_ones_own_or_the_embedded_one_or_nowhere(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    installed: bool,
    own: str | None,
    has_part: bool,
) -> None:
    monkeypatch.setattr(clickhouse, "is_installed", lambda: installed)
    plan, parts = planned(tmp_path, own)
    assert ("clickhouse" in parts) == has_part
    if own is not None:
        assert plan.stores.clickhouse == own
    elif installed:
        assert plan.stores.clickhouse is not None
        assert plan.stores.clickhouse.startswith("embedded://:")
        assert plan.stores.clickhouse not in str(parts["clickhouse"].command)
    else:
        assert plan.stores.clickhouse is None
    told = {name for name, part in parts.items() if part.environment.get(NAME)}
    assert told == ({"ingest", "api"} if own or installed else set())
    assert {parts[name].environment[NAME] for name in told} <= {plan.stores.clickhouse}
