"""`hongyan consent`, as its users run it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import redirect_stderr, redirect_stdout
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest

from gateway.cli.client import Api
from gateway.cli.main import main
from gateway.cli.output import Failure
from gateway.model.message import Scope
from tests.support.api import ApiRig, open_api

pytestmark = pytest.mark.integration

ONE, TWO = "+8613800138000", "+8613900139000"
STATEMENT = "Joined in our shops in May"


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ApiRig]:
    async with open_api(tmp_path) as rig:
        yield rig


async def cli(api: ApiRig, *words: str) -> Done:
    return await run(api, "consent", *words)


async def run(api: ApiRig, *words: str) -> Done:
    out, err = io.StringIO(), io.StringIO()
    env = {"HONGYAN_URL": str(api.client.make_url("/")), "HONGYAN_KEY": api.secret}
    with mock.patch.dict(os.environ, env), redirect_stdout(out), redirect_stderr(err):
        code = await asyncio.to_thread(main, list(words))
    return Done(code, out.getvalue(), err.getvalue())


async def states(api: ApiRig) -> dict[str, str]:
    _, page = await api.call("GET", "/v1/consents", params={"limit": "1000"})
    return {one["number"]: one["state"] for one in page["items"]}


async def test_one_is_added_shown_and_withdrawn(api):
    added = await cli(api, "add", ONE, "--source", "paper", "--wording", "Offers", "--reference", "form-17")
    assert (added.code, added.out) == (0, f"{ONE}  given  new\n")
    gone = await cli(api, "withdraw", ONE, "--note", "by telephone")
    assert (gone.code, gone.out) == (0, f"{ONE}  withdrawn  changed\n")
    shown = await cli(api, "show", ONE, "--json")
    assert [json.loads(line)["state"] for line in shown.out.splitlines()] == ["given", "withdrawn"]
    shown = await cli(api, "show", ONE)
    assert "reference form-17" in shown.out
    assert ONE in (await cli(api, "list", "--state", "withdrawn")).out
    nothing = await cli(api, "show", TWO)
    assert (nothing.code, "nothing is on record" in nothing.err) == (1, True)


CHINESE = (
    "手机号,同意时间,来源,同意内容,城市\n13800138000,2026年5月1日,线下门店,每周优惠,北京\n"
    f"12,2026-05-01,,,\n{TWO},gestern,,,\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
async def test_a_file_of_a_chinese_spreadsheet_is_imported_row_by_row(api, tmp_path, encoding):
    file, bad = tmp_path / "may.csv", tmp_path / "bad.csv"
    file.write_bytes(CHINESE.replace("\n", "\r\n").encode(encoding))
    words = ("import", str(file), "--statement", STATEMENT, "--bad", str(bad))
    dry = await cli(api, *words, "--dry-run")
    assert (dry.code, dry.out) == (
        0,
        "1 new, 0 changed, 0 older, 0 unchanged, 0 said no, 2 bad; nothing was recorded\n",
    )
    assert await states(api) == {}
    done = await cli(api, *words)
    assert (done.code, done.out) == (0, "1 new, 0 changed, 0 older, 0 unchanged, 0 said no, 2 bad\n")
    assert "columns that are not read: 城市" in done.err
    assert "line 3: " in done.err
    assert await states(api) == {ONE: "given"}
    rows = list(csv.reader(bad.read_text(encoding="utf-8-sig").splitlines()))
    assert [row[-2] for row in rows[1:]] == ["3", "4"]
    assert rows[1][0] == "12"
    again = await cli(api, *words)
    assert again.out.startswith("0 new, 0 changed, 0 older, 1 unchanged, 0 said no, 2 bad")
    _, history = await api.call("GET", f"/v1/consents/{ONE}")
    first = history["items"][0]
    assert (first["source"], first["wording"], first["line"]) == ("线下门店", "每周优惠", 2)


async def test_a_file_without_a_head_and_one_without_numbers(api, tmp_path):
    plain, other = tmp_path / "plain.csv", tmp_path / "other.csv"
    plain.write_text(f"{ONE}\n\n'{TWO}\n")
    done = await cli(api, "import", str(plain), "--statement", STATEMENT, "--brand", "shop", "--json")
    assert json.loads(done.out) == {
        "dry_run": False,
        "new": 2,
        "changed": 0,
        "older": 0,
        "unchanged": 0,
        "said_no": 0,
        "bad": 0,
    }
    other.write_text("name;city\nAnn;Oslo\n")
    wrong = await cli(api, "import", str(other), "--statement", STATEMENT)
    assert (wrong.code, "has no column of numbers" in wrong.err) == (1, True)


async def test_a_quote_that_is_not_closed_swallows_no_row_unseen(api, tmp_path):
    file = tmp_path / "open.csv"
    head = f'number,state,note\n{ONE},given,"he said "yes""\n'
    file.write_text(f'{head}{TWO},given,"abc\n{ONE},withdrawn,x\n+8613900139001,withdrawn,x\n')
    done = await cli(api, "import", str(file), "--statement", STATEMENT)
    assert done.out == "0 new, 0 changed, 0 older, 0 unchanged, 0 said no, 2 bad\n"
    assert "line 2: this is no row of a CSV file" in done.err
    assert "line 3: lines 3 to 5 are not read, a quote is not closed" in done.err
    assert await states(api) == {}


@pytest.mark.parametrize(
    "octets",
    [
        b"number,note\n" + b"+8613800138000,ok\n" * 9_000 + b"+8613800138000,\xff\xff\xff\n",
        b"number,\xff\xff\n1\n",
        b"\xff\xfe" + "number\n1\n".encode("utf-16-le") + b"a",
    ],
)
async def test_a_file_that_is_no_text_is_refused_before_its_first_row(api, tmp_path, octets):
    file = tmp_path / "spoilt.csv"
    file.write_bytes(octets)
    done = await cli(api, "import", str(file), "--statement", STATEMENT)
    assert (done.code, done.err.count("\n"), "save it as UTF-8" in done.err) == (1, 1, True)
    assert "138000" not in done.err
    assert await states(api) == {}


async def test_what_was_exported_can_be_imported(api, tmp_path):
    await cli(api, "add", ONE, "--wording", "Offers,\nonce a week", "--form", "https://shop.example")
    await cli(api, "add", TWO, "--state", "refused", "--brand", "shop")
    out = tmp_path / "out.csv"
    assert (await cli(api, "export", "--out", str(out))).err == "2 consents\n"
    folder = tmp_path / "other"
    folder.mkdir()
    async with open_api(folder) as other:
        done = await cli(other, "import", str(out), "--statement", "from the old gateway")
        assert done.out.startswith("2 new")
        copies = [await rig.call("GET", "/v1/consents") for rig in (api, other)]
        kept = ("number", "brand", "state", "source", "at", "wording")
        mine, theirs = ([tuple(one[k] for k in kept) for one in page["items"]] for _, page in copies)
        assert mine == theirs


async def test_a_large_file_goes_on_after_it_broke_off(api, tmp_path):
    file = tmp_path / "many.csv"
    file.write_text("number\n" + "".join(f"+86138{n:08d}\n" for n in range(2_500)))
    calls, real = 0, Api.call

    def breaks_off(self: Api, *args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Failure("connection refused")
        return real(self, *args, **options)

    with mock.patch.object(Api, "call", breaks_off):
        broken = await cli(api, "import", str(file), "--statement", STATEMENT)
    assert (broken.code, "1000 rows were done" in broken.err) == (1, True)
    done = await cli(api, "import", str(file), "--statement", STATEMENT)
    assert done.out == "1500 new, 0 changed, 0 older, 1000 unchanged, 0 said no, 0 bad\n"


def rewrite(pack: Path, to: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    with zipfile.ZipFile(pack) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(to, "w") as archive:
        for name, octets in files.items():
            archive.writestr(name, octets)
    return to


async def test_a_proof_is_made_and_checked_and_every_change_is_named(api, tmp_path):
    file, numbers, pack = tmp_path / "all.csv", tmp_path / "numbers.txt", tmp_path / "proof.zip"
    file.write_text("number\n" + "".join(f"+86138{n:08d}\n" for n in range(30)))
    numbers.write_text("".join(f"+86138{n:08d}\n" for n in range(30)))
    await cli(api, "import", str(file), "--statement", STATEMENT)
    made = await cli(api, "proof", "--numbers", str(numbers), "--out", str(pack))
    assert made.code == 0, made.err
    key = (await cli(api, "key")).out.strip()
    good = await cli(api, "verify", str(pack), "--public-key", key)
    assert (good.code, "30 covered" in good.out, good.err) == (0, True, "")
    unpinned = await cli(api, "verify", str(pack))
    assert (unpinned.code, "archive's own" in unpinned.err) == (0, True)

    def spoil(files: dict[str, bytes]) -> None:
        lines = files["records.csv"].split(b"\n")
        lines[3] = lines[3].replace(b",yes,", b",no,")
        del lines[7]
        lines.insert(9, b"31" + lines[1][1:])
        files["records.csv"] = b"\n".join(lines)

    spoilt = await cli(api, "verify", str(rewrite(pack, tmp_path / "a.zip", spoil)), "--public-key", key)
    assert spoilt.code == 1
    assert spoilt.out.splitlines() == [
        "records.csv: row 3 was changed",
        "records.csv: row 31 (line 10) was added",
        "records.csv: row 7 is missing",
    ]

    def shrink(files: dict[str, bytes]) -> None:
        files["records.jsonl"] = b"\n".join(files["records.jsonl"].split(b"\n")[:-2]) + b"\n"
        del files["wordings.jsonl"]
        files["more.txt"] = b"!"

    shrunk = await cli(api, "verify", str(rewrite(pack, tmp_path / "b.zip", shrink)))
    assert shrunk.out.splitlines() == [
        "wordings.jsonl: is missing",
        "more.txt: was added",
        "records.jsonl: row 30 is missing",
    ]

    def forge(files: dict[str, bytes]) -> None:
        files["manifest.json"] = files["manifest.json"].replace(b'"yes": 30', b'"yes": 31')

    forged = await cli(api, "verify", str(rewrite(pack, tmp_path / "c.zip", forge)))
    assert (forged.code, "the signature is not that of manifest.json" in forged.out) == (1, True)
    other = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    strange = await cli(api, "verify", str(pack), "--public-key", other)
    assert (strange.code, "another key" in strange.out) == (1, True)
    (tmp_path / "d.zip").write_bytes(pack.read_bytes()[:2_000])
    assert (await cli(api, "verify", str(tmp_path / "d.zip"))).code == 1


async def test_a_hostile_archive_neither_fills_the_memory_nor_speaks_to_the_terminal(api, tmp_path):
    await cli(api, "add", ONE)
    numbers, pack = tmp_path / "numbers.txt", tmp_path / "proof.zip"
    numbers.write_text(f"{ONE}\n=HYPERLINK(1)\n")
    await cli(api, "proof", "--numbers", str(numbers), "--out", str(pack))

    def speak(files: dict[str, bytes]) -> None:
        files["\x1b[2J\x1b]0;good\x07"] = b"!"

    spoken = await cli(api, "verify", str(rewrite(pack, tmp_path / "a.zip", speak)))
    assert (spoken.code, "was added" in spoken.out, "\x1b" in spoken.out) == (1, True, False)

    def misnumber(files: dict[str, bytes]) -> None:
        manifest = json.loads(files["manifest.json"])
        manifest["files"]["records.csv"]["rows"] = -1
        manifest["files"]["records.csv.lines"]["sha256"] = sha256(b"").hexdigest()
        files |= {
            "records.csv": b"1,\n",
            "records.csv.lines": b"",
            "manifest.json": json.dumps(manifest).encode(),
        }

    wrong = await cli(api, "verify", str(rewrite(pack, tmp_path / "b.zip", misnumber)))
    assert (wrong.code, "records.csv: was changed" in wrong.out) == (1, True)
    bomb = tmp_path / "c.zip"
    with zipfile.ZipFile(pack) as archive, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as to:
        for name in archive.namelist():
            with to.open(name, "w", force_zip64=True) as member:
                if name != "records.csv":
                    member.write(archive.read(name))
                for _ in range(40 if name == "records.csv" else 0):
                    member.write(b"\n" * (1 << 20))
    large = await cli(api, "verify", str(bomb))
    assert (large.code, "far more than any proof" in large.out) == (1, True)


async def test_what_is_written_for_spreadsheets_holds_no_formula_and_is_for_its_owner(api, tmp_path):
    trap = '=HYPERLINK("http://evil.example")'
    await cli(api, "add", ONE, "--note", trap, "--wording", "@SUM(1)", "--reference", "-2+3")
    out, pack, person = tmp_path / "out.csv", tmp_path / "proof.zip", tmp_path / "person.json"
    numbers = tmp_path / "numbers.txt"
    numbers.write_text(f"{ONE}\n=HYPERLINK(1)\n")
    await cli(api, "export", "--out", str(out))
    await cli(api, "proof", "--numbers", str(numbers), "--out", str(pack))
    await run(api, "subject", "export", ONE, "--out", str(person))
    with zipfile.ZipFile(pack) as archive:
        tables = [out.read_text(), archive.read("records.csv").decode()]
    cells = [cell for table in tables for row in csv.reader(table.splitlines()) for cell in row]
    assert [cell for cell in cells if cell[:1] in set("=+-@") and cell != ONE] == []
    assert {f"'{trap}", "'@SUM(1)", "'-2+3", "'=HYPERLINK(1)", ONE} <= set(cells)
    assert [oct(one.stat().st_mode & 0o777) for one in (out, pack, person)] == ["0o600"] * 3
    folder = tmp_path / "other"
    folder.mkdir()
    async with open_api(folder) as other:
        await cli(other, "import", str(out), "--statement", "from the old gateway")
        _, page = await other.call("GET", f"/v1/consents/{ONE}")
        assert (page["items"][0]["evidence"]["note"], page["items"][0]["wording"]) == (trap, "@SUM(1)")


async def test_wrong_words_are_told(api, tmp_path):
    assert (await cli(api, "proof")).code == 2
    assert (await cli(api, "verify", str(tmp_path / "none.zip"))).code == 1
    assert (await cli(api, "verify", str(tmp_path / "none.zip"), "--public-key", "x")).code == 2
    assert (await cli(api, "add", "12")).code == 1


async def test_a_person_gets_their_data_and_has_it_erased(api, tmp_path):
    await cli(api, "add", ONE)
    await api.send(ONE, "hello")
    await api.call("PUT", f"/v1/suppressions/{ONE}")
    out = tmp_path / "person.json"
    done = await run(api, "subject", "export", ONE, "--out", str(out))
    assert (done.code, "1 messages, 0 inbound, 1 suppressions, 2 consents" in done.err) == (0, True)
    assert json.loads(out.read_text())["messages"][0]["text"] == "hello"
    erased = await run(api, "subject", "erase", ONE, "--yes")
    assert erased.code == 0
    assert "kept: 1 open messages: they are on their way" in erased.out
    assert "kept: 2 consents: " in erased.out
    reader = await api.make_key(Scope.MANAGE, Scope.READ, name="reader")
    assert (await api.call("GET", f"/v1/subjects/{ONE}", secret=reader))[0] == 403
