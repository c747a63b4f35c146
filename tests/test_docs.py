"""What the README and the manual name exists: commands, options, settings, calls, codes, targets, files, metrics."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import typer

from gateway.api.openapi import make_document
from gateway.api.routes import ROUTES
from gateway.cli.main import app
from gateway.console.table import PAGES as CONSOLE
from gateway.errors import GatewayError, MigrationError, RequestError, SettingsError, StaleWrite, StoreLocked
from gateway.http import problem
from gateway.model.message import MessageStatus
from gateway.model.request import MessageRequest
from gateway.policy.rules.order import FIXED
from gateway.routing.channel import ChannelState
from gateway.settings.config import Settings, load_settings
from gateway.settings.reader import known_keys, table_kind
from gateway.telemetry.metrics import make_metrics

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
API = TEXTS["docs/api.md"]
SOURCE = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "gateway").rglob("*.py"))

_BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")


class Mention(NamedTuple):
    """A piece of code in a page.

    Args:
        text: one line of a block, or what stands between two backticks.
        whole: it is to be typed as it is (a block), not a mention in a sentence.
    """

    page: str
    text: str
    whole: bool


def _mentions() -> Iterator[Mention]:
    for page, text in TEXTS.items():
        for block in _BLOCK.findall(text):
            yield from (Mention(page, line, whole=True) for line in block.replace("\\\n", " ").splitlines())
        yield from (Mention(page, code, whole=False) for code in _INLINE.findall(_BLOCK.sub("", text)))


MENTIONS = list(_mentions())


# --- the command line

COMMANDS: Any = typer.main.get_command(app)


def _find_command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words begin with, and the words after its name."""
    command = COMMANDS
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words[0]]
        words = words[1:]
    return command, words


def _command_lines() -> list[Mention]:
    found = []
    for page, text, whole in MENTIONS:
        if line := re.match(r"\s*(?:\S*/)?hongyan ((?:[^#]|(?<! )#)*)(.*)", text):
            found.append(Mention(page, f"{line[1]}{line[2]}", whole))
    return found


COMMAND_LINES = _command_lines()


def test_the_pages_name_most_commands() -> None:
    assert len({mention.text.split()[0] for mention in COMMAND_LINES}) >= 10


@pytest.mark.parametrize("mention", COMMAND_LINES, ids=lambda m: f"{m.page}: {m.text}")
def test_a_command_line_in_the_pages_is_one(mention: Mention) -> None:
    typed, _, comment = mention.text.partition(" #")
    words = shlex.split(re.sub(r"\$\(.*?\)", "x", typed))
    command, rest = _find_command(words)
    assert not hasattr(command, "commands") or not rest, f"there is no hongyan {' '.join(words)}"
    options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert set(_OPTION.findall(f"{' '.join(rest)} {comment}")) <= options
    if mention.whole and not hasattr(command, "commands"):
        command.make_context("hongyan", rest)  # raises when a word is missing, too much or wrong


def test_make_targets_exist() -> None:
    named = {word for mention in MENTIONS for word in re.findall(r"^(?:#\s*)?make ([a-z]+)\b", mention.text)}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named <= targets
    assert {"demo", "run", "test", "check"} <= named


# --- the config file


def _settings() -> dict[str, set[str]]:
    tables: dict[str, set[str]] = {}
    for field in msgspec.structs.fields(Settings):
        inner = table_kind(field.type)
        assert inner is not None
        tables[field.encode_name] = set(known_keys(inner[0]))
    return tables


SETTINGS = _settings()


def test_settings_named_in_the_pages_exist() -> None:
    keys = set().union(*SETTINGS.values())
    named = []
    for page, text, whole in MENTIONS:
        for table, key in (
            re.findall(r"\[+([a-z_]+)\]+(?: ([a-z_]+))?", text) if page.endswith("configuration.md") else ()
        ):
            named.append((page, table, key))
        if whole:
            continue
        if page.endswith("audit.md"):
            continue  # consent.recorded is an action there
        if (dotted := re.fullmatch(r"([a-z_]+)\.([a-z_]+)", text)) and dotted[1] in SETTINGS:
            named.append((page, dotted[1], dotted[2]))
        if assigned := re.match(r"([a-z_]+) = ", text):
            assert assigned[1] in keys, (page, text)
    assert len(named) > 8
    assert [n for n in named if n[1] not in SETTINGS or (n[2] and n[2] not in SETTINGS[n[1]])] == []


