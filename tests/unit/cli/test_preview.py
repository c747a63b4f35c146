"""`hongyan preview`: what a text would cost, without any gateway."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from gateway.cli.main import main

pytestmark = pytest.mark.unit

QUOTED = "“" + "x" * 100 + "”"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["preview", *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_it_says_what_it_costs_why_and_what_would_be_cheaper(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, QUOTED)
    assert out.startswith(
        "2 segments in UCS-2: 102 characters, 102 units of 67 a segment, room for 32 more\n"
    )
    assert "not in GSM-7: '“' at 0, '”' at 101\n" in out
    assert out.endswith("--smart would make it 1 segment in GSM-7, replacing '“' by '\"', '”' by '\"'\n")


def test_smart_shows_what_it_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, QUOTED, "--smart")
    assert out.startswith("1 segment in GSM-7: 102 characters, 102 units of 160")
    assert "replaced: '“' by '\"', '”' by '\"'" in out


def test_a_brand_without_a_config_is_a_question_that_nobody_can_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["preview", "hello", "--brand", "acme"]) == 2
    assert "--config" in capsys.readouterr().err


def test_it_shows_where_a_text_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, "鸿" * 67 + "雁" * 4).splitlines()
    assert [line.split() for line in lines[2:4]] == [["1", "67", repr("鸿" * 67)], ["2", "4", repr("雁" * 4)]]


def test_for_programs_it_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    shown = json.loads(run(capsys, QUOTED, "--json"))
    assert (shown["encoding"], len(shown["segments"]), shown["smart"]["saved"]) == ("ucs2", 2, 1)


def test_a_config_file_brings_its_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "hongyan.toml"
    config.write_text('[text]\nsmart = true\nnational = ["turkish"]\nreserve_each = 4\n')
    assert run(capsys, QUOTED, "-c", str(config)).startswith("1 segment in GSM-7")
    assert run(capsys, QUOTED, "-c", str(config), "--no-smart").startswith("2 segments in UCS-2")
    out = run(capsys, "ş" * 80, "-c", str(config))
    assert "with the tables of turkish" in out
    assert "80 units of 151 a segment" in out  # 155 behind the header, less the 4 reserved


def test_the_text_may_come_from_stdin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("hello\n"))
    assert run(capsys, "-").startswith("1 segment in GSM-7: 5 characters")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["ab鸿雁", "--encoding", "gsm7"], "character 2, U+9E3F"),
        (["鸿" * 20_000], "needs 299 segments, 255 are possible"),
    ],
    ids=["gsm7", "too long"],
)
def test_what_cannot_be_sent_is_explained(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", *words]) == 1
    assert complaint in capsys.readouterr().err


def test_octets_that_are_no_text_are_shown_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    assert "'\ufffd' at 0" in run(capsys, "\udcff")


def test_with_a_config_it_shows_what_is_added_to_the_text(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "hongyan.toml"
    config.write_text(
        '[[brands]]\nname = "acme"\nkeys = ["shop"]\n[[signatures]]\ntext = "好店"\nbrand = "acme"\n'
        '[[opt_out_lines]]\ntext = "，回T退订"\n',
        encoding="utf-8",
    )
    told = ("周末满减", "--config", str(config), "--json")
    assert json.loads(run(capsys, *told))["text"] == "周末满减"
    shown = json.loads(run(capsys, *told, "--as", "shop", "--category", "marketing"))
    assert (shown["text"], shown["units"]) == ("【好店】周末满减，回T退订", 13)
    assert json.loads(run(capsys, *told, "--brand", "acme"))["text"] == "【好店】周末满减"
    assert main(["preview", "x", "--category", "spam"]) == 2
