"""The console's pages of keys, the audit trail and the review queue, by HTTP."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.model.user import Role
from gateway.policy.chain import Chain
from gateway.policy.lexicon import Lexicon
from gateway.policy.rules.words import WordList, Words
from tests.support.console import ConsoleRig, open_console

_SECRET = re.compile(r"hy_[a-z2-7]{32}")


async def test_a_key_is_made_shown_once_used_and_revoked(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        made = await visitor.post("/keys", {"name": "shop", "scope": ["send", "read"]})
        found = _SECRET.search(made.text)
        assert found is not None
        status, _ = await rig.api.call("GET", "/v1/messages", secret=found[0])
        assert status == 200
        page = await visitor.get("/keys")
        assert "shop" in page.text
        assert _SECRET.search(page.text) is None
        place = re.search(r'action="/console(/keys/[^"]+/revoke)"', page.text)
        assert place is not None
        assert (await visitor.post(place[1])).status == 303
        assert "revoked" in (await visitor.get("/keys")).text
        rig.api.clock.jump(60)
        status, _ = await rig.api.call("GET", "/v1/messages", secret=found[0])
        assert status == 401
        trail = (await visitor.get("/audit?action=key.*")).text
        assert "key.made" in trail
        assert "key.revoked" in trail
        assert "user:admin" in trail
        assert found[0] not in trail


async def test_a_key_without_a_name_or_scope_or_with_a_taken_name_is_not_made(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        for fields, fault in (
            ({"name": "", "scope": "read"}, "Give it a name"),
            ({"name": "shop"}, "Choose what it may do."),
            ({"name": "admin", "scope": "read"}, "choose another name"),
        ):
            answer = await visitor.post("/keys", fields)
            assert answer.status in {409, 422}
            assert fault in answer.text
            assert _SECRET.search(answer.text) is None


async def test_only_admins_see_keys_and_the_trail(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig:
        await rig.add_user("oona", Role.OPERATOR)
        async with rig.visitor("oona") as visitor:
            for path in ("/keys", "/audit"):
                assert (await visitor.get(path)).status == 403
                assert f'href="/console{path}"' not in (await visitor.get("/")).text
            assert (await visitor.post("/keys", {"name": "x", "scope": "admin"})).status == 403


async def test_the_trail_is_narrowed_by_a_number_in_any_spelling(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        await visitor.post("/suppressions/add", {"number": "13800138000", "reason": "asked"})
        await visitor.post("/suppressions/add", {"number": "13900139000", "reason": "asked"})
        page = (await visitor.get("/audit?subject=138+0013+8000")).text
        assert "+8613800138000" in page
        assert "+8613900139000" not in page


async def _hold(rig: ConsoleRig, text: str, n: int) -> list[str]:
    """Messages that wait for a person."""
    words = Words.of([WordList(lexicon=Lexicon("ads", (("最佳", "review"),)))])
    rig.api.intake.adopt(rig.api.intake.settings._replace(chain=Chain(texts=[words])))
    return [(await rig.api.send(f"+86138001380{i:02}", text))["id"] for i in range(n)]


async def _statuses(rig: ConsoleRig, ids: list[str]) -> list[tuple[str, list[str]]]:
    """Status of each, and what it waits for."""
    found = [(await rig.api.call("GET", f"/v1/messages/{one}"))[1] for one in ids]
    return [(one["status"], [why["code"] for why in one["waiting_for"]]) for one in found]


async def test_all_of_one_text_are_let_go_at_once(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        ids = await _hold(rig, "全国最佳", 3)
        page = (await visitor.get("/reviews")).text
        assert page.count("全国最佳") == 1
        assert "listed_word" in page
        place = re.search(r'action="/console(/reviews/[^"]+)"', page)
        assert place is not None
        done = await visitor.post(place[1], {"decision": "approved", "all_of": "text"})
        assert done.status == 303
        assert "3 messages go now." in (await visitor.get("/reviews")).text
        assert all("review" not in codes for _, codes in await _statuses(rig, ids))
        assert "user:admin" in (await visitor.get("/reviews?state=approved")).text


async def test_one_is_rejected_with_a_reason_and_never_without(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        ids = await _hold(rig, "全国最佳", 2)
        await visitor.post(f"/reviews/{ids[0]}", {"decision": "rejected", "all_of": "message"})
        assert "Say why it is rejected" in (await visitor.get("/reviews")).text
        assert await _statuses(rig, ids) == [("queued", ["review"])] * 2
        await visitor.post(
            f"/reviews/{ids[0]}", {"decision": "rejected", "all_of": "message", "reason": "no such words"}
        )
        assert await _statuses(rig, ids) == [("blocked", []), ("queued", ["review"])]
        again = await visitor.post(f"/reviews/{ids[0]}", {"decision": "approved"})
        assert again.status == 303
        assert "rejected it already" in (await visitor.get("/reviews")).text


async def test_whoever_only_looks_sees_the_queue_and_decides_nothing(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig:
        await rig.add_user("vera", Role.VIEWER)
        (held,) = await _hold(rig, "全国最佳", 1)
        async with rig.visitor("vera") as visitor:
            page = (await visitor.get("/reviews")).text
            assert "全国最佳" in page
            assert '<form method="post" action="/console/reviews' not in page
            assert (await visitor.post(f"/reviews/{held}", {"decision": "approved"})).status == 403
        assert await _statuses(rig, [held]) == [("queued", ["review"])]


async def test_an_empty_queue_says_so(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        assert "Nothing waits for a person." in (await visitor.get("/reviews")).text
        assert "Nothing matches." in (await visitor.get("/reviews?state=rejected")).text


async def test_enabling_somebody_who_may_come_in_is_no_deed(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        user = await rig.add_user("vera", Role.VIEWER)
        for deed in ("enable", "disable", "enable", "enable"):
            assert (await visitor.post(f"/users/{user.id}/{deed}")).status == 303
        trail = (await visitor.get("/audit?format=csv&subject=vera")).text
        assert (trail.count("user.disabled"), trail.count("user.enabled")) == (1, 1)
