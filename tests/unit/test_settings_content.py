"""The tables of signatures, content and numbers: what is refused, and what it comes to."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gateway.model.message import Category
from gateway.policy.rules.numbers import BlockList, Numbers
from gateway.policy.signatures import Filing, FilingState
from gateway.runtime.rules import make_chain
from gateway.settings.config import Settings, SettingsErrors, load_settings
from tests.support.settings import write

pytestmark = pytest.mark.unit

SIGNED = '[[signatures]]\ntext = "好店"\n'

BAD = {
    "neutral": ('[[signatures]]\ntext = "温馨提示"\n', "signatures[0].text", "names nobody"),
    "brackets": ('[[signatures]]\ntext = "【好店】"\n', "signatures[0].text", "brackets"),
    "no brand": (SIGNED + 'brand = "acme"\n', "signatures[0].brand", "write a [[brands]] table"),
    "no carrier": (
        SIGNED + 'filings = [{carrier = "xx", state = "filed"}]\n',
        "signatures[0].filings[0].carrier",
        "known: cbn",
    ),
    "carrier twice": (
        SIGNED + 'filings = [{carrier = "*", state = "filed"}, {carrier = "*", state = "draft"}]\n',
        "signatures[0].filings[1].carrier",
        "already",
    ),
    "days": (
        SIGNED + 'filings = [{carrier = "*", state = "filed", since = 2026-02-01, until = "2026-01-01"}]\n',
        "signatures[0].filings[0].until",
        "is before since",
    ),
    "no day": (
        SIGNED + 'filings = [{carrier = "*", state = "filed", until = "soon"}]\n',
        "signatures[0].filings[0].until",
        'write it as "2027-03-31"',
    ),
    "nothing but signs": ('[[opt_out_lines]]\ntext = "，。"\n', "opt_out_lines[0].text", "says nothing"),
    "no script": (
        '[[opt_out_lines]]\ntext = "回T退订"\nscript = "x"\n',
        "opt_out_lines[0].script",
        "han, kana",
    ),
    "a URL": ('[content]\nhosts = ["https://a.cn/"]\n', "content.hosts", "is not a host"),
    "a star in the midst": ('[content]\nhosts = ["a.*.cn"]\n', "content.hosts", "is not a host"),
    "links": ('[content]\nmax_links = "many"\n', "content.max_links", '"any" for no limit'),
    "segments": ("[content]\nmax_segments = {otp = 0}\n", "content.max_segments.otp", "from 1 to 255"),
    "category": ("[content]\nmax_segments = {opt = 1}\n", "content.max_segments.opt", "did you mean otp"),
    "country": ('[numbers]\ncountries = ["XX"]\n', "numbers.countries", "is not a region"),
    "kind": ('[numbers]\npremium = "no"\n', "numbers.premium", "allow, warn, refuse"),
    "prefix": ('[[number_limits]]\nprefix = "44x"\nlimit = "1/h"\n', "number_limits[0].prefix", '"+44"'),
    "limit twice": (
        '[[number_limits]]\nprefix = "+44"\nlimit = "1/h"\n' * 2,
        "number_limits[1].prefix",
        "number_limits[0] already",
    ),
    "no test number": ('[[sandbox]]\nkey = "a"\nnumbers = ["12"]\n', "sandbox[0].numbers", "12"),
    "sandbox twice": (
        '[[sandbox]]\nkey = "a"\nnumbers = ["10086"]\n' * 2,
        "sandbox[1].key",
        "sandbox[0]",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_setting_is_named_with_what_to_write(case: str, tmp_path: Path) -> None:
    text, path, words = BAD[case]
    with pytest.raises(SettingsErrors) as caught:
        load_settings(write(tmp_path, text))
    [error] = caught.value.errors
    assert error.key_path == path
    assert words in str(error)


def test_a_block_list_is_a_file_of_numbers_and_beginnings(tmp_path: Path) -> None:
    listed = tmp_path / "blocked.txt"
    listed.write_text("\ufeff# a remark\n+8613800138000  # who asked\n\n+44900*\n10690*\n", encoding="utf-8")
    settings = load_settings(write(tmp_path, f'[numbers]\nblocked_file = "{listed}"\n'))
    assert settings.numbers.blocked_file == BlockList(
        frozenset({"+8613800138000"}), frozenset({"+44900", "10690"})
    )
    listed.write_text("13800138000*x\n")
    with pytest.raises(SettingsErrors, match="line 1: write a number in full"):
        load_settings(write(tmp_path, f'[numbers]\nblocked_file = "{listed}"\n'))


def test_filings_have_days_and_states(tmp_path: Path) -> None:
    text = (
        SIGNED + 'filings = [{carrier = "cmcc", state = "filed", since = 2026-03-01, until = "2027-02-28"}]\n'
    )
    [table] = load_settings(write(tmp_path, text)).signatures
    assert table.signature().filings == (
        Filing("cmcc", FilingState.FILED, date(2026, 3, 1), date(2027, 2, 28)),
    )


def test_only_rules_that_are_configured_are_asked(tmp_path: Path) -> None:
    assert [rule.name for rule in make_chain(Settings()).texts] == []
    assert [rule.name for rule in make_chain(Settings()).persons] == ["opt_out", "numbers", "consent"]
    text = (
        SIGNED
        + 'filings = [{carrier = "*", state = "draft"}]\n[[opt_out_lines]]\ntext = "，回T退订"\n'
        + '[content]\nhosts = ["A.cn", "*.b.cn"]\nmax_segments = {otp = 1}\ntemplates_required = ["a"]\n'
        + "[numbers]\ndead_after = 3\n"
        + '[[number_limits]]\nprefix = "+"\nlimit = "1/day"\n[[sandbox]]\nkey = "a"\nnumbers = ["13800138000"]\n'
    )
    chain = make_chain(load_settings(write(tmp_path, text)))
    assert [rule.name for rule in chain.texts] == [
        *("template", "signature", "links", "contact_details", "expiry_date", "opt_out_line", "segment_limit")
    ]
    assert [rule.name for rule in chain.persons] == [
        *("opt_out", "sandbox", "numbers", "dead_numbers", "consent", "signature_filed", "number_limits")
    ]
    nothing = load_settings(write(tmp_path, '[numbers]\npremium = "allow"\n'))
    assert not any(isinstance(rule, Numbers) for rule in make_chain(nothing).persons)
    assert chain.texts[1].concerns(Category.OTP)
