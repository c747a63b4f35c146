"""The audit trail at the doors: each verb leaves an entry with who and from where, and the command line checks it."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from drivers.base import Encoding, FaultKind, InboundPart
from drivers.codec.gsm7 import encode_gsm7
from gateway.cli.main import main
from gateway.model.alarm import AlarmKind
from gateway.model.message import Scope
from gateway.pipeline.alarms import clear_alarm, raise_alarm
from gateway.runtime.stores import opened_store
from gateway.store.audit import AuditQuery, erase_audit_subject, list_audit
from tests.support.fake_driver import ScriptedDriver, refused
from tests.support.gateway import running
from tests.support.people import OPERATOR
from tests.support.product import resend_message

pytestmark = pytest.mark.integration

ME = f"cli:{pwd.getpwuid(os.geteuid()).pw_name}"
NUMBER = "+8613800138000"
ROOT = Path(__file__).parents[2]


async def trail(rig) -> list[tuple[str, str, str]]:
    status, page = await rig.call("GET", "/v1/audit?limit=1000")
    assert status == 200
    return [(entry["action"], entry["subject"], entry["actor"]) for entry in reversed(page["items"])]


async def test_what_a_key_changes_is_on_record_with_where_it_came_from(rig):
    shop = await rig.make_key(Scope.SEND, name="shop")
    _, sent = await rig.call("POST", "/v1/messages", secret=shop, json={"to": NUMBER, "text": "hello"})
    await rig.call("POST", f"/v1/messages/{sent['id']}/cancel", secret=shop)
    await rig.call("POST", f"/v1/messages/{sent['id']}/cancel", secret=shop)
    await rig.call("PUT", f"/v1/suppressions/{NUMBER}", json={"reason": "Mrs Li asked by phone"})
    await rig.call("PUT", f"/v1/suppressions/{NUMBER}")
    await rig.call("DELETE", f"/v1/suppressions/{NUMBER}")
    await rig.call("PUT", f"/v1/carriers/{NUMBER}", json={"carrier": "unicom"})
    await rig.call("DELETE", f"/v1/carriers/{NUMBER}")
    assert await trail(rig) == [
        ("message.canceled", sent["id"], "key:shop"),
        ("subscription.opted_out", NUMBER, "key:admin"),
        ("subscription.opted_in", NUMBER, "key:admin"),
        ("carrier.set", NUMBER, "key:admin"),
        ("carrier.unset", NUMBER, "key:admin"),
    ], "what was refused, or changed nothing, is no deed"
    _, page = await rig.call("GET", "/v1/audit")
    assert {entry["origin"] for entry in page["items"]} == {"api 127.0.0.1"}
    assert "hello" not in str(page)
    assert "Mrs Li" not in str(page)
    assert page["items"][-1]["details"] == {"was": "queued"}


async def test_a_webhook_is_on_record_without_its_secret_and_its_path(rig):
    body = {"name": "crm", "url": "https://crm.example.com/in?token=geheim"}
    _, made = await rig.call("POST", "/v1/webhooks", json=body)
    await rig.call("PATCH", f"/v1/webhooks/{made['id']}", json={"enabled": False})
    _, rotated = await rig.call("POST", f"/v1/webhooks/{made['id']}/secret")
    await rig.call("DELETE", f"/v1/webhooks/{made['id']}")
    kinds = ["webhook.made", "webhook.changed", "webhook.secret_rotated", "webhook.deleted"]
    assert await trail(rig) == [(kind, made["id"], "key:admin") for kind in kinds]
    _, page = await rig.call("GET", "/v1/audit")
    assert page["items"][-1]["details"]["host"] == "crm.example.com:443"
    for secret in ("geheim", made["secret"], rotated["secret"]):
        assert secret not in str(page)


async def test_what_is_done_to_a_channel_is_on_record(rig):
    name = (await rig.call("GET", "/v1/channels"))[1]["items"][0]["name"]
    for verb in ("pause", "resume", "drain"):
        assert (await rig.call("POST", f"/v1/channels/{name}/{verb}"))[0] == 200
    kinds = ["channel.paused", "channel.resumed", "channel.draining"]
    assert await trail(rig) == [(kind, name, "key:admin") for kind in kinds]


async def test_a_reset_is_on_record_too(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        await rig.channels.reset("a", by=OPERATOR)
        (entry,) = await rig.store.read(lambda tx: list_audit(tx, AuditQuery(), 10))
    assert (entry.actor, entry.action, entry.subject) == (str(OPERATOR), "channel.reset", "a")


async def test_what_an_operator_sees_to_is_on_record(rig):
    await rig.store.write(lambda tx: raise_alarm(tx, rig.clock, AlarmKind.STANDSTILL, "a", "Nothing moves."))
    (alarm,) = (await rig.call("GET", "/v1/alarms"))[1]["items"]
    await rig.call("POST", f"/v1/alarms/{alarm['id']}/clear")
    _, made = await rig.call("POST", "/v1/webhooks", json={"name": "crm", "url": "https://crm.invalid/"})
    await rig.call("POST", f"/v1/webhooks/{made['id']}/test")
    assert await trail(rig) == [
        ("alarm.cleared", alarm["id"], "key:admin"),
        ("webhook.made", made["id"], "key:admin"),
        ("webhook.tested", made["id"], "key:admin"),
    ]


async def test_what_clears_an_alarm_by_itself_is_no_deed(rig):
    for op in (
        lambda tx: raise_alarm(tx, rig.clock, AlarmKind.STANDSTILL, "a", "Nothing moves."),
        lambda tx: clear_alarm(tx, rig.clock, AlarmKind.STANDSTILL, "a"),
    ):
        await rig.store.write(op)
    assert await trail(rig) == []


async def test_a_message_that_is_sent_again_is_on_record(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(refused(FaultKind.PERMANENT))
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.until_status(await rig.send(), "failed")
        await resend_message(rig.store, rig.clock, message.id, by=OPERATOR)
        (entry,) = await rig.store.read(lambda tx: list_audit(tx, AuditQuery(), 10))
    assert (entry.actor, entry.action, entry.subject) == (str(OPERATOR), "message.resent", message.id)
    assert bytes(entry.details) == b'{"was":"failed"}'


async def test_a_repeated_request_is_one_deed(rig):
    name = (await rig.call("GET", "/v1/channels"))[1]["items"][0]["name"]
    for _ in range(3):
        await rig.call("POST", f"/v1/channels/{name}/pause", headers={"Idempotency-Key": "k"})
    assert len(await trail(rig)) == 1


async def test_entries_are_found_and_paged_and_only_admins_see_them(rig):
    numbers = [f"+861380013800{n}" for n in range(5)]
    for number in numbers:
        await rig.call("PUT", f"/v1/suppressions/{number}", headers={"X-Forwarded-For": "203.0.113.7"})
    _, first = await rig.call("GET", "/v1/audit?limit=3")
    _, second = await rig.call("GET", f"/v1/audit?limit=3&cursor={first['next']}")
    assert [e["seq"] for e in first["items"] + second["items"]] == [5, 4, 3, 2, 1]
    assert second["next"] is None
    assert first["items"][0]["origin"] == "api 127.0.0.1, forwarded for 203.0.113.7"
    _, found = await rig.call("GET", "/v1/audit?subject=138%200013%208003")
    assert [e["subject"] for e in found["items"]] == [numbers[3]]
    assert (await rig.call("GET", "/v1/audit?action=channel.*"))[1]["items"] == []
    assert (await rig.call("GET", "/v1/audit?actor=key:admin&since=2020-01-01T00:00:00Z"))[1]["items"]
    assert (await rig.call("GET", "/v1/audit?cursor=AAAA"))[0] == 422
    manager = await rig.make_key(Scope.MANAGE, Scope.READ, Scope.SEND, name="manager")
    assert (await rig.call("GET", "/v1/audit", secret=manager))[0] == 403


async def test_who_opts_out_by_a_reply_did_it_himself(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(InboundPart(sender=NUMBER, encoding=Encoding.GSM7, payload=encode_gsm7("STOP")))
        (entry,) = await rig.store.read(lambda tx: list_audit(tx, AuditQuery(), 10))
    assert (entry.actor, entry.origin, entry.action, entry.subject) == (
        "person",
        "inbound",
        "subscription.opted_out",
        NUMBER,
    )
    assert json.loads(bytes(entry.details)).items() >= {"keyword": "stop", "source": "inbound"}.items()


# ---- the command line ----


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "hongyan.db"


@pytest.fixture
def run(tmp_path: Path, database: Path, capsys: pytest.CaptureFixture[str]):
    config = tmp_path / "hongyan.toml"
    config.touch(mode=0o600)
    config.write_text(f'[store]\nurl = "sqlite:///{database}"\n')

    def run_command(*words: str) -> tuple[int, str]:
        status = main([*words, "--config", str(config)])
        return status, capsys.readouterr().out

    return run_command


@pytest.fixture
def keys(run) -> list[str]:
    """Three keys, so three entries."""
    for name in ("a", "b", "c"):
        assert run("keys", "create", "--name", name)[0] == 0
    return ["a", "b", "c"]


def forge(database: Path, sql: str) -> None:
    with closing(sqlite3.connect(database)) as db:
        db.execute(sql)
        db.commit()


@pytest.mark.usefixtures("keys")
def test_deeds_are_listed_with_who_and_from_where(run):
    assert run("keys", "revoke", "b")[0] == 0
    status, out = run("audit", "list", "--action", "key.*", "--json")
    assert status == 0
    shown = [json.loads(line) for line in out.splitlines()]
    assert [(e["seq"], e["action"], e["actor"], e["details"]["name"]) for e in shown] == [
        (4, "key.revoked", ME, "b"),
        (3, "key.made", ME, "c"),
        (2, "key.made", ME, "b"),
        (1, "key.made", ME, "a"),
    ]
    assert shown[0]["origin"].startswith(f"machine {os.uname().nodename}")
    status, out = run("audit", "list", "--limit", "1")
    assert "key.revoked" in out
    assert "name=b" in out
    assert len(out.splitlines()) == 2


@pytest.mark.usefixtures("keys")
def test_a_store_that_nobody_touched_is_whole(run):
    status, out = run("audit", "verify")
    head = run("audit", "head")[1].strip()
    assert (status, out.strip()) == (0, f"whole: entries 1 to 3; head {head}")
    assert run("keys", "create", "--name", "d")[0] == 0
    assert run("audit", "verify", "--head", head)[0] == 0
    assert run("audit", "verify", "--head", "3:abc")[0] == 2


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE audit SET actor = 'cli:other' WHERE seq = 2", "entry 2 was changed"),
        ("DELETE FROM audit WHERE seq = 2", "entry 2 is missing"),
        ("DELETE FROM audit WHERE seq = 3", "entry 3 is missing"),
        ("UPDATE audit SET seq = CASE seq WHEN 1 THEN 99 ELSE 1 END WHERE seq < 2", "entry 1 is missing"),
    ],
)
def test_what_was_changed_behind_its_back_is_named(run, database: Path, sql: str, said: str):
    forge(database, sql)
    status, out = run("audit", "verify")
    assert status == 1
    assert said in out


@pytest.mark.usefixtures("keys")
def test_an_end_that_was_cut_off_with_the_head_is_found_by_a_head_that_was_written_down(run, database: Path):
    head = run("audit", "head")[1].strip()
    forge(
        database,
        "UPDATE audit_head SET last_seq = 2, last_hash = (SELECT hash FROM audit WHERE seq = 2)",
    )
    forge(database, "DELETE FROM audit WHERE seq = 3")
    assert run("audit", "verify")[0] == 0
    status, out = run("audit", "verify", "--head", head)
    assert status == 1
    assert "entry 3 is missing" in out


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("masked", [False, True])
def test_an_exported_file_is_checked_without_the_store(run, tmp_path: Path, database: Path, masked: bool):
    asyncio.run(opt_out(database))
    file = tmp_path / "audit.jsonl"
    assert run("audit", "export", str(file), *(["--mask-numbers"] if masked else []))[0] == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert run("audit", "export", str(file))[0] == 1, "nothing is written over"
    lines = file.read_bytes().splitlines(keepends=True)
    assert len(lines) == 1 + 5 + 1
    assert (NUMBER in file.read_text()) is not masked
    assert json.loads(lines[-2])["action"] == "audit.exported"
    database.unlink()
    status, out = main(["audit", "verify", "--file", str(file)]), ""
    assert status == 0, out
    others = {
        "a line is gone": [*lines[:2], *lines[3:]],
        "the first entry is gone": [lines[0], *lines[2:]],
        "the end is gone": lines[:-1],
        "the last entry is gone": [*lines[:-2], lines[-1]],
        "half a line": [*lines[:-2], lines[-2][:40]],
        "two are swapped": [lines[0], lines[2], lines[1], *lines[3:]],
        "one is twice": [*lines[:2], *lines[1:]],
        "one is changed": [*lines[:2], lines[2].replace(b"key.made", b"key.lost"), *lines[3:]],
        "a name is there twice": [*lines[:2], lines[2].replace(b'{"seq"', b'{"seq":9,"seq"'), *lines[3:]],
        "it is something else": [b"{}\n"],
        "it is empty": [],
    }
    for what, forged in others.items():
        other = tmp_path / "other.jsonl"
        other.write_bytes(b"".join(forged))
        assert main(["audit", "verify", "--file", str(other)]) == 1, what


async def opt_out(database: Path) -> None:
    from gateway.clock import SystemClock
    from gateway.model.actor import SYSTEM
    from gateway.store.audit import record_audit

    now = SystemClock().now()
    async with opened_store(f"sqlite:///{database}") as store:
        await store.write(lambda tx: record_audit(tx, SYSTEM, "subscription.opted_out", NUMBER, at=now))


@pytest.mark.usefixtures("keys")
def test_a_part_is_exported_and_checked(run, tmp_path: Path, database: Path):
    forge(database, "UPDATE audit_head SET last_seq = last_seq")
    file = tmp_path / "part.jsonl"
    forged_at = "UPDATE audit SET at = at - 86400000 * 3 WHERE seq = 1"
    forge(database, forged_at)  # the part that is exported does not hold it
    assert run("audit", "export", str(file), "--since", "1d")[0] == 0
    assert main(["audit", "verify", "--file", str(file)]) == 0
    assert [json.loads(line).get("seq") for line in file.read_text().splitlines()] == [None, 2, 3, 4, None]
    assert run("audit", "verify")[0] == 1


@pytest.mark.usefixtures("keys")
def test_a_person_can_be_erased_and_the_trail_is_whole(run, database: Path):
    async def erase() -> int:
        async with opened_store(f"sqlite:///{database}") as store:
            return await store.write(lambda tx: erase_audit_subject(tx, NUMBER))

    asyncio.run(opt_out(database))
    assert asyncio.run(erase()) == 1
    status, out = run("audit", "verify")
    assert status == 0
    assert "1 without their subject" in out


def test_there_is_nothing_to_check_without_a_store(run, capsys):
    assert run("audit", "verify")[0] == 1


def test_the_table_hides_numbers_where_the_config_says_so(run, tmp_path: Path, database: Path):
    run("keys", "create", "--name", "a")
    asyncio.run(opt_out(database))
    assert NUMBER in run("audit", "list")[1]
    config = tmp_path / "hongyan.toml"
    config.write_text(config.read_text() + "[log]\nmask_numbers = true\n")
    out = run("audit", "list")[1]
    assert "+861******8000" in out
    assert NUMBER not in out
    assert NUMBER in run("audit", "list", "--json")[1]
    for spelling in (NUMBER, "+86 138 0013 8000", "0086 138-0013-8000"):
        assert len(run("audit", "list", "--json", "--subject", spelling)[1].splitlines()) == 1


def test_every_action_stands_in_the_manual():
    """Those that are written out where they are recorded."""
    code = "".join(path.read_text("utf-8") for path in (ROOT / "gateway").rglob("*.py"))
    calls = re.findall(r'(?:record_audit|call\.audit)\((?:[^"()]|\([^()]*\))*"([a-z]+\.[a-z_]+)"', code)
    manual = (ROOT / "docs" / "audit.md").read_text("utf-8")
    assert len(set(calls)) > 12
    assert sorted({action for action in calls if f"`{action}`" not in manual}) == []
