"""Whatever single thing is done to a trail, the check finds it, and names no entry behind it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.actor import Actor, ActorKind
from gateway.model.audit import BEGINNING, AuditEntry, Break, ChainCheck, Head, hash_entry, make_entry

pytestmark = pytest.mark.property

AT = datetime(2026, 11, 30, tzinfo=UTC)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
deeds = st.tuples(
    words, words, words, st.dictionaries(words, words | st.integers(0, 9) | st.none(), max_size=2)
)


@st.composite
def trails(draw: st.DrawFn) -> list[AuditEntry]:
    head, made = BEGINNING, []
    for name, action, subject, details in draw(st.lists(deeds, min_size=1, max_size=8)):
        actor = Actor(ActorKind.KEY, name, "api ::1")
        salt = draw(st.binary(min_size=16, max_size=16)).hex()
        made.append(make_entry(head, actor, action, subject, details, at=AT, salt=salt))
        head = Head(made[-1].seq, made[-1].hash)
    return made


def check(trail: list[AuditEntry], head: Head, remembered: Head | None = None) -> Break | None:
    found = ChainCheck(BEGINNING, remembered)
    return found.take_all(trail) or found.end(head)


def head_of(trail: list[AuditEntry]) -> Head:
    return Head(trail[-1].seq, trail[-1].hash) if trail else BEGINNING


@given(trails(), st.data())
def test_a_trail_holds_and_any_of_its_heads_can_be_remembered(trail: list[AuditEntry], data: st.DataObject):
    entry = data.draw(st.sampled_from(trail))
    assert check(trail, head_of(trail), Head(entry.seq, entry.hash)) is None


@given(trails(), st.data())
def test_a_change_of_any_field_is_found_there(trail: list[AuditEntry], data: st.DataObject):
    at = data.draw(st.integers(0, len(trail) - 1))
    name = data.draw(st.sampled_from(AuditEntry.__struct_fields__))
    before = getattr(trail[at], name)
    match before:
        case int():
            after: object = data.draw(st.integers(0, 20))
        case datetime():
            after = datetime.fromtimestamp(data.draw(st.integers(0, 9)), UTC)
        case str():
            after = data.draw(words)
        case _:
            after = msgspec.Raw(msgspec.json.encode(data.draw(st.dictionaries(words, words, max_size=1))))
    if after == before:
        return
    broken = check(
        [*trail[:at], msgspec.structs.replace(trail[at], **{name: after}), *trail[at + 1 :]], head_of(trail)
    )
    if (name, after) == ("salt", "") and not trail[at].subject:
        assert broken is None  # there is no subject that could have been another
        return
    assert broken is not None
    assert broken.seq == at + 1


@given(trails(), st.data())
def test_a_missing_entry_is_found_there(trail: list[AuditEntry], data: st.DataObject):
    at = data.draw(st.integers(0, len(trail) - 1))
    broken = check(trail[:at] + trail[at + 1 :], head_of(trail))
    assert broken is not None
    assert broken.seq == at + 1


@given(trails(), st.data())
def test_entries_in_another_order_are_found(trail: list[AuditEntry], data: st.DataObject):
    order = data.draw(st.permutations(range(len(trail))))
    broken = check([trail[n] for n in order], head_of(trail))
    first = next((n for n, was in enumerate(order) if n != was), None)
    assert (broken is None) is (first is None)
    if broken is not None and first is not None:
        assert broken.seq == first + 1


@given(trails(), st.data())
def test_an_end_that_was_cut_off_with_the_head_is_found_by_what_was_remembered(
    trail: list[AuditEntry], data: st.DataObject
):
    cut = trail[: data.draw(st.integers(0, len(trail) - 1))]
    assert check(cut, head_of(cut)) is None
    broken = check(cut, head_of(cut), head_of(trail))
    assert broken is not None
    assert broken.seq == len(cut) + 1


@given(trails(), trails())
def test_a_trail_that_was_written_anew_is_found_by_what_was_remembered(
    trail: list[AuditEntry], other: list[AuditEntry]
):
    remembered = head_of(trail)
    if any(entry.hash == remembered.hash for entry in other):
        return
    assert check(other, head_of(other), remembered) is not None


@given(trails(), st.data())
def test_who_changes_an_entry_and_makes_its_hash_fit_breaks_the_chain_behind_it(
    trail: list[AuditEntry], data: st.DataObject
):
    at = data.draw(st.integers(0, len(trail) - 1))
    before = trail[at - 1].hash if at else BEGINNING.hash
    changed = msgspec.structs.replace(trail[at], actor=data.draw(words))
    forged = msgspec.structs.replace(changed, hash=hash_entry(before, changed))
    if forged == trail[at]:
        return
    broken = check([*trail[:at], forged, *trail[at + 1 :]], head_of(trail))
    assert broken is not None
    assert broken.seq == min(at + 2, len(trail))


@given(trails())
def test_anybody_can_check_it_by_what_the_manual_says(trail: list[AuditEntry]):
    """With nothing but JSON and SHA-256 (docs/audit.md)."""
    before = "0" * 64
    for entry in trail:
        line = json.loads(msgspec.json.encode(entry))
        assert sha256(f"{line['salt']}\n{line['subject']}".encode()).hexdigest() == line["seal"]
        at = round(datetime.fromisoformat(line["at"]).timestamp() * 1000)
        told = [line["seq"], at, *(line[name] for name in ("actor", "origin", "action", "seal", "details"))]
        spelled = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
        before = sha256(f"{before}\n{spelled}".encode()).hexdigest()
        assert line["hash"] == before
