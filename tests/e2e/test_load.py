"""`outcry load stream` on a running stack."""

import json
from pathlib import Path

import pytest

from infra.command import load
from tests.support.stack import Stack

CONNECTIONS = 10


def test_many_connections_of_one_user_watch_the_stack_s_prices(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = stack.trader().token
    monkeypatch.setenv("OUTCRY_HOME", str(stack.home))
    monkeypatch.setattr(load, "demo_token", lambda *_: token)  # its code of this moment is spent
    target, tokens, symbols, node = load.find_place(None, None, None)
    assert f"ws://{target.host}:{target.port}{target.path}" == stack.stream
    assert (tokens, node) == ([token], stack.pid_of("fanout"))
    assert len(symbols) >= 20

    for name, lines in (("tokens", tokens), ("listing", symbols)):
        (tmp_path / name).write_text("\n".join(lines))
    done = stack.outcry(
        "load", "stream", "--connections", str(CONNECTIONS), "--seconds", "1", "--json",
        "--to", stack.stream, "--tokens", str(tmp_path / "tokens"),
        "--listing", str(tmp_path / "listing"),
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert (told["opened"], told["refused"], told["lost"]) == (CONNECTIONS, {}, {}), done.stderr
    assert done.returncode == (1 if told["silent"] else 0)
