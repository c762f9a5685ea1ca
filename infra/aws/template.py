"""The template as plain data: what the build and the deployment need to know of it.

Invariant: the list of functions is template.yaml's own; nothing here names a function.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from cfnlint.decode import cfn_yaml

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
FUNCTION = "AWS::Serverless::Function"


class Function(NamedTuple):
    """A function of the template: its logical id, its artifact's folder and its handler."""

    logical_id: str
    folder: Path
    handler: str

    @property
    def module(self) -> str:
        """The module that holds the handler."""
        return self.handler.rpartition(".")[0]


def load_template(path: Path = TEMPLATE) -> dict[str, Any]:
    """The template with its short tags spelled out (`!Ref X` is `{"Ref": "X"}`)."""
    return cast(dict[str, Any], _plain(cfn_yaml.load(str(path))))


def functions_of(template: Mapping[str, Any], root: Path = ROOT) -> tuple[Function, ...]:
    """Every function, in the template's order."""
    return tuple(
        Function(name, root / resource["Properties"]["CodeUri"], resource["Properties"]["Handler"])
        for name, resource in template["Resources"].items()
        if resource["Type"] == FUNCTION
    )


def _plain(node: object) -> object:
    """cfn-lint's nodes carry line numbers; what is written out again must not."""
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return str(node) if isinstance(node, str) else node
