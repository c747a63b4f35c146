"""Profiles: the ones that come with us, and an operator's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.modem.profile import GENERIC, BadProfile, choose_profile, load_profiles, parse_profile

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]


def test_all_that_come_with_us_are_readable_and_are_those_in_config() -> None:
    profiles = load_profiles()
    assert {p.name for p in profiles} == {path.stem for path in (ROOT / "config/modems").glob("*.toml")}
    for profile in profiles:
        assert profile.title
        assert profile.source, f"{profile.name}: where is that from?"
        assert profile.cnmi, profile.name
    ids = [usb_id for profile in profiles for usb_id in profile.usb]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("usb_id", "answers", "expected"),
    [
        ("2c7c:0125", (), "quectel-ec25"),
        ("2c7c:9999", (), "quectel-ec25"),
        ("1a86:7523", ("SIM800 R14.18",), "sim800"),
        ("1a86:7523", ("Quectel_Ltd", "Quectel_M26", "Revision: M26FBR03A02"), "quectel-m26"),
        *[
            (None, ("Quectel", model, f"Revision: {model}ELAR04A05M4G"), "quectel-ec25")
            for model in (
                "EG06",
                "EC25",
                "EP06",
                "EM06",
                "EG12",
                "EG25",
                "EG915",
                "BG96",
                "RM500Q",
                "UC20",
                "EC800",
            )
        ],
        (None, ("Quectel", "EG06"), "quectel-ec25"),
        *[
            (None, ("Quectel_Ltd", f"Quectel_{model}"), "quectel-m26")
            for model in ("M10", "M66", "M95", "MC60")
        ],
        (None, ("Sierra Wireless, Incorporated", "EM7455"), "sierra"),
        (None, ("SIMCOM INCORPORATED", "SIMCOM_SIM7070"), "sim7600"),
        (None, ("SIMCOM INCORPORATED", "SIM800L"), "sim800"),
        (None, ("Telit", "ME910C1"), "telit"),
        (None, ("Cinterion", "PHS8-P"), "cinterion"),
        ("12d1:1001", ("Manufacturer: huawei", "Model: E173"), "huawei"),
        ("1199:9071", ("Manufacturer: Sierra Wireless, Incorporated", "Model: MC7455"), "sierra"),
        (None, (), "generic"),
        ("ffff:0001", ("something new",), "generic"),
    ],
)
def test_a_stick_finds_its_profile(usb_id, answers, expected) -> None:
    assert choose_profile(load_profiles(), usb_id=usb_id, answers=answers).name == expected


def test_an_operators_own_profile_comes_first_and_needs_no_code(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('usb = ["12d1:1001"]\nanswers = ["E173"]\nreset_command = ""\n')
    profiles = load_profiles(tmp_path)
    chosen = choose_profile(profiles, usb_id="12d1:1001", answers=["huawei", "E173"])
    assert (chosen.name, chosen.reset_command, chosen.cnmi) == ("mine", "", GENERIC.cnmi)
    assert choose_profile(profiles, name="sim800", usb_id="12d1:1001").name == "sim800"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "not valid TOML"),
        ("colour = 1", "there is no key colour"),
        ('usb = ["12D1-1001"]', "no USB id"),
        ('answers = ["("]', "answers"),
        ('quirks = ["lazy"]', "no such quirk: lazy"),
        ('init_commands = ["rm -rf"]', "no AT command"),
        ("answer_timeout_s = 0", "answer_timeout_s must be more than 0"),
        ("prompt_timeout_s = 0.0", "prompt_timeout_s must be more than 0"),
        ("storages = ['SM\";+CMGD=1,4;']", "no storage"),
        ('reset_command = "AT\\rATD112"', "no AT command"),
        ("cnmi = 3", "must be a list of str"),
        ('at_interfaces = ["2"]', "must be a list of int"),
        ("boot_s = -1", "must be seconds"),
        ("title = 1", "must be a text"),
    ],
)
def test_a_profile_that_can_not_be_meant_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(BadProfile, match=reason):
        parse_profile("mine", text)


def test_a_name_that_does_not_exist_says_which_do() -> None:
    with pytest.raises(BadProfile, match=r"no profile sim80; did you mean sim800\?"):
        choose_profile(load_profiles(), name="sim80")
