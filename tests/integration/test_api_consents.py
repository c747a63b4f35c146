"""Consents over the API: recorded one by one or by the thousand, asked for, listed, proved."""

from __future__ import annotations

import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.consents.check import check_pack
from gateway.consents.signing import read_public
from gateway.model.message import Scope
from gateway.store.suppressions import find_suppressed
from tests.support.api import ApiRig, open_api

pytestmark = pytest.mark.integration

ONE, TWO, THREE = "+8613800138000", "+8613900139000", "+8613700137000"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ApiRig]:
    async with open_api(tmp_path) as rig:
        yield rig


async def record(api: ApiRig, **fields: Any) -> dict[str, Any]:
    status, answer = await api.call("POST", "/v1/consents", json={"number": ONE} | fields)
    assert status == 200, answer
    return answer


async def holds(api: ApiRig, **query: str) -> list[tuple[str, str, str]]:
    _, page = await api.call("GET", "/v1/consents", params=query)
    return [(one["number"], one["brand"], one["state"]) for one in page["items"]]


async def test_one_consent_is_recorded_and_shown(api):
    answer = await record(
        api,
        number="138 0013 8000",
        at="2026-05-01T08:00:00Z",
        source="form",
        wording="Yes, send me offers",
        evidence={"form": "https://shop.example/join", "reference": "7"},
        expires_at="2027-05-01T00:00:00+08:00",
    )
    assert answer["results"] == [{"index": 0, "number": ONE, "verdict": "new", "state": "given"}]
    _, history = await api.call("GET", f"/v1/consents/{ONE}")
    (item,) = history["items"]
    assert item | {"id": "", "recorded_at": ""} == {
        "id": "",
        "number": ONE,
        "brand": "default",
        "purpose": "marketing",
        "state": "given",
        "source": "form",
        "at": "2026-05-01T08:00:00Z",
        "recorded_at": "",
        "wording": "Yes, send me offers",
        "wording_hash": item["wording_hash"],
        "evidence": {"form": "https://shop.example/join", "reference": "7"},
        "expires_at": "2027-04-30T16:00:00Z",
        "by": "key:admin",
        "file": None,
        "line": None,
    }


async def test_a_bad_one_never_spoils_the_others(api):
    consents = [
        {"number": ONE},
        {"number": "12"},
        {"number": TWO, "state": "perhaps"},
        {"number": "+13800138001"},
        {"number": "+13800138001", "state": "refused"},
        {"number": TWO, "at": "2100-01-01T00:00:00Z"},
        {"number": THREE, "at": "2026-01-02T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z"},
    ]
    for dry_run in (True, False):
        _, answer = await api.call("POST", "/v1/consents", json={"consents": consents, "dry_run": dry_run})
        assert [(r["index"], r["code"]) for r in answer["rejected"]] == [
            (1, "invalid_number"),
            (2, "unknown_value"),
            (3, "doubtful_number"),
            (5, "in_the_future"),
            (6, "expires_first"),
        ]
        assert {(r["index"], r["number"]) for r in answer["results"]} >= {(0, ONE)}
        assert len(await holds(api)) == (0 if dry_run else answer["recorded"])
    # Nobody knows whose it is, so the no holds for everybody that it may be.
    assert {state for _, _, state in await holds(api, number="+13800138001")} == {"refused"}
    assert len(await holds(api, number="+13800138001")) >= 2


async def test_a_single_bad_one_is_refused(api):
    status, problem = await api.call("POST", "/v1/consents", json={"number": "12"})
    assert (status, problem["errors"][0]["code"]) == (422, "invalid_number")
    status, problem = await api.call("POST", "/v1/consents", json={"number": ONE, "brand": "a b"})
    assert (status, problem["errors"][0]["pointer"]) == (422, "/brand")


@pytest.mark.parametrize(
    "times",
    [
        {"expires_at": "9999-12-31T23:59:59-12:00"},
        {"expires_at": "9999-12-31T23:59:59Z"},
        {"at": "0001-01-01T00:00:00+14:00"},
        {"at": "0001-01-01T00:00:00Z"},
    ],
)
async def test_a_time_that_could_not_be_read_back_is_refused(api, times):
    bad, good = {"number": ONE, **times}, {"number": TWO}
    status, answer = await api.call("POST", "/v1/consents", json={"consents": [bad, good]})
    assert (status, [one["code"] for one in answer["rejected"]]) == (200, ["out_of_range"])
    assert (await api.call("GET", "/v1/consents"))[0] == 200
    assert await holds(api) == [(TWO, "default", "given")]


async def test_a_line_of_a_file_counts_once(api):
    file = {"sha256": "ab" * 32, "name": "may.csv", "statement": "from our shop in May"}
    body = {"file": file, "consents": [{"number": ONE, "line": 2}, {"number": TWO, "line": 3}]}
    _, answer = await api.call("POST", "/v1/consents", json=body)
    assert answer["recorded"] == 2
    await record(api, state="withdrawn")
    _, answer = await api.call("POST", "/v1/consents", json=body)
    assert [r["verdict"] for r in answer["results"]] == ["unchanged", "unchanged"]
    assert await holds(api, number=ONE) == [(ONE, "default", "withdrawn")]
    _, answer = await api.call("POST", "/v1/consents", json={"file": file, "consents": [{"number": ONE}]})
    assert answer["rejected"][0]["code"] == "missing_line"


