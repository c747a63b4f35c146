"""Files of words: what may stand in them, and how a fault is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.policy.lexicon import EXCEPTION
from gateway.runtime.rules import make_chain
from gateway.settings.changes import find_changed
from gateway.settings.config import SettingsErrors, load_settings
from gateway.settings.words import LEVELS, MAX_OCTETS, MAX_WORDS, read_word_file, shipped_words


def config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hongyan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def word_file(tmp_path: Path, text: str, name: str = "own.txt") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(SettingsErrors) as caught:
        load_settings(config(tmp_path, text))
    return [str(error) for error in caught.value.errors]


def test_words_stand_one_a_line_in_sections(tmp_path: Path) -> None:
    path = word_file(
        tmp_path, "\ufeff# mine\n\n 最佳 \r\n[refuse]\n特供\nbest price\n[ exceptions ]\n最佳西方\n"
    )
    file = read_word_file(path, LEVELS)
    assert file.name == "own"
    assert file.words == (
        ("最佳", ""),
        ("特供", "refuse"),
        ("best price", "refuse"),
        ("最佳西方", EXCEPTION),
    )


def test_levels_exceptions_and_conditions_come_from_the_table(tmp_path: Path) -> None:
    path = word_file(tmp_path, "最佳\n[warn]\n首选\n")
    text = f'[[words]]\nfile = "{path}"\nlevel = "refuse"\nexceptions = ["最佳西方"]\nbrand = ["acme"]\n'
    (table,) = load_settings(config(tmp_path, text)).words
    made = table.word_list()
    assert made.lexicon.words == (("最佳", "refuse"), ("首选", "warn"), ("最佳西方", EXCEPTION))
    assert made.brand == {"acme"}


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("最佳\n\n！！！\n", 3, "can never match"),
        ("[forbid]\n最佳\n", 1, "is no section that such a file may have; write [refuse], [review], [warn]"),
        ("最佳\nx\n", 2, "single letter"),
        ("最佳\n" + "长" * 65 + "\n", 2, "has 65 characters; write at most 64"),
    ],
)
def test_a_fault_is_told_with_file_and_line(tmp_path: Path, content: str, line: int, said: str) -> None:
    path = word_file(tmp_path, content)
    (fault,) = faults(tmp_path, f'[[words]]\nfile = "{path}"\n')
    assert fault.startswith(f"words[0].file: {path}:{line}: ")
    assert said in fault


def test_several_faults_are_counted(tmp_path: Path) -> None:
    path = word_file(tmp_path, "a\nb\nc\n")
    (fault,) = faults(tmp_path, f'[[words]]\nfile = "{path}"\n')
    assert fault.endswith("(and 2 more faults)")


def test_files_are_bounded(tmp_path: Path) -> None:
    many = word_file(tmp_path, "\n".join(f"最{n}" for n in range(MAX_WORDS + 1)), "many.txt")
    big = word_file(tmp_path, "#" * (MAX_OCTETS + 1), "big.txt")
    found = faults(tmp_path, f'[[words]]\nfile = "{many}"\n[[words]]\nfile = "{big}"\n')
    assert f"has more than {MAX_WORDS} words" in found[0]
    assert "has more than 16 MB" in found[1]


@pytest.mark.parametrize("octets", [b"\xff\xfe1", b"\xb5\xf1"])
def test_other_encodings_are_named(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "gbk.txt"
    path.write_bytes(octets)
    (fault,) = faults(tmp_path, f'[[words]]\nfile = "{path}"\n')
    assert "save it as UTF-8" in fault


def test_a_file_that_is_not_there_and_a_list_named_twice(tmp_path: Path) -> None:
    found = faults(tmp_path, '[[words]]\nfile = "/nowhere/own.txt"\n')
    assert "No such file" in found[0]
    path = word_file(tmp_path, "最佳\n")
    found = faults(tmp_path, f'[[words]]\nfile = "{path}"\n[[words]]\nfile = "{path}"\n')
    assert "has the name of words[0].file" in found[0]


def test_a_changed_file_is_a_changed_setting(tmp_path: Path) -> None:
    path = word_file(tmp_path, "最佳\n")
    file = config(tmp_path, f'[[words]]\nfile = "{path}"\n')
    before, again = load_settings(file), load_settings(file)
    assert find_changed(before, again) == []
    word_file(tmp_path, "最佳\n首选\n")
    assert find_changed(before, load_settings(file)) == ["words"]


def test_rules_are_in_the_chain_only_where_they_are_configured(tmp_path: Path) -> None:
    assert make_chain(load_settings(config(tmp_path, ""))).texts == []
    text = '[[words]]\nfile = "cn-absolute-terms"\n[class_lock]\naction = "refuse"\n[punctuation]\naction = "warn"\n'
    chain = make_chain(load_settings(config(tmp_path, text)))
    assert [rule.name for rule in chain.texts] == ["words", "punctuation", "class_lock"]


def test_a_lexicon_of_the_class_lock_has_sections(tmp_path: Path) -> None:
    path = word_file(tmp_path, "秒杀\n[weak]\n活动\n")
    (fault,) = faults(tmp_path, f'[class_lock]\nlexicons = ["{path}"]\n')
    assert "is in no section; write [strong] or [weak]" in fault


def test_shipped_lists_have_no_faults() -> None:
    files = sorted(shipped_words().glob("*.txt"))
    assert {path.stem for path in files} == {"cn-absolute-terms", "promotion"}
    for path in files:
        assert read_word_file(path, (*LEVELS, "strong", "weak")).words


@pytest.mark.parametrize(
    "table",
    [
        '[[words]]\nfile = "{}"\n',
        '[numbers]\nblocked_file = "{}"\n',
        '[[hours]]\nwindows = ["08:00-20:00"]\nholidays = ["{}"]\n',
    ],
)
def test_a_pipe_or_a_device_is_refused_and_not_waited_for(tmp_path: Path, table: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        [fault] = faults(tmp_path, table.format(path))
        assert "it is no plain file; name one" in fault


def test_a_block_list_that_is_no_text_says_so(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_bytes(b"+8613800138000\n\xff\xfe\n")
    [fault] = faults(tmp_path, f'[numbers]\nblocked_file = "{tmp_path / "blocked"}"\n')
    assert "is not UTF-8 in line 2; save it as UTF-8" in fault
