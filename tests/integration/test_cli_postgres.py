"""`hongyan keys`, `db` and `check` on a PostgreSQL server, and what they say of one that will not do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from gateway.cli.main import main
from gateway.runtime.stores import opened_store
from gateway.store.keys import find_key, hash_secret
from gateway.store.postgres.errors import explain_open
from tests.support.postgres import PASSWORD, Cluster

pytestmark = pytest.mark.integration

WriteConfig = Callable[..., str]


@pytest.fixture
def write_config(tmp_path: Path) -> WriteConfig:
    def write(url: str, **more: str) -> str:
        path = tmp_path / "hongyan.toml"
        path.touch(mode=0o640)
        lines = "".join(f'{key} = "{value}"\n' for key, value in more.items())
        path.write_text(f'[store]\nurl = "{url}"\n{lines}')
        return str(path)

    return write


async def is_known(url: str, secret: str) -> bool:
    async with opened_store(url) as store:
        key = await store.read(lambda tx: find_key(tx, hash_secret(secret)))
    return key is not None and key.revoked_at is None


def test_a_key_is_made_listed_and_revoked(postgres_url: str, write_config: WriteConfig, capsys) -> None:
    config = write_config(postgres_url)
    assert main(["keys", "create", "--name", "shop", "--config", config]) == 0
    secret, told = capsys.readouterr()
    secret = secret.strip()
    assert "only its hash is in postgresql://hongyan@" in told
    assert asyncio.run(is_known(postgres_url, secret))
    assert main(["keys", "list", "--config", config]) == 0
    assert "shop" in capsys.readouterr()[0]
    assert main(["keys", "revoke", "shop", "--config", config]) == 0
    assert not asyncio.run(is_known(postgres_url, secret))
    assert main(["keys", "create", "--name", "shop", "--config", config]) == 1
    assert "a key named shop exists" in capsys.readouterr()[1]


def test_the_schema_is_made_once_and_checked(postgres_url: str, write_config: WriteConfig, capsys) -> None:
    config = write_config(postgres_url)
    assert main(["db", "check", "--config", config]) == 1
    assert "run hongyan db migrate" in capsys.readouterr()[0]
    assert main(["db", "migrate", "--config", config]) == 0
    assert "ran 0001_initial.sql" in capsys.readouterr()[0]
    assert main(["db", "migrate", "--config", config]) == 0
    assert "ran" not in capsys.readouterr()[0]
    main(["db", "check", "--config", config])
    out, _ = capsys.readouterr()
    assert "fsync is off" in out, "the tests' server is in a hurry"
    assert "the schema" not in out


def test_a_copy_is_the_servers_business(
    postgres_url: str, write_config: WriteConfig, tmp_path, capsys
) -> None:
    assert main(["db", "backup", str(tmp_path / "x"), "--config", write_config(postgres_url)]) == 1
    assert "pg_dump --format=custom" in capsys.readouterr()[1]


def test_the_password_may_stand_in_a_file_and_is_never_shown(
    postgres_cluster: Cluster, write_config: WriteConfig, tmp_path: Path, capsys
) -> None:
    url = postgres_cluster.tcp_url(postgres_cluster.make_database())
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    assert main(["db", "migrate", "--config", write_config(url, password_file=tmp_path / "password")]) == 0
    assert main(["db", "migrate", "--config", write_config(url, password="wrong horse")]) == 1
    assert main(["db", "migrate", "--config", write_config(url)]) == 1
    out, err = capsys.readouterr()
    assert "password authentication failed" in err
    assert "check the user in store.url, and store.password" in err
    assert "horse" not in out + err


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("", 'database "nowhere" does not exist; make it: createdb --owner=USER DATABASE'),
        ("CREATE DATABASE nowhere TEMPLATE template0", "GRANT CREATE, USAGE ON SCHEMA public"),
        (
            "CREATE DATABASE nowhere TEMPLATE template0 LOCALE 'C' LOCALE_PROVIDER libc ENCODING 'LATIN1'",
            "its encoding is LATIN1; make the database anew with --encoding=UTF8",
        ),
    ],
    ids=["no database", "no right to make tables", "wrong encoding"],
)
def test_a_database_that_will_not_do_is_refused_in_words(
    postgres_cluster: Cluster, write_config: WriteConfig, sql: str, said: str, capsys
) -> None:
    if sql:
        postgres_cluster.run_sql(sql)
    try:
        assert main(["db", "migrate", "--config", write_config(postgres_cluster.url("nowhere"))]) == 1
        assert said in capsys.readouterr()[1]
    finally:
        postgres_cluster.drop_database("nowhere")


def test_a_server_that_is_away_is_said(postgres_cluster: Cluster, write_config: WriteConfig, capsys) -> None:
    config = write_config("postgresql://hongyan@127.0.0.1:1/x")
    assert main(["keys", "list", "--config", config]) == 1
    assert "postgresql://hongyan@127.0.0.1:1/x" in (err := capsys.readouterr()[1])
    assert "is the server running, and does it listen there?" in err


def test_a_server_without_tls_is_said(postgres_cluster: Cluster, write_config: WriteConfig, capsys) -> None:
    config = write_config(postgres_cluster.tcp_url("postgres") + "?sslmode=require")
    assert main(["db", "check", "--config", config]) == 1
    assert "the server speaks no TLS: set ssl = on in postgresql.conf, or" in capsys.readouterr()[1]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "db: Name or service not known; check the host in store.url, and this machine's DNS",
        ),
        (
            ConnectionRefusedError(111, "Connection refused"),
            "db: Connection refused; is the server running, and does it listen there?",
        ),
        (
            asyncpg.PostgresError.new({"C": "57P03", "M": "the database is starting", "D": "Not yet."}),
            "db: the database is starting; is the server running, and does it listen there?",
        ),
    ],
)
def test_why_a_server_cannot_be_reached_is_one_line(error: Exception, said: str) -> None:
    assert str(explain_open(error, "db")) == said


def test_a_database_of_a_newer_program_is_refused(
    postgres_url: str, postgres_cluster: Cluster, write_config: WriteConfig, capsys
) -> None:
    config = write_config(postgres_url)
    assert main(["db", "migrate", "--config", config]) == 0
    database = postgres_url.rpartition("@/")[2].partition("?")[0]
    postgres_cluster.run_sql("UPDATE schema_version SET version = 9999", database)
    assert main(["keys", "list", "--config", config]) == 1
    assert "install the newer hongyan" in capsys.readouterr()[1]


def test_two_that_start_at_once_on_an_empty_database_wait_for_each_other(postgres_url: str) -> None:
    async def start() -> None:
        async with opened_store(postgres_url):
            pass

    async def start_all() -> None:
        await asyncio.gather(*(start() for _ in range(4)))

    asyncio.run(start_all())


@pytest.mark.parametrize(
    ("place", "warned"),
    [
        ("hongyan:secret@127.0.0.1:5432/x", ["holds a password"]),
        ("hongyan@db.example.net/x?sslmode=require", ["nobody checks that the server is the right one"]),
        ("hongyan@db.example.net/x?sslmode=verify-full&sslrootcert=system", []),
        ("hongyan@[::1]:5432/x", []),
        ("hongyan@/x?host=/run/postgresql", []),
    ],
)
def test_check_warns_of_what_is_hardly_meant(
    write_config: WriteConfig, place: str, warned: list[str], capsys
) -> None:
    assert main(["check", "--config", write_config(f"postgresql://{place}")]) == 0
    said = [line for line in capsys.readouterr()[0].splitlines() if ":store" in line]
    assert len(said) == len(warned)
    assert all(words in line for words, line in zip(warned, said, strict=True))
    assert "secret" not in "".join(said)


def test_the_audit_trail_is_listed_exported_and_verified(
    postgres_url: str, write_config: WriteConfig, tmp_path: Path, capsys
) -> None:
    config = write_config(postgres_url)
    assert main(["keys", "create", "--name", "shop", "--config", config]) == 0
    assert main(["audit", "verify", "--config", config]) == 0
    assert "whole: entries 1 to 1; head 1:" in capsys.readouterr()[0]
    file = tmp_path / "audit.jsonl"
    assert main(["audit", "export", str(file), "--config", config]) == 0
    assert main(["audit", "verify", "--file", str(file)]) == 0
    capsys.readouterr()
    assert main(["audit", "list", "--config", config]) == 0
    assert "audit.exported" in capsys.readouterr()[0]
    asyncio.run(forge(postgres_url))
    assert main(["audit", "verify", "--config", config]) == 1
    assert "entry 1 was changed" in capsys.readouterr()[0]


async def forge(url: str) -> None:
    db = await asyncpg.connect(url)
    await db.execute("UPDATE audit SET actor = 'cli:nobody' WHERE seq = 1")
    await db.close()
