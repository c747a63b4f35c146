"""What failures have in common: named examples. Generated ones are in tests/property/test_diagnosis.py."""

from __future__ import annotations

import pytest

from gateway.routing.diagnosis import (
    BUCKET_S,
    MOST_KINDS,
    OTHER,
    WINDOW_BUCKETS,
    Cell,
    Condition,
    Finding,
    Outcomes,
    Rate,
    Traits,
    diagnose,
    look_again,
)
from gateway.timeline.failures import describe, find_prefix

pytestmark = pytest.mark.unit

A, B = Condition("channel", "carrier-a"), Condition("channel", "carrier-b")
TO_133, TO_138 = Condition("prefix", "+86133"), Condition("prefix", "+86138")
NOW = 1_000_000.0


def count(outcomes: Outcomes, n: int, fault: str | None = None, at: float = NOW, **traits: object) -> None:
    given = {
        "channel": "carrier-a",
        "carrier": "",
        "prefix": "+86138",
        "tags": (),
        "category": "transactional",
    } | traits
    for _ in range(n):
        outcomes.note(Traits(**given), fault, at)  # type: ignore[arg-type]


def find(outcomes: Outcomes) -> Finding | None:
    found = diagnose(outcomes.cells(NOW))
    assert len(found) <= 1
    return found[0] if found else None


def test_a_way_from_one_channel_to_some_numbers():
    outcomes = Outcomes()
    count(outcomes, 42, "smpp_0x45", prefix="+86133")
    count(outcomes, 8, prefix="+86133")
    count(outcomes, 100)
    count(outcomes, 1, "smpp_0x45")
    count(outcomes, 49, channel="carrier-b", prefix="+86133")
    count(outcomes, 50, channel="carrier-b")
    finding = find(outcomes)
    assert finding is not None
    assert finding.conditions == (A, TO_133)
    assert (finding.inside, finding.outside) == (Rate(42, 50), Rate(1, 200))
    assert finding.subject == "smpp_0x45 channel=carrier-a prefix=+86133"
    assert describe(finding) == (
        "42 of 50 messages on channel carrier-a to numbers +86133 failed with smpp_0x45 in the last 10 minutes;"
        " elsewhere 1 of 200. It is the way from this channel to these numbers: another channel may reach them."
    )


def test_a_channel():
    outcomes = Outcomes()
    for prefix in ("+86133", "+86138", "+86139"):
        count(outcomes, 20, "link", prefix=prefix)
        count(outcomes, 40, channel="carrier-b", prefix=prefix)
    finding = find(outcomes)
    assert finding is not None
    assert finding.conditions == (A,)
    assert "It is the channel" in describe(finding)


def test_one_that_fared_better_by_chance_makes_no_second_condition():
    outcomes = Outcomes()
    count(outcomes, 30, "link", tags=("sale",))
    count(outcomes, 1, tags=("news",))
    count(outcomes, 100, channel="carrier-b", tags=("sale",))
    count(outcomes, 100, channel="carrier-b", tags=("news",))
    finding = find(outcomes)
    assert finding is not None
    assert finding.conditions == (A,)


def test_the_worst_of_many_groups_is_no_cause():
    outcomes = Outcomes()
    for prefix in range(30):
        for tag in range(10):
            count(outcomes, 4, "absent", prefix=f"+{prefix}", tags=(f"t{tag}",))
            count(outcomes, 20, prefix=f"+{prefix}", tags=(f"t{tag}",))
    count(outcomes, 8, "absent", prefix="+7", tags=("t7",))
    assert find(outcomes) is None


def test_a_content():
    outcomes = Outcomes()
    for channel in ("carrier-a", "carrier-b"):
        count(outcomes, 30, "receipt_rejected [err:027]", channel=channel, tags=("spring", "sale"))
        count(outcomes, 200, channel=channel, tags=("spring",))
        count(outcomes, 3, "receipt_rejected [err:027]", channel=channel, tags=("spring",))
    finding = find(outcomes)
    assert finding is not None
    assert finding.conditions == (Condition("tag", "sale"),)
    assert 'with the tag "sale"' in describe(finding)
    assert "It is the content" in describe(finding)


def test_what_can_not_be_told_apart_is_said():
    outcomes = Outcomes()
    count(outcomes, 30, "x", prefix="+86133", tags=("sale",))
    count(outcomes, 100, channel="carrier-b")
    finding = find(outcomes)
    assert finding is not None
    assert finding.conditions == (A,)
    assert finding.besides == (TO_133, Condition("tag", "sale"))
    text = describe(finding)
    assert 'The same messages are all those to numbers +86133 and with the tag "sale"' in text


