"""`hongyan keys` and `hongyan db` on a real store, in a process of their own folder."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.runtime.stores import opened_store
from gateway.store.keys import find_key, hash_secret

pytestmark = pytest.mark.integration


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "hongyan.toml"
    path.write_text(f'[store]\nurl = "sqlite:///{tmp_path}/var/hongyan.db"\n')
    return str(path)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "var" / "hongyan.db"


async def scopes_of(database: Path, secret: str) -> set[str] | None:
    async with opened_store(f"sqlite:///{database}") as store:
        key = await store.read(lambda tx: find_key(tx, hash_secret(secret)))
    return None if key is None or key.revoked_at else {scope.value for scope in key.scopes}


def test_a_key_is_made_listed_and_revoked(config, database, capsys) -> None:
    import asyncio

    assert main(["keys", "create", "--name", "shop", "--scopes", "send, read", "--config", config]) == 0
    out, err = capsys.readouterr()
    secret = out.strip()
    assert out == f"{secret}\n", "the secret is alone on its line, and stdout has nothing else"
    assert secret not in err
    assert str(database) in err, "where the daemon must look for it"
    assert asyncio.run(scopes_of(database, secret)) == {"send", "read"}

    assert main(["keys", "list", "--config", config]) == 0
    out, _ = capsys.readouterr()
    assert "shop" in out
    assert secret not in out

    assert main(["keys", "revoke", "shop", "--config", config]) == 0
    assert asyncio.run(scopes_of(database, secret)) is None
    assert main(["keys", "revoke", "shop", "--config", config]) == 1
    assert "no key shop that is still good" in capsys.readouterr().err


@pytest.mark.parametrize("verb", [["list"], ["revoke", "shop"]])
def test_no_keys_are_looked_for_where_there_is_no_store(config, database, capsys, verb) -> None:
    assert main(["keys", *verb, "--config", config]) == 1
    assert "there is no store at" in capsys.readouterr().err
    assert not database.exists()


def test_a_name_is_taken_once(config, capsys) -> None:
    assert main(["keys", "create", "--name", "shop", "--config", config]) == 0
    capsys.readouterr()
    assert main(["keys", "create", "--name", "shop", "--config", config]) == 1
    out, err = capsys.readouterr()
    assert (out, "choose another name" in err) == ("", True)


def test_keys_as_json(config, capsys) -> None:
    main(["keys", "create", "--name", "shop", "--scopes", "admin", "--config", config, "--json"])
    made = json.loads(capsys.readouterr().out)
    assert (made["name"], made["scopes"], made["secret"][:3]) == ("shop", ["admin"], "hy_")
    main(["keys", "list", "--config", config, "--json"])
    (listed,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (listed["id"], listed["scopes"], listed["revoked_at"]) == (made["id"], ["admin"], None)
    assert "secret" not in listed


def test_the_store_is_migrated_checked_and_copied(config, database, tmp_path, capsys) -> None:
    assert main(["db", "check", "--config", config]) == 1
    assert f"there is no store at {database}" in capsys.readouterr().err
    assert main(["db", "migrate", "--config", config]) == 0
    assert "ran 0001" in capsys.readouterr().out
    assert main(["db", "check", "--config", config]) == 0
    assert "sound" in capsys.readouterr().out

    main(["keys", "create", "--name", "shop", "--config", config])
    copy = tmp_path / "copy.db"
    assert main(["db", "backup", str(copy), "--config", config]) == 0
    with sqlite3.connect(copy) as db:
        assert db.execute("SELECT name FROM api_keys").fetchall() == [("shop",)]
    db.close()
    assert [file.stat().st_mode & 0o007 for file in (database, copy)] == [0, 0], "texts and numbers"
    capsys.readouterr()
    assert main(["db", "backup", str(copy), "--config", config]) == 1
    assert "exists; name a new file" in capsys.readouterr().err


def test_a_failed_copy_leaves_nothing_behind(config, tmp_path, capsys) -> None:
    main(["db", "migrate", "--config", config])
    assert main(["db", "backup", str(tmp_path / "no" / "copy.db"), "--config", config]) == 1
    assert "cannot copy" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.partial"))


def test_a_broken_store_is_found(config, database, capsys) -> None:
    main(["db", "migrate", "--config", config])
    octets = bytearray(database.read_bytes())
    octets[4096:8192] = b"\xff" * 4096
    database.write_bytes(octets)
    for suffix in ("-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    capsys.readouterr()
    assert main(["db", "check", "--config", config]) == 1
    assert str(database) in "".join(capsys.readouterr())


def test_a_store_of_a_newer_program_is_refused(config, database, capsys) -> None:
    main(["db", "migrate", "--config", config])
    with sqlite3.connect(database) as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    capsys.readouterr()
    assert main(["db", "check", "--config", config]) == 1
    assert "install the newer hongyan" in capsys.readouterr().out
    assert main(["keys", "list", "--config", config]) == 1
    assert "install the newer hongyan" in capsys.readouterr().err


def test_check_prints_each_fault_with_its_file_and_key(tmp_path, capsys) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('[http]\nlistne = "x"\n[queue]\nmax_attempts = 0\n')
    assert main(["check", "--config", str(path)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{path}:http.listne: unknown key; did you mean listen?",
        f"{path}:queue.max_attempts: 0 will not do; write a whole number from 1 to 100",
    ]
    path.write_text('[http]\nlisten = "127.0.0.1:1"\n')
    assert main(["check", "--config", str(path)]) == 0
    assert f"{path}: good" in capsys.readouterr().out
