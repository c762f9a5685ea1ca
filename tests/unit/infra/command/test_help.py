"""`--help` of every command says what each of its parameters is."""

from collections.abc import Iterator

import cyclopts
import pytest

from infra.command.main import app


def commands(of: cyclopts.App) -> Iterator[cyclopts.App]:
    for name in of:
        if name in {*of.help_flags, *of.version_flags}:
            continue
        yield from commands(of[name])
    if of.default_command is not None:
        yield of


@pytest.mark.parametrize("command", commands(app), ids=lambda command: command.name[0])
def test_every_parameter_is_explained(command: cyclopts.App) -> None:
    unexplained = [
        argument.name
        for argument in command.assemble_argument_collection(parse_docstring=True)
        if argument.show and not argument.parameter.help
    ]
    assert unexplained == []


def test_a_command_known_by_name_alone_is_listed_with_the_help_it_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app.help_print([])
    listed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name in ("ledger", "orders", "payments", "bank", "shards", "regions", "users"):
        assert f"{name} {app[name].help.split(chr(10))[0]}" in listed