def test_what_configuration_md_calls_a_setting_is_one() -> None:
    """A bare word in code there is a setting, or a value of one."""
    values = {
        "default",
        "flag",
        "near_opt_out",
        "everything",
        "ignore",
        "otp",
        "emergency",
        "transactional",
        "hold",
        "retry",
        "fail",
        "marketing",
        "uncertain",
        "sender",
    }
    values |= {"ascii", "_"}  # an alphabet, and a character that it lacks
    keys = set().union(*SETTINGS.values()) | set(SETTINGS)
    words = {
        m.text for m in MENTIONS if m.page == "docs/configuration.md" and re.fullmatch(r"[a-z_]+", m.text)
    }
    assert words - values <= keys


# --- the HTTP API

DOCUMENT = make_document(ROUTES)
OPERATIONS = {
    (method.upper(), re.sub(r"\{.*?\}", "{}", path)): operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def _calls() -> Iterator[tuple[str, str | None, str, list[str]]]:
    """``(page, method, path, names of parameters)`` of every call that the pages name."""
    for page, text, _ in MENTIONS:
        for method, path, query in re.findall(
            r"(?:\b(GET|POST|PUT|PATCH|DELETE) )?"
            r"(/(?:v1|livez|readyz|metrics|openapi\.json|docs)\b[^\s?\"`]*)(?:\?([^\s\"`]*))?",
            text.replace("$URL", " ").replace("http://127.0.0.1:8080", " "),
        ):
            if not path.startswith("/docs/"):
                names = [part.partition("=")[0] for part in query.split("&") if part]
                yield page, method or None, re.sub(r"\{.*?\}", "{}", path), names


def test_calls_named_in_the_pages_exist() -> None:
    calls = list(_calls())
    assert len(calls) > 15
    for page, method, path, names in calls:
        found = [
            operation
            for (verb, known), operation in OPERATIONS.items()
            if known == path and method in {None, verb}
        ]
        assert found or path == "/v1", f"{page}: {method} {path}"
        if names:
            known_names = {p["name"] for operation in found for p in operation.get("parameters", ())}
            assert set(names) <= known_names, f"{page}: {path}"


def _table(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading."""
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_fields_of_a_message_are_those_of_the_manual() -> None:
    documented = {name for row in _table(API, "Send") for name in _INLINE.findall(row[0])}
    assert documented == set(MessageRequest.__struct_encode_fields__)


def test_states_are_those_of_the_manual() -> None:
    follow = API.partition("## Follow\n")[2].partition("\n## ")[0]
    assert {status.value for status in MessageStatus} <= set(re.findall(r"[a-z]+", follow))
    documented = {
        name for row in _table(TEXTS["docs/operation.md"], "Channels") for name in _INLINE.findall(row[0])
    }
    assert documented == {state.value for state in ChannelState}


def _subclasses(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)


def test_error_codes_are_those_of_the_manual() -> None:
    assert ROUTES, "the API's classes of errors are loaded"
    assert CONSOLE, "and the console's"
    codes = {
        (str(error.http_status), error.code)
        for error in _subclasses(GatewayError)
        # These end a start, or a piece of work of an owner that has lost it, but not a call.
        if error.code not in {SettingsError.code, MigrationError.code, StaleWrite.code, StoreLocked.code}
        and re.search(rf"(?:raise|return) {error.__name__}\b", SOURCE)
    }
    codes |= {(str(status), code) for status, (code, _) in problem._HTTP_REFUSALS.items()}
    codes |= {("417", RequestError.code), ("500", GatewayError.code)}
    documented = {(row[0], code) for row in _table(API, "Errors") for code in _INLINE.findall(row[1])}
    assert documented == codes


def _codes_of_rules() -> Iterator[str]:
    """Words that stand in front of something in a decision, and constants that are words."""
    for path in (ROOT / "gateway/policy/rules").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            said: list[ast.expr] = []
            if isinstance(node, ast.Call) and len(node.args) > 1:
                said = node.args[:1]
            elif isinstance(node, ast.Tuple) and len(node.elts) > 1:
                said = node.elts[:1]
            elif isinstance(node, ast.AnnAssign) and node.value is not None and "Final" in ast.dump(node):
                said = [node.value]
            for word in said:
                if isinstance(word, ast.Constant) and isinstance(word.value, str):
                    yield word.value


def test_every_rule_and_what_it_says_stands_in_the_manual() -> None:
    rows = _table(TEXTS["docs/compliance.md"], "Codes")
    documented = {code for row in rows for code in _INLINE.findall(row[0])}
    said = {code for code in _codes_of_rules() if re.fullmatch("[a-z]+(_[a-z]+)+|advertising", code)}
    assert len(said) > 25
    assert said - documented == set()
    assert {code for code in documented if f'"{code}"' not in SOURCE} == set()
    assert set(FIXED) - {name for row in rows for name in _INLINE.findall(row[1])} == set()


def test_headers_in_examples_can_be_sent() -> None:
    headers = re.findall(r"-H '([^'$]+)'", "".join(text for text in TEXTS.values()))
    assert any(header.startswith("Idempotency-Key: ") for header in headers)
    assert [header for header in headers if not header.isascii()] == []


# --- files and figures


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target


def _anchors(page: Path) -> set[str]:
    """What a page's headings are called in links, as GitHub does it."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    headings = [line.replace("`", "").lower() for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_headings_lead_to_one(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        place, _, anchor = target.partition("#")
        to = page.parent / place if place else page
        if anchor and to.suffix == ".md" and not target.startswith(("http://", "https://")):
            assert anchor in _anchors(to), target


def test_files_named_in_the_pages_exist() -> None:
    ours = re.compile(r"(?<![\w/.])((?:gateway|drivers|simulators|config|systemd|tests|docs)/[\w./-]*\w)")
    named = {(mention.page, path) for mention in MENTIONS for path in ours.findall(mention.text)}
    assert len(named) > 10
    assert [n for n in named if not (ROOT / n[1]).exists()] == []


def test_metrics_named_in_the_pages_exist() -> None:
    exported = set(re.findall(r'"(hongyan_[a-z_]+)"', SOURCE))  # gauges that are read when somebody looks
    exported |= {metric.name for metric in make_metrics().registry.collect()}
    named = {name for text in TEXTS.values() for name in re.findall(r"\bhongyan_[a-z_]+\b", text)}
    assert len(named) > 4
    assert {
        name for name in named if name not in exported and name.removesuffix("_total") not in exported
    } == set()


def test_every_metric_of_ours_stands_in_the_table_of_operation() -> None:
    table = set(re.findall(r"\bhongyan_[a-z_]+\b", TEXTS["docs/operation.md"]))
    ours = {metric.name for metric in make_metrics().registry.collect()} - _OF_EVERY_PROCESS
    assert {name for name in ours if name not in table and f"{name}_total" not in table} == set()


_OF_EVERY_PROCESS = {
    f"hongyan_process_{what}"
    for what in (
        "cpu_seconds", "max_fds", "open_fds", "resident_memory_bytes", "start_time_seconds", "virtual_memory_bytes"
    )
}  # fmt: skip
"""Known from every exporter of Prometheus."""


# --- the installation


INSTALL = [line for block in _BLOCK.findall(TEXTS["docs/install.md"]) for line in block.splitlines()]


def test_pip_is_not_asked_for_the_hash_of_a_folder() -> None:
    """With one hash in the list pip wants one of everything, and a folder has none."""
    lines = [shlex.split(line) for line in INSTALL if "requirements.lock" in line]
    assert lines
    assert all(words[-2:] == ["-r", "requirements.lock"] for words in lines)


def test_a_service_and_its_tools_find_the_same_store() -> None:
    (config,) = {found[1] for line in INSTALL if (found := re.match(r"cp (config/\S+\.toml) ", line))}
    settings = load_settings(ROOT / config)
    assert settings.store.url.startswith("sqlite:////")
    assert settings.log.delivery.startswith("/")
