"""The rules of the house that a linter can't know (DESIGN sections 2, 3, 8)."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from importlinter import cli

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
PACKAGES = ("gateway", "drivers", "simulators")
MAX_LINES = 400

SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted(path for path in (ROOT / "tests").rglob("*.py") if "node_modules" not in path.parts)
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def test_imports_go_one_way(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(ROOT)
    # The linter's own logging would switch off all loggers that exist, for every test behind this one.
    monkeypatch.setattr("logging.config.dictConfig", lambda _config: None)
    broken = cli.lint_imports(cache_dir=None)
    assert broken == cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_no_file_is_too_long_to_be_read():
    n_lines = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert {name: n for name, n in n_lines.items() if n > MAX_LINES} == {}, "make it two files"


def test_every_module_says_what_it_does():
    assert [name_of(path) for path in SOURCES if not ast.get_docstring(parse(path))] == []


def test_a_package_holds_a_docstring_and_nothing_else():
    inits = [path for path in SOURCES + TESTS if path.name == "__init__.py"]
    assert [name_of(path) for path in inits if len(parse(path).body) != 1] == [], "no re-exports"


def test_every_folder_with_modules_is_a_package():
    folders = {path.parent for path in SOURCES + TESTS}
    assert [name_of(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_names_say_what_a_thing_is():
    vague = [name_of(path) for path in SOURCES if path.stem.lower() in VAGUE_NAMES]
    vague += [
        f"{name_of(path)}: {node.name}"
        for path in SOURCES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Manager", "Helper", "Util", "Utils"))
    ]
    assert vague == []


KINDS = {"modem", "smpp", "cmpp", "loopback"}
OF_A_KIND = {"ModemSettings", "SmppSettings", "ModemDriver", "SmppDriver", "ModemConfig", "SmppConfig"}
BUILDERS = ("gateway/settings/", "gateway/channels/lanes.py", "drivers/registry.py")


def test_nobody_asks_what_kind_of_channel_it_is():
    asking = [
        f"{name_of(path)}: {ast.unparse(node)}"
        for path in SOURCES
        if not name_of(path).startswith(("simulators/", *BUILDERS))
        for node in ast.walk(parse(path))
        if (isinstance(node, ast.Compare | ast.match_case) and KINDS & _constants(node))
        or (
            isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance" and OF_A_KIND & _names(node)
        )
    ]
    assert asking == [], "drivers say what they are like: drivers.traits.Traits"


def _constants(node: ast.AST) -> set[object]:
    parts = node.pattern if isinstance(node, ast.match_case) else node
    return {part.value for part in ast.walk(parts) if isinstance(part, ast.Constant)}


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def test_a_status_is_written_by_the_table_of_lives_alone():
    elsewhere = [
        f"{name_of(path)}:{node.lineno}"
        for path in SOURCES
        if name_of(path).startswith("gateway/") and name_of(path) != "gateway/model/lifecycle.py"
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("replace")
        and "status" in {keyword.arg for keyword in node.keywords}
    ]
    assert elsewhere == [], "say what happened: gateway.model.lifecycle.moved, part_moved"


SQL = re.compile(
    r"\s*(SELECT .* FROM (?!sqlite_schema)|INSERT INTO|UPDATE \w+ SET|DELETE FROM|WITH \w+ AS\b)"
)


def test_sql_is_written_in_the_store_alone():
    elsewhere = [
        f"{name_of(path)}:{node.lineno}"
        for path in SOURCES
        if not name_of(path).startswith("gateway/store/")
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value)
    ]
    assert elsewhere == [], "a function of gateway.store is needed"


def test_nothing_in_the_daemon_sleeps_in_its_thread():
    blocking = [
        f"{name_of(path)}:{node.lineno}"
        for path in SOURCES
        if "cli" not in path.parts  # client commands have no loop
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep"
    ]
    assert blocking == []