def test_where_all_fail_there_is_nothing_to_compare_with():
    outcomes = Outcomes()
    count(outcomes, 40, "x")
    count(outcomes, 3)
    finding = find(outcomes)
    assert finding is not None
    assert finding.conditions == ()
    assert finding.subject == "x"
    assert finding.besides == (A, TO_138, Condition("category", "transactional"))
    assert describe(finding).startswith(
        "40 of 43 messages failed with x in the last 10 minutes. There is nothing"
    )


@pytest.mark.parametrize("n_failed", [1, 3, 9])
def test_a_few_are_no_mass(n_failed):
    outcomes = Outcomes()
    count(outcomes, n_failed, "x")
    count(outcomes, 200, channel="carrier-b")
    assert find(outcomes) is None


def test_what_always_fails_a_little_is_no_alarm():
    outcomes = Outcomes()
    count(outcomes, 300, "absent", prefix="+86133")
    count(outcomes, 2_700, prefix="+86133")
    count(outcomes, 20, "absent")
    count(outcomes, 3_000)
    assert find(outcomes) is None


def test_another_cause_is_found_beside_one_that_is_known():
    outcomes = Outcomes()
    count(outcomes, 30, "x")
    count(outcomes, 200, channel="carrier-b")
    first = find(outcomes)
    assert first is not None
    count(outcomes, 30, "x", channel="carrier-c")
    cells = outcomes.cells(NOW)
    (second,) = diagnose(cells, [first])
    assert second.conditions == (Condition("channel", "carrier-c"),)
    assert second.outside == Rate(0, 200)
    assert diagnose(cells, [first, second]) == []


def test_it_is_over_when_the_share_falls_or_nothing_is_left():
    outcomes = Outcomes()
    count(outcomes, 30, "x")
    count(outcomes, 200, channel="carrier-b")
    finding = find(outcomes)
    assert finding is not None
    count(outcomes, 200)
    going_on = look_again(finding, outcomes.cells(NOW))
    assert going_on is not None
    assert going_on.inside == Rate(30, 230)
    count(outcomes, 100)
    assert look_again(finding, outcomes.cells(NOW)) is None
    assert look_again(finding, {}) is None


def test_minutes_that_are_over_are_forgotten():
    outcomes = Outcomes()
    for minute in range(30):
        count(outcomes, 10, "x", at=NOW + 60 * minute)
    cells = outcomes.cells(NOW + 60 * 29)
    assert sum(cell.n for cell in cells.values()) == 10 * WINDOW_BUCKETS
    assert outcomes.cells(NOW + 60 * 29 + BUCKET_S * WINDOW_BUCKETS) == {}


def test_a_message_that_was_taken_and_not_delivered_counts_once():
    outcomes = Outcomes()
    traits = Traits("carrier-a", "", "+86138", (), "otp")
    outcomes.note(traits, None, NOW)
    outcomes.note(traits, "lost", NOW)
    outcomes.take_back(traits)
    outcomes.take_back(traits)  # nothing is left that could be
    (cell,) = outcomes.cells(NOW).values()
    assert (cell.n, dict(cell.faults)) == (1, {"lost": 1})


def test_however_many_tags_and_codes_there_are_it_stays_small():
    outcomes = Outcomes()
    for n in range(3_000):
        count(outcomes, 1, f"code-{n}", tags=(f"order-{n}",), prefix=f"+{n}")
    cells = outcomes.cells(NOW)
    assert len(cells) <= 2 * MOST_KINDS + 1
    assert sum(cell.n for cell in cells.values()) == 3_000
    assert len({fault for cell in cells.values() for fault in cell.faults}) <= 201
    assert any(OTHER in cell.faults for cell in cells.values())


def test_wilsons_interval():
    low, high = Rate(0, 5).between()
    assert low == 0
    assert high == pytest.approx(0.685, abs=0.001)
    low, high = Rate(10, 10).between()
    assert low == pytest.approx(0.479, abs=0.001)
    assert high == 1
    assert Rate(0, 0).between() == (0.0, 1.0)


@pytest.mark.parametrize(
    ("number", "prefix"),
    [
        ("+8613312345678", "+86133"),
        ("+12125551234", "+1212"),
        ("+35312345678", "+353123"),
        ("10690000", "short codes"),
    ],
)
def test_prefixes(number, prefix):
    assert find_prefix(number) == prefix


def test_a_cell_without_failures_is_no_burden():
    assert diagnose({Traits("a", "b", "", (), "c"): Cell()}) == []
