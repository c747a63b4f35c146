"""`hongyan db make-key`, `encrypt`, `rotate-key`, `decrypt`, and what the other commands of the store do with a key."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.cli.main import main

pytestmark = pytest.mark.integration


class Place:
    """A folder with a config; `key` names the key file in it.

    Args:
        folder: it.
    """

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.config = folder / "hongyan.toml"
        self.key("")

    def key(self, name: str, *, store: str = "hongyan.db") -> None:
        line = f'encryption_key_file = "{self.folder / name}"\n' if name else ""
        self.config.write_text(f'[store]\nurl = "sqlite:///{self.folder / store}"\n{line}')

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code and all that was printed."""
        words = (*words, "--config", str(self.config)) if "make-key" not in words else words
        code = main(list(words))
        out, err = self._capsys.readouterr()
        return code, out + err

    def do(self, *words: str) -> str:
        code, told = self.run(*words)
        assert code == 0, told
        return told


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    made = Place(tmp_path, capsys)
    for name in ("one", "two"):
        told = made.do("db", "make-key", str(tmp_path / name))
        assert "fingerprint" in told
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
        assert (tmp_path / name).read_text().strip() not in told
    return made


def secret_row(database: Path) -> bytes:
    with closing(sqlite3.connect(database)) as db:
        return bytes(db.execute("SELECT secret FROM webhook_secrets").fetchone()[0])


def test_a_store_is_encrypted_gets_another_key_and_goes_back(place: Place) -> None:
    database = place.folder / "hongyan.db"
    place.do("keys", "create", "--name", "shop")
    shown = place.do("keys", "show", "shop", "--webhook-secret")
    clear = secret_row(database)
    assert "not encrypted" in place.do("db", "check")

    code, told = place.run("db", "encrypt")
    assert (code, "make one with hongyan db make-key" in told) == (1, True)
    place.key("one")
    code, told = place.run("keys", "list")
    assert (code, "run `hongyan db encrypt` once" in told) == (1, True)
    assert "encrypted" in place.do("db", "encrypt")
    assert place.do("keys", "show", "shop", "--webhook-secret") == shown
    assert secret_row(database).startswith(b"\xc1hy")
    assert "encrypted, key " in place.do("db", "check")
    code, told = place.run("db", "encrypt")
    assert (code, "encrypted already" in told) == (1, True)

    place.do("db", "backup", str(place.folder / "copy.db"))
    assert clear not in (place.folder / "copy.db").read_bytes()
    assert clear not in database.read_bytes()
    place.key("", store="copy.db")
    code, told = place.run("keys", "list")
    assert (code, "name the file of its key" in told) == (1, True)
    place.key("one", store="copy.db")
    assert place.do("keys", "show", "shop", "--webhook-secret") == shown

    place.key("one")
    code, told = place.run("db", "rotate-key", "--new-key-file", str(place.folder / "one"))
    assert (code, "is the one that the store has" in told) == (1, True)
    assert str(place.folder / "two") in place.do(
        "db", "rotate-key", "--new-key-file", str(place.folder / "two")
    )
    code, told = place.run("keys", "list")
    assert (code, "encrypted with another key" in told) == (1, True)
    place.key("two")
    assert place.do("keys", "show", "shop", "--webhook-secret") == shown

    place.do("db", "decrypt")
    place.key("")
    assert place.do("keys", "show", "shop", "--webhook-secret") == shown
    assert secret_row(database) == clear
    assert place.do("audit", "verify").startswith("whole")
    deeds = [
        json.loads(line) for line in place.do("audit", "list", "--action", "store.*", "--json").splitlines()
    ]
    assert [deed["action"] for deed in reversed(deeds)] == [
        "store.encrypting",
        "store.rotating",
        "store.decrypting",
    ]
    assert all(deed["actor"].startswith("cli:") for deed in deeds)


def test_a_new_store_is_encrypted_from_its_first_row_on(place: Place) -> None:
    place.key("one")
    place.do("keys", "create", "--name", "shop")
    place.do("keys", "show", "shop", "--webhook-secret")
    assert secret_row(place.folder / "hongyan.db").startswith(b"\xc1hy")


def test_a_file_that_holds_no_key_is_named_and_none_is_overwritten(place: Place) -> None:
    (place.folder / "wrong").write_text("swordfish\n")
    place.key("wrong")
    code, told = place.run("keys", "list")
    assert code == 1
    assert "store.encryption_key" in told
    assert "is no key; make one with hongyan db make-key" in told
    assert "swordfish" not in told
    code, told = place.run("db", "make-key", str(place.folder / "one"))
    assert (code, "exists; name a new file" in told) == (1, True)
    place.key("one")
    code, told = place.run("db", "encrypt")
    assert (code, "there is no store at" in told) == (1, True)