async def test_lists_go_on_where_they_stopped(api):
    for brand in ("a", "b", "c"):
        await record(api, brand=brand)
    _, first = await api.call("GET", "/v1/consents", params={"limit": "2"})
    _, rest = await api.call("GET", "/v1/consents", params={"limit": "2", "cursor": first["next"]})
    assert [one["brand"] for one in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next"] is None
    status, _ = await api.call("GET", "/v1/consents", params={"cursor": "YQ"})
    assert status == 422


async def test_a_person_is_asked_once_and_not_after_a_no(api):
    answer = await record(api, ask=True, wording="Offers, once a week")
    assert answer["results"][0]["state"] == "pending"
    assert (await record(api, ask=True, wording="Offers, once a week"))["results"][0][
        "verdict"
    ] == "unchanged"
    _, page = await api.call("GET", "/v1/messages", params={"to": ONE})
    (question,) = page["items"]
    assert question["text"] == "Reply YES to get our offers."
    _, history = await api.call("GET", f"/v1/consents/{ONE}")
    assert [one["evidence"]["asked_by"] for one in history["items"]] == [question["id"]]
    await api.call("PUT", f"/v1/suppressions/{TWO}")
    status, problem = await api.call("POST", "/v1/consents", json={"number": TWO, "ask": True})
    assert (status, problem["errors"][0]["code"]) == (422, "opted_out")


async def test_an_opt_out_by_the_api_withdraws_and_its_removal_gives_nothing(api):
    await record(api)
    await record(api, brand="other")
    await api.call("PUT", f"/v1/suppressions/{ONE}")
    assert {state for _, _, state in await holds(api)} == {"withdrawn"}
    await api.call("DELETE", f"/v1/suppressions/{ONE}")
    assert {state for _, _, state in await holds(api)} == {"withdrawn"}
    await record(api)
    assert await holds(api, brand="default") == [(ONE, "default", "given")]
    assert await api.store.read(lambda tx: find_suppressed(tx, [ONE])) == set()


async def prove(api: ApiRig, tmp_path: Path, method: str, **options: Any) -> Path:
    to = tmp_path / "proof.zip"
    headers = {"Authorization": f"Bearer {api.secret}"}
    async with api.client.request(method, "/v1/consents/proof", headers=headers, **options) as response:
        assert response.status == 200, await response.text()
        to.write_bytes(await response.read())
    return to


def read_table(pack: Path, name: str) -> list[dict[str, Any]]:
    with zipfile.ZipFile(pack) as archive:
        return [json.loads(line) for line in archive.read(name).splitlines()]


async def test_nobody_on_the_opt_out_list_is_covered_by_a_list_that_is_brought_later(api, tmp_path):
    await api.call("PUT", f"/v1/suppressions/{ONE}")
    for number in (ONE, TWO):
        await record(api, number=number, brand="shop", at="2026-01-01T00:00:00Z")
    pack = await prove(api, tmp_path, "POST", json={"numbers": [ONE, TWO], "brand": "shop"})
    told = [(row["covered"], row["reason"], row["state"]) for row in read_table(pack, "records.jsonl")]
    assert told == [("no", "opted_out", "given"), ("yes", "", "given")]
    assert {row["number"] for row in read_table(pack, "history.jsonl")} == {ONE, TWO}


async def test_a_proof_of_numbers_says_who_is_covered(api, tmp_path):
    await record(api, wording="Yes please", at="2026-01-01T00:00:00Z")
    await record(api, number=TWO, state="refused")
    pack = await prove(api, tmp_path, "POST", json={"numbers": [ONE, TWO, THREE, "x"]})
    _, key = await api.call("GET", "/v1/consents/key")
    report = check_pack(pack, read_public(key["public_key"]))
    assert (report.faults, report.is_pinned, report.fingerprint) == ([], True, key["fingerprint"])
    assert report.sums == {"records": 4, "yes": 1, "no": 3}
    records = read_table(pack, "records.jsonl")
    assert [(one["number"], one["covered"], one["reason"]) for one in records] == [
        (ONE, "yes", ""),
        (TWO, "no", "consent_withdrawn"),
        (THREE, "no", "no_consent"),
        ("x", "no", "invalid_number"),
    ]
    assert [one["text"] for one in read_table(pack, "wordings.jsonl")] == ["Yes please"]
    assert len(read_table(pack, "history.jsonl")) == 2


async def test_a_proof_of_messages_is_of_the_moment_when_they_went(api, tmp_path):
    await record(api, at="2026-01-01T00:00:00Z")
    await api.send(ONE, tags=["may"], category="marketing")
    await api.send(TWO, tags=["may"], category="marketing")
    await api.send(THREE, tags=["may"])
    await record(api, state="withdrawn")
    await record(api, number=TWO)
    pack = await prove(api, tmp_path, "GET", params={"tag": "may"})
    assert check_pack(pack).faults == []
    found = {one["number"]: (one["covered"], one["reason"]) for one in read_table(pack, "records.jsonl")}
    assert found == {
        ONE: ("yes", ""),
        TWO: ("no", "no_consent"),
        THREE: ("not needed", "no_consent"),
    }


@pytest.mark.parametrize(
    ("params", "status"), [({}, 422), ({"tag": "a", "batch": "b"}, 422), ({"batch": "none"}, 404)]
)
async def test_a_proof_of_nothing_is_refused(api, params, status):
    assert (await api.call("GET", "/v1/consents/proof", params=params))[0] == status


async def test_proof_and_records_are_for_those_who_manage(api):
    reader = await api.make_key(Scope.READ, Scope.SEND, name="reader")
    for method, path in (
        ("POST", "/v1/consents"),
        ("GET", "/v1/consents/proof"),
        ("POST", "/v1/consents/proof"),
    ):
        assert (await api.call(method, path, secret=reader, json={}))[0] == 403
