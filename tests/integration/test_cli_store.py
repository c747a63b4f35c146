"""`hongyan keys` and `hongyan db` on a real store, in a process of their own folder."""

from __future__ import annotations

import errno
import json
import os
import pwd
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
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


def test_the_secret_of_a_keys_webhooks_is_made_once_and_can_be_replaced(config, database, capsys) -> None:
    def show(*options: str) -> str:
        assert main(["keys", "show", "shop", *options, "--config", config]) == 0
        return capsys.readouterr().out

    assert main(["keys", "create", "--name", "shop", "--config", config]) == 0
    capsys.readouterr()
    secret = show("--webhook-secret")
    assert secret.startswith("whsec_")
    assert secret.count("\n") == 1, "alone on its line"
    assert show("--webhook-secret") == secret
    assert secret.strip() not in show()
    new = show("--webhook-secret", "--rotate")
    assert new != secret
    assert show("--webhook-secret") == new
    assert main(["keys", "show", "nobody", "--config", config]) == 1
    assert main(["keys", "show", "shop", "--rotate", "--config", config]) == 2


@pytest.mark.parametrize("verb", [["list"], ["revoke", "shop"], ["show", "shop"]])
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
    told = capsys.readouterr().out
    assert "sound" in told
    assert ["texts", "180d", "-", "0", "-"] in [line.split() for line in told.splitlines()]
    assert "reader of the timeline" not in told.lower()
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("UPDATE timeline_head SET last_seq = 7")
        db.execute("INSERT INTO timeline_readers VALUES ('kannel', 4, 1767225600000)")
    assert main(["db", "check", "--config", config]) == 0
    behind = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert ["kannel", "3"] in behind

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


SECRETS = (
    '[[modems]]\nname = "sim-1"\nport = "/dev/ttyUSB0"\npin_file = "/nowhere/pin"\n'
    '[[smpp]]\nname = "a"\nhost = "h"\nsystem_id = "s"\npassword_env = "NOT_SET_HERE"\n'
)


@pytest.mark.parametrize(
    "words",
    [("keys", "create", "--name", "x"), ("keys", "list"), ("keys", "revoke", "shop"), ("db", "migrate"),
     ("db", "check"), ("db", "backup", "COPY")],
    ids=" ".join,
)  # fmt: skip
def test_the_store_is_reached_without_any_secret_of_the_config(config, tmp_path, capsys, words) -> None:
    """Who makes a key or a copy need not be who may read the carriers' passwords."""
    assert main(["keys", "create", "--name", "shop", "--config", config]) == 0
    with Path(config).open("a") as file:
        file.write(SECRETS)
    words = [str(tmp_path / "copy.db") if word == "COPY" else word for word in words]
    assert main([*words, "--config", config]) == 0, capsys.readouterr().err
    assert main(["check", "--config", config]) == 1, "which is about all of it"


@contextmanager
def somebody_else() -> Iterator[None]:
    """Not root, which may do all, and not the owner of what root has made."""
    me = os.geteuid()
    if me != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)


@pytest.mark.parametrize("closed", ["the file", "its folder", "the config"])
@pytest.mark.parametrize(
    "words", [("db", "check"), ("db", "migrate"), ("db", "backup", "COPY"), ("keys", "list")], ids=" ".join
)
def test_without_permission_nobody_is_told_to_put_a_backup_back(capsys, words, closed) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o777)
        config, database = place / "hongyan.toml", place / "var" / "hongyan.db"
        config.write_text(f'[store]\nurl = "sqlite:///{database}"\n')
        words = [f"{folder}/copy.db" if word == "COPY" else word for word in words]
        assert main(["keys", "create", "--name", "shop", "--config", str(config)]) == 0
        main([*words, "--config", str(config)])  # all that it needs is loaded now
        (place / "copy.db").unlink(missing_ok=True)
        what = {"the file": database, "its folder": database.parent, "the config": config}[closed]
        what.chmod(0)
        capsys.readouterr()
        with somebody_else():
            assert main([*words, "--config", str(config)]) == 1
        what.chmod(0o700)
        out, err = capsys.readouterr()
    assert out == ""
    assert "Permission denied" in err
    assert f"belongs to {pwd.getpwuid(os.geteuid()).pw_name}:" in err
    assert "backup back" not in err
    assert "backup in its place" not in err


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda db: db.write_text("this is no store, but somebody's notes" * 99), "it is no store"),
        (lambda db: (db.unlink(), db.mkdir()), "it is a folder"),
        (lambda db: db.with_name(db.name + "-wal").mkdir(), "cannot"),
    ],
)
def test_what_is_no_store_is_called_what_it_is(config, database, capsys, spoil, words) -> None:
    main(["db", "migrate", "--config", config])
    spoil(database)
    capsys.readouterr()
    assert main(["db", "check", "--config", config]) == 1
    assert words in capsys.readouterr().err


def test_a_store_that_is_held_is_waited_for_and_told_of(config, database, capsys, monkeypatch) -> None:
    main(["db", "migrate", "--config", config])
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr("gateway.store.sqlite.file.BUSY_TIMEOUT_S", 0.1)
        capsys.readouterr()
        assert main(["keys", "list", "--config", config]) == 1
        assert "another process holds it; try again" in capsys.readouterr().err
    other.close()


@pytest.mark.parametrize(
    "words",
    [("serve",), ("check",), ("doctor",), ("keys", "list"), ("db", "check"), ("preview", "hi"),
     ("simulate", "reply", "1", "hi")],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("state", ["missing", "unreadable", "a folder", "wrong"])
def test_a_config_that_cannot_be_used_is_a_failure_and_no_wrong_usage(
    tmp_path, capsys, monkeypatch, words, state
) -> None:
    config = tmp_path / "hongyan.toml"
    if state == "a folder":
        config.mkdir()
    elif state == "wrong":
        config.write_text("[[[")
    elif state == "unreadable":
        config.write_text("")
        # What a user who may not read it meets, also where root runs the tests.
        access = os.access
        monkeypatch.setattr(
            os, "access", lambda path, *a, **k: Path(path) != config and access(path, *a, **k)
        )
        monkeypatch.setattr(Path, "read_bytes", _forbidden)
    assert main([*words, "--config", str(config)]) == 1
    out, err = capsys.readouterr()
    assert f"{config}: " in out + err
    assert "Usage" not in err


def _forbidden(path: Path) -> bytes:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def test_a_default_config_that_is_closed_is_no_reason_for_the_defaults(tmp_path, capsys, monkeypatch) -> None:
    config = tmp_path / "etc" / "hongyan.toml"
    config.parent.mkdir()
    monkeypatch.setattr("gateway.cli.serve.DEFAULT_CONFIG", config)
    assert main(["check"]) == 0
    stat = Path.stat
    monkeypatch.setattr(Path, "stat", lambda p, **k: _forbidden(p) if p == config else stat(p, **k))
    monkeypatch.setattr(Path, "exists", lambda p: True)
    monkeypatch.setattr(Path, "read_bytes", _forbidden)
    assert main(["check"]) == 1
    assert f"{config}: cannot read it: Permission denied" in capsys.readouterr().out
