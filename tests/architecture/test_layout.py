"""The tree keeps its shape: names, sizes, locks and what a process drags in when it starts."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("functions", "edge", "outcry_client", "tui", "infra")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
MIGRATIONS = sorted((ROOT / "infra" / "postgres").glob("*.sql"))
LOCKS = sorted((ROOT / "infra" / "requirements").glob("*.txt"))


def sources() -> Iterator[Path]:
    for folder in PRODUCT:
        yield from sorted((ROOT / folder).rglob("*.py"))


def test_functions_is_a_namespace_package() -> None:
    assert not (ROOT / "functions" / "__init__.py").exists()


def test_every_function_folder_is_known_to_the_import_rules() -> None:
    folders = {f"functions.{p.parent.name}" for p in (ROOT / "functions").glob("*/__init__.py")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(project["tool"]["importlinter"]["root_packages"])
    assert folders == {name for name in listed if name.startswith("functions.")}


def test_a_source_file_opens_with_its_role_and_stays_short() -> None:
    wrong = []
    for path in sources():
        text = path.read_text()
        tree = ast.parse(text)
        silent = bool(tree.body) and not ast.get_docstring(tree)
        long = too_long(functions_of(tree))
        if text.count("\n") > FILE_LINES_MAX or silent or long:
            wrong.append((str(path.relative_to(ROOT)), text.count("\n"), silent, long))
    assert wrong == []


@pytest.mark.parametrize("kind", ["py", "sql"])
def test_tests_and_the_databases_files_stay_short_too(kind: str) -> None:
    paths = [*(ROOT / "tests").rglob("*.py")] if kind == "py" else MIGRATIONS
    wrong = []
    for path in paths:
        text = path.read_text()
        functions = functions_of(ast.parse(text)) if kind == "py" else sql_functions_of(text)
        long = too_long(functions)
        if text.count("\n") > FILE_LINES_MAX or long:
            wrong.append((path.name, text.count("\n"), long))
    assert paths
    assert wrong == []


def functions_of(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every function's name and how many lines it has."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def sql_functions_of(text: str) -> Iterator[tuple[str, int]]:
    for match in re.finditer(r"(?ms)^CREATE FUNCTION ([\w.]+).*?\$\$.*?\$\$", text):
        yield match[1], match[0].count("\n") + 1


def too_long(functions: Iterator[tuple[str, int]]) -> list[tuple[str, int]]:
    return [(name, lines) for name, lines in functions if lines > FUNCTION_LINES_MAX]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda p: p.name)
def test_requirements_are_locked_with_hashes_and_no_index_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    pins = re.findall(r"^([A-Za-z0-9._\[\],-]+)==", text, re.MULTILINE)
    blocks = re.split(r"\n(?=[A-Za-z])", text.strip())
    assert pins
    assert all("--hash=sha256:" in block for block in blocks)


HEAVY = {
    "functions.shared.domain.pretrade": {"msgspec", "pydantic", "boto3", "pg8000", "redis"},
    "outcry_client": {"msgspec", "textual", "boto3", "pg8000", "functions", "edge", "tui", "infra"},
    "tui.client": {"textual", "boto3", "pg8000", "quickfix", "functions", "edge"},
    "tui.state": {"textual", "boto3", "pg8000", "quickfix", "functions", "edge"},
    "functions.orders.handler": {"boto3", "quickfix", "textual", "numpy", "argon2", "uvloop"},
    "functions.ledger.notes_handler": {"boto3", "fpdf", "PIL", "fontTools", "quickfix"},
    "functions.ledger.write_notes": {"boto3", "fpdf", "pydantic", "quickfix", "textual"},
    "functions.ledger.apply_execution": {"boto3", "quickfix", "textual", "numpy", "pydantic"},
    "edge.fanout.main": {"boto3", "aws_lambda_powertools", "pydantic", "quickfix", "textual"},
    "edge.ingest.main": {"boto3", "aws_lambda_powertools", "clickhouse_connect", "quickfix"},
    "infra.command.main": {"boto3", "cryptography", "httpx", "pg8000", "redis", "textual"},
    "infra.local.clickhouse": {"chdb", "clickhouse_connect", "pg8000", "redis"},
    "edge.triggers.main": {"boto3", "aws_lambda_powertools", "pydantic", "quickfix", "textual"},
    "functions.orders.draw_volume_curves": {"boto3", "clickhouse_connect", "pydantic", "quickfix"},
    "functions.orders.act_on_triggers": {"boto3", "quickfix", "textual", "numpy", "pydantic"},
    "functions.surveillance.watch_events": {"sklearn", "scipy", "boto3", "pydantic", "quickfix"},
    "functions.surveillance.each_minute": {"sklearn", "numpy", "boto3", "pydantic", "quickfix"},
    "functions.surveillance.handler": {"sklearn", "numpy", "boto3", "quickfix", "textual"},
    "edge.gateway.main": {"boto3", "aws_lambda_powertools", "pydantic", "textual"},
}


@pytest.mark.parametrize("module", sorted(HEAVY))
def test_importing_a_process_drags_in_nothing_it_does_not_need(module: str) -> None:
    """The static import graph can't tell a deferred import from one at start; this can."""
    code = (
        f"import sys, {module}\n"
        f"print(*sorted({HEAVY[module]!r} & {{name.split('.')[0] for name in sys.modules}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == ""
