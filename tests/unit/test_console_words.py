"""Every text of the console is said in every language."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from gateway.console.words import LANGUAGES, load_words

_CONSOLE = Path(str(files("gateway.console")))
_CALL = re.compile(r"""\bt\(\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
_SAYS = frozenset({"t", "mark", "Series", "Badge", "Column", "Filter"})


def find_texts() -> dict[str, str]:
    """Text -> where it stands."""
    found: dict[str, str] = {}
    for file in sorted(_CONSOLE.rglob("*.html")):
        for match in _CALL.finditer(file.read_text("utf-8")):
            found[ast.literal_eval(match[1])] = file.name
    for file in sorted(_CONSOLE.rglob("*.py")):
        for text in _texts_of(ast.parse(file.read_text("utf-8"))):
            found[text] = file.name
    return found


def _texts_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            said: list[ast.expr] = []
            if name in {"t", "mark", "Series", "Badge", "draw_bars", "draw_lines"}:
                said = node.args[:1]
            elif name in {"Column", "Filter"}:
                said = node.args[1:2]
            said += [one.value for one in node.keywords if one.arg == "empty"]
            for one in said:
                if isinstance(one, ast.Constant) and isinstance(one.value, str):
                    yield one.value


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_every_text_is_said_in_every_language(language: str) -> None:
    words, texts = load_words(language), find_texts()
    assert len(texts) > 50
    missing = {text: place for text, place in texts.items() if text not in words}
    assert not missing, "\n".join(f'"{text}" = ""  # {place}' for text, place in missing.items())


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_a_translation_names_the_same_values(language: str) -> None:
    wrong = {
        text: said
        for text, said in load_words(language).items()
        if "{" in text and _fields(text) != _fields(said)
    }
    assert not wrong


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_no_text_is_said_in_two_ways(language: str) -> None:
    seen: dict[str, str] = {}
    for file in sorted((_CONSOLE / "words" / language).glob("*.toml")):
        for line in file.read_text("utf-8").splitlines():
            if line.startswith('"'):
                text, _, said = line.partition(" = ")
                assert seen.setdefault(text, said) == said, f"{file.name}: {text}"
