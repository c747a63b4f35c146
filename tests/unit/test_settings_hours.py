"""[[hours]], [[caps]], [[repeats]] and the calendars: what may be written, what comes of it, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gateway.model.message import Category
from gateway.policy.decision import Allow, Decision, Later, Refuse
from gateway.policy.rules.frequency import Limit
from gateway.policy.subject import NO_FACTS, Subject
from gateway.settings.calendar import load_zones, read_holidays, shipped
from gateway.settings.caps import parse_limit, touches_s
from gateway.settings.config import SettingsErrors, load_settings
from gateway.settings.doubts import find_doubts
from gateway.settings.forms import BadValue
from gateway.settings.hours import ends_soon, make_hours
from tests.support.settings import write

pytestmark = pytest.mark.unit

CHINESE, BERLINER, NEW_YORKER = "+8613800138000", "+4915112345678", "+12125550100"
DAY = '[[hours]]\nwindows = ["08:00-21:00"]\nspread = "0s"\n'


def decide(tmp_path: Path, toml: str, at: str, to: str = CHINESE, **fields) -> Decision:
    settings = load_settings(write(tmp_path, toml))
    rule = make_hours(settings.hours, settings.numbers.region)
    category = fields.pop("category", Category.MARKETING)
    instant = datetime.fromisoformat(at).astimezone(UTC)
    subject = Subject(to, category, instant, "x", **{"key": ("k1", "shop"), **fields})
    return rule.decide(subject, NO_FACTS, instant) if rule.concerns(category) else Allow()


def until(decision: Decision) -> str:
    assert isinstance(decision, Later)
    assert decision.code == "outside_hours"
    return decision.until.isoformat()


@pytest.mark.parametrize(
    ("to", "at", "goes_at"),
    [
        (CHINESE, "2026-12-01T20:59:59+08:00", None),
        (CHINESE, "2026-12-01T21:00:00+08:00", "2026-12-02T00:00:00+00:00"),
        (CHINESE, "2026-12-01T07:59:59+08:00", "2026-12-01T00:00:00+00:00"),
        (BERLINER, "2026-12-01T21:30:00+01:00", "2026-12-02T07:00:00+00:00"),
        (BERLINER, "2026-03-28T21:30:00+01:00", "2026-03-29T06:00:00+00:00"),  # summer time begins that night
        (NEW_YORKER, "2026-12-01T21:30:00-05:00", "2026-12-02T13:00:00+00:00"),
        ("10086", "2026-12-01T21:30:00+08:00", "2026-12-02T00:00:00+00:00"),  # a short code is where we are
        # A Russian mobile: eight in Kaliningrad at the earliest, and before nine in Kamchatka.
        ("+79161234567", "2026-12-01T00:00:00+00:00", "2026-12-01T06:00:00+00:00"),
        ("+79161234567", "2026-12-01T08:59:59+00:00", None),
        ("+79161234567", "2026-12-01T09:00:00+00:00", "2026-12-02T06:00:00+00:00"),
    ],
)
def test_a_message_waits_for_the_recipients_morning(tmp_path: Path, to: str, at: str, goes_at: str | None):
    decision = decide(tmp_path, DAY, at, to)
    assert (None if isinstance(decision, Allow) else until(decision)) == goes_at


def test_an_hour_that_suits_no_two_zones_of_a_number_lets_nothing_go(tmp_path: Path):
    toll_free, noon = "+18005550100", "2026-12-01T12:00:00+00:00"
    assert (
        until(decide(tmp_path, DAY, noon, toll_free)) == "2026-12-01T22:00:00+00:00"
    )  # eight in the morning on Guam
    decision = decide(tmp_path, DAY.replace("21:00", "12:00"), noon, toll_free)
    assert isinstance(decision, Refuse)
    assert decision.code == "outside_hours"


def test_codes_and_emergencies_are_exempt_unless_named(tmp_path: Path):
    night = "2026-12-01T23:00:00+08:00"
    assert isinstance(decide(tmp_path, DAY, night, category=Category.OTP), Allow)
    assert isinstance(decide(tmp_path, DAY, night, category=Category.EMERGENCY), Allow)
    assert isinstance(decide(tmp_path, DAY, night, category=Category.TRANSACTIONAL), Later)
    assert isinstance(decide(tmp_path, DAY + 'category = ["otp"]\n', night, category=Category.OTP), Later)
    assert isinstance(decide(tmp_path, DAY + 'category = ["otp"]\n', night), Allow)


def test_the_first_kind_that_a_message_meets_counts_and_tables_of_one_kind_add_up(tmp_path: Path):
    toml = (
        '[[hours]]\nwindows = ["00:00-24:00"]\nkey = ["alarms"]\n'
        '[[hours]]\nwindows = ["09:00-12:00", "14:00-18:00"]\nweekdays = ["mon-fri"]\nspread = "0s"\n'
        '[[hours]]\nwindows = ["10:00-14:00"]\nweekdays = ["sat"]\nspread = "0s"\n'
    )
    assert isinstance(decide(tmp_path, toml, "2026-12-01T03:00:00+08:00", key=("k2", "alarms")), Allow)
    assert until(decide(tmp_path, toml, "2026-12-01T12:00:00+08:00")) == "2026-12-01T06:00:00+00:00"
    assert until(decide(tmp_path, toml, "2026-12-04T18:00:00+08:00")) == "2026-12-05T02:00:00+00:00"
    assert until(decide(tmp_path, toml, "2026-12-05T14:00:00+08:00")) == "2026-12-07T01:00:00+00:00"


def test_days_off_and_working_weekends_of_china(tmp_path: Path):
    toml = DAY + 'weekdays = ["mon-fri"]\nholidays = ["cn"]\n'
    # Spring Festival 2026: off from Sunday 15 to Monday 23 February; people work on Saturday 14 and Saturday 28.
    assert isinstance(decide(tmp_path, toml, "2026-02-14T10:00:00+08:00"), Allow)
    assert until(decide(tmp_path, toml, "2026-02-16T10:00:00+08:00")) == "2026-02-24T00:00:00+00:00"
    assert isinstance(decide(tmp_path, toml, "2026-02-28T10:00:00+08:00"), Allow)
    assert until(decide(tmp_path, toml, "2026-03-07T10:00:00+08:00")) == "2026-03-09T00:00:00+00:00"
    assert isinstance(decide(tmp_path, toml, "2026-02-16T10:00:00+01:00", BERLINER), Allow)


def test_refused_outside_and_refused_because_of_its_own_time(tmp_path: Path):
    night = "2026-12-01T23:00:00+08:00"
    decision = decide(tmp_path, DAY + 'outside = "refuse"\n', night)
    assert isinstance(decision, Refuse)
    assert decision.code == "outside_hours"
    soon = datetime.fromisoformat(night) + timedelta(hours=1)
    decision = decide(tmp_path, DAY, night, expires_at=soon)
    assert isinstance(decision, Refuse)
    assert decision.code == "expires_before_hours"


def test_a_schedule_is_judged_by_its_own_time(tmp_path: Path):
    settings = load_settings(write(tmp_path, DAY))
    rule = make_hours(settings.hours, "CN")
    now = datetime(2026, 12, 1, 2, tzinfo=UTC)  # ten in the morning
    at_night = Subject(CHINESE, Category.MARKETING, now + timedelta(hours=12), "x")
    assert until(rule.decide(at_night, NO_FACTS, now)) == "2026-12-02T00:00:00+00:00"


def test_a_given_zone_counts_for_all(tmp_path: Path):
    toml = DAY + 'zone = "Europe/Berlin"\n'
    assert isinstance(decide(tmp_path, toml, "2026-12-01T12:00:00+01:00", NEW_YORKER), Allow)


@pytest.mark.parametrize(
    ("toml", "fault"),
    [
        ("[[hours]]\n", "hours[0].windows: is missing"),
        ('[[hours]]\nwindows = ["8-21"]\n', "hours[0].windows: "),
        (DAY + 'zone = "Mars"\n', 'write one such as "Asia/Shanghai", or "recipient"'),
        (DAY + 'holidays = ["de"]\n', 'write "cn", or the path of a file'),
        (DAY + 'holidays = ["zones"]\n', 'write "cn", or the path of a file'),
        (DAY + DAY.replace("0s", "1h"), "hours[1].spread: is another than in hours[0]"),
        (DAY.replace("0s", "25h"), 'write "24h" or less'),
        ('[[caps]]\nlimit = "2/7d"\n', "caps[0].category: is missing"),
        ('[[caps]]\nlimit = "2/7d"\ncategory = []\n', "caps[0].category: is empty"),
        ('[[caps]]\nlimit = "many"\ncategory = ["otp"]\n', "caps[0].limit: "),
        ('[[caps]]\nlimit = "900/d"\ncategory = ["otp"]\n', "write at most 500"),
        ('[[repeats]]\nwindow = "400d"\n', 'repeats[0].window: is too long; write "366d" or less'),
    ],
)
def test_faults(tmp_path: Path, toml: str, fault: str):
    with pytest.raises(SettingsErrors) as caught:
        load_settings(write(tmp_path, toml))
    assert fault in str(caught.value)


def test_hours_in_which_nothing_would_go_for_weeks_are_a_fault(tmp_path: Path):
    holidays = tmp_path / "mine.toml"
    holidays.write_text("[[holidays]]\nfrom = 2026-06-01\nto = 2026-06-30\n")
    with pytest.raises(SettingsErrors, match="more than 14 days from 2026-05-31"):
        load_settings(write(tmp_path, DAY + f'holidays = ["{holidays}"]\n'))


def test_the_shipped_calendar_knows_what_was_announced():
    path = shipped("cn.toml")
    assert path is not None
    holidays = read_holidays(path)
    assert len({day for day in holidays.off if day.year == 2026}) == 33
    assert date(2026, 10, 10) in holidays.work
    assert holidays.hold_for(CHINESE)
    assert not holidays.hold_for(BERLINER)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("country = 'CN'\n", "and nothing else"),
        ("country_code = 'CN'\n", "is no country code"),
        ("[[holidays]]\nname = 'x'\n", "holidays[0]: "),
        ("[[holidays]]\nfrom = '2026-01-01'\n", "without quotes"),
        ("[[holidays]]\nfrom = 2026-01-02\nto = 2026-01-01\n", "are no 1 to 60 days"),
        ("[[holidays]]\nfrom = 2026-01-01\nwork = [2026-01-01]\n", "write it once"),
    ],
)
def test_a_calendar_of_ones_own_is_read_strictly(tmp_path: Path, text: str, fault: str):
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(BadValue, match="c") as caught:
        read_holidays(path)
    assert fault in str(caught.value)


def test_whoever_names_a_calendar_is_told_when_it_ends(tmp_path: Path):
    settings = load_settings(write(tmp_path, DAY + 'holidays = ["cn"]\n'))
    assert not list(ends_soon(settings.hours, datetime(2026, 2, 1, tzinfo=UTC)))
    ((key, reason),) = ends_soon(settings.hours, datetime(2027, 12, 30, tzinfo=UTC))
    assert key == "hours[0].holidays"
    assert "knows no day off after" in reason


def test_a_config_that_speaks_of_marketing_in_china_is_to_speak_of_its_nights(tmp_path: Path):
    caps = '[[caps]]\nlimit = "2/7d"\ncategory = ["marketing"]\n'

    def keys(toml: str) -> list[str]:
        path = write(tmp_path, toml)
        return [doubt.key_path for doubt in find_doubts(load_settings(path), path)]

    assert "hours" in keys(caps)
    assert "hours" not in keys(caps + DAY)
    assert "hours" not in keys('[numbers]\nregion = "DE"\n' + caps)
    assert "hours" not in keys("")


def test_zones_of_numbers():
    zones = load_zones("CN")
    assert [str(zone) for zone in zones.of(CHINESE)] == ["Asia/Shanghai"]
    assert [str(zone) for zone in zones.of("+77011234567")] == ["Asia/Almaty"]
    assert [str(zone) for zone in zones.of("+18085550100")] == ["Pacific/Honolulu"]
    assert {str(zone) for zone in zones.of("+5511987654321")} == {"America/Sao_Paulo"}
    assert [str(zone) for zone in zones.of("12306")] == ["Asia/Shanghai"]
    assert len(zones.of("+61412345678")) > 5


def test_limits_as_they_are_meant():
    assert parse_limit("2/7d") == Limit(2, 7 * 86_400_000, "2/7d")
    assert parse_limit("1/min") == Limit(1, 60_000, "1/min")
    assert parse_limit("10/day") == Limit(10, 86_400_000, "10/day")


def test_what_counts_is_kept_for_the_longest_stretch(tmp_path: Path):
    toml = '[[caps]]\nlimit = ["1/min", "2/7d"]\ncategory = ["marketing"]\n[[repeats]]\nwindow = "8d"\n'
    settings = load_settings(write(tmp_path, toml))
    assert touches_s(settings.caps, settings.repeats) == 8 * 86_400
    assert touches_s((), ()) == 0
