"""What a handler reaches: our modules, the libraries they import, the AWS services they call.

Read from the source, nothing is executed, so it says the same on any Python. Invariant: an import
inside a function counts, one for the type checker alone does not, and a path out of `functions`
stops the build: edge, infra and tui never travel with a function.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

OURS = frozenset({"functions", "edge", "infra", "outcry_client", "tui"})


class BuildError(Exception):
    """The build can't go on; the message says what to change."""


@dataclass(slots=True)
class Reach:
    """Files of ours below the root, modules of libraries, names of AWS services."""

    files: set[Path] = field(default_factory=set)
    libraries: set[str] = field(default_factory=set)
    services: set[str] = field(default_factory=set)


class Source(NamedTuple):
    """What one file of ours says: the modules it imports and the AWS services it calls."""

    imports: tuple[str, ...]
    services: frozenset[str]


def read_source(path: Path, root: Path) -> Source:
    """Reads the file. Raises BuildError when it calls a service it does not name."""
    tree = ast.parse(path.read_bytes(), filename=str(path))
    nodes = list(_run_nodes(tree))
    return Source(tuple(_imports_of(nodes, path, root)), frozenset(_services_of(nodes, path)))


def reach_of(
    module: str, root: Path, source_of: Callable[[Path, Path], Source] = read_source
) -> Reach:
    """Everything the module imports, directly and not. Raises BuildError when it leaves
    `functions` or a module of ours doesn't exist. `source_of` may remember what it read."""
    reach = Reach()
    waiting, seen = [module], {module}
    while waiting:
        name = waiting.pop()
        for path in _files_of(name, root):
            if path in reach.files:
                continue
            reach.files.add(path)
            source = source_of(path, root)
            reach.services |= source.services
            for imported in source.imports:
                top = imported.partition(".")[0]
                if top == "functions":
                    if imported not in seen:
                        seen.add(imported)
                        waiting.append(imported)
                elif top in OURS:
                    raise BuildError(f"{path.relative_to(root)} imports {imported}")
                else:
                    reach.libraries.add(imported)
    return reach


def _files_of(name: str, root: Path) -> Iterator[Path]:
    """The module's file and the `__init__.py` of each package above it."""
    parts = name.split(".")
    for depth in range(2, len(parts)):
        yield root.joinpath(*parts[:depth], "__init__.py")
    module = root.joinpath(*parts)
    for path in (module.with_suffix(".py"), module / "__init__.py"):
        if path.is_file():
            yield path
            return
    raise BuildError(f"there is no module {name}")


def _imports_of(nodes: list[ast.AST], path: Path, root: Path) -> Iterator[str]:
    """Absolute names of the modules imported, wherever in the file."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, path.relative_to(root))
            yield module
            for alias in node.names:
                below = root.joinpath(*module.split("."), alias.name)
                if below.with_suffix(".py").is_file() or (below / "__init__.py").is_file():
                    yield f"{module}.{alias.name}"


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    """The module that `from ..NAME import` names in the file at that path below the root."""
    above = path.parent.parts[: len(path.parent.parts) - node.level + 1] if node.level else ()
    return ".".join([*above, *([node.module] if node.module else [])])


def _services_of(nodes: list[ast.AST], path: Path) -> set[str]:
    """Services named by `....client("NAME", ...)` in a module that imports boto3."""
    if not any(isinstance(n, ast.Import) and n.names[0].name == "boto3" for n in nodes):
        return set()
    services = set()
    for node in nodes:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr != "client":
            continue
        name = node.args[0] if node.args else None
        if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
            raise BuildError(f"{path}:{node.lineno}: name the AWS service in the call itself")
        services.add(name.value)
    return services


def _run_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those below `if TYPE_CHECKING:`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for other in node.orelse:
                yield from _run_nodes(other)
            continue
        yield node
        yield from _run_nodes(node)
