"""The pages for those who operate: channels, alarms and opt-outs say what is wrong, and do what they are told."""

from __future__ import annotations

from pathlib import Path

from gateway.clock import SystemClock
from gateway.model.alarm import AlarmKind
from gateway.model.user import Role
from gateway.pipeline.alarms import raise_alarm
from gateway.routing.channel import ChannelState
from gateway.store.alarms import list_alarms
from tests.support.console import open_console

NUMBER = "+8613800138000"


async def test_a_channel_that_is_down_says_why_and_what_to_do(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        assert "It works." in (await visitor.get("/channels/sim-1")).text
        rig.api.channels.change(
            "sim-1",
            state=ChannelState.STOPPED,
            error="stick_taken: ModemManager has it",
            facts={"signal_dbm": -71, "operator": "China Unicom", "balance": 12.5},
        )
        listed = (await visitor.get("/channels")).text
        for words in ("sim-1", "stopped", "hongyan doctor", "-71", "China Unicom", "12.5"):
            assert words in listed
        page = (await visitor.get("/channels/sim-1")).text
        assert "Another program uses the modem" in page
        assert "ModemManager has it" in page
        assert "sim-1" in (await visitor.get("/channels?format=csv")).text
        assert (await visitor.get("/channels/none")).status == 404
    async with open_console(tmp_path / "zh") as rig, rig.visitor("admin", "zh") as visitor:
        assert "工作正常" in (await visitor.get("/channels/sim-1")).text


async def test_a_channel_is_paused_drained_resumed_and_reset_by_its_buttons(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        for deed, state in (
            ("pause", "paused"),
            ("resume", "up"),
            ("drain", "draining"),
            ("reset", "starting"),
        ):
            done = await visitor.post(f"/channels/sim-1/{deed}")
            assert done.location == "/console/channels/sim-1"
            found = rig.api.channels.snapshot("sim-1")
            assert found is not None
            assert found.state == state
        assert "channel" in (await visitor.get("/channels/sim-1")).text


async def test_ussd_answers_on_the_page_and_a_bad_code_is_marked(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        assert "you asked *100#" in (await visitor.post("/channels/sim-1/ussd", {"code": "*100#"})).text
        wrong = await visitor.post("/channels/sim-1/ussd", {"code": '"'})
        assert wrong.status == 422
        assert "Write a code such as" in wrong.text


async def test_a_test_message_to_no_number_is_refused_on_the_page_and_a_trace_says_its_file(
    tmp_path: Path,
) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        wrong = await visitor.post("/channels/sim-1/test", {"to": "hello"})
        assert wrong.status == 422
        assert 'role="alert"' in wrong.text
        await visitor.post("/channels/sim-1/trace", {"on": "yes"})
        assert "sim-1.trace" in (await visitor.get("/channels/sim-1")).text


async def test_who_only_looks_has_no_buttons_and_no_right_to_their_forms(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig:
        await rig.add_user("viewer", Role.VIEWER)
        async with rig.visitor("viewer") as visitor:
            assert "/channels/sim-1/reset" not in (await visitor.get("/channels/sim-1")).text
            for path in (
                "/channels/sim-1/pause",
                "/alarms/clear",
                "/suppressions/add",
                "/suppressions/remove",
            ):
                assert (await visitor.post(path, {"number": NUMBER})).status == 403


async def test_an_open_alarm_is_shown_with_its_words_and_closed(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        assert "All is well" in (await visitor.get("/alarms")).text
        store, clock = rig.api.store, SystemClock()
        detail = "Nothing moves though there is room; reset the channel."
        await store.write(lambda tx: raise_alarm(tx, clock, AlarmKind.STANDSTILL, "sim-1", detail))
        assert detail in (await visitor.get("/alarms")).text
        (alarm,) = await store.read(lambda tx: list_alarms(tx, limit=5))
        assert (await visitor.post("/alarms/clear", {"id": alarm.id})).location == "/console/alarms"
        assert detail not in (await visitor.get("/alarms")).text
        assert (await visitor.post("/alarms/clear", {"id": alarm.id})).status == 404
        assert "No monitoring tool" in (await visitor.get("/alerts")).text


async def test_an_opt_out_by_hand_has_its_evidence_and_is_taken_back(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        added = await visitor.post("/suppressions/add", {"number": NUMBER, "reason": "asked by telephone"})
        assert "number=%2B8613800138000" in added.location
        page = (await visitor.get(f"/suppressions?number={NUMBER.replace('+', '%2B')}")).text
        for words in (NUMBER, "asked by telephone", "opted_out", "admin", "Evidence"):
            assert words in page
        assert NUMBER in (await visitor.get("/suppressions")).text
        await visitor.post("/suppressions/remove", {"number": NUMBER, "scope": "everything"})
        assert NUMBER not in (await visitor.get("/suppressions")).text
        assert (await visitor.get("/suppressions?number=xx")).status == 200
        await visitor.post("/suppressions/add", {"number": "12"})
        assert "said-bad" in (await visitor.get("/suppressions")).text
