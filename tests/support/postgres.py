"""A PostgreSQL server of the tests' own: in a temporary folder, started and stopped and killed as a test likes.

It is a child of this process and ends with it. PostgreSQL does not run as root: there it runs as a user without rights.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.support.peers import need_peer

PASSWORD: Final = "correct horse battery staple/@:?"
"""Of the role ``hongyan``, which owns the databases. Over the socket it is not asked for, over TCP it is."""
_START_S = 60.0


@cache
def find_programs() -> Path | None:
    """The folder of initdb and postgres: of the newest version that Debian has installed, or from the PATH."""
    found = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda folder: int(folder.parent.name))
    initdb = shutil.which("initdb")
    return None if initdb is None else Path(initdb).resolve().parent


def need_postgres() -> Path:
    """The folder of its programs; skips the test, or fails it, where there is none. See `need_peer`."""
    programs = find_programs()
    need_peer("postgres", present=programs is not None)
    assert programs is not None
    return programs


class Cluster:
    """One server; it may be started again after it ended.

    Args:
        folder: of its data and its socket; a short path.
        durable: whether commits reach the disk; only a test that pulls the plug needs it.
    """

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.folder = folder
        self.port = _free_port()
        self._programs = need_postgres()
        self._durable = durable
        self._user = _user_without_rights() if os.getuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: subprocess.Popen[bytes] | None = None
        self._n_databases = 0
        self.migrated = ""
        """The name of a database with all tables and no rows, once somebody has made it."""

    def make(self) -> None:
        """Make it, with its roles: postgres, who may do all, and hongyan, who owns the databases."""
        if self._user is not None:
            os.chown(self.folder, *self._user)
        self._run(
            "initdb", "--pgdata", str(self._data), "--username", "postgres", "--auth-local", "trust",
            "--auth-host", "scram-sha-256", "--encoding", "UTF8", "--no-sync", *self._locale(),
        )  # fmt: skip

    def _locale(self) -> list[str]:
        """One that sorts texts as people do, not by octets: what relies on the order of octets must say so."""
        major = self._programs.parent.name
        people = ["--locale-provider", "icu", "--icu-locale", "en"]
        return ["--locale", "C.UTF-8", *(people if major.isdigit() and int(major) >= 15 else [])]

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "max_connections": 60,
            "shared_buffers": "32MB",
            "fsync": "on" if self._durable else "off",
            "logging_collector": "off",
        }
        flags = [flag for key, value in options.items() for flag in ("-c", f"{key}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True,
                **self._identity(),
            )  # fmt: skip
        # Ends it when this process has ended without a word: its end of the pipe closes then.
        self._watch = subprocess.Popen(
            ["sh", "-c", f"cat; kill -QUIT {self._process.pid}"],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        deadline = time.monotonic() + _START_S
        while self._query("postgres", "SELECT 1", check=False) != "1":
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.folder / "log").read_text(encoding="utf-8"))
            time.sleep(0.02)
        if not self._query("postgres", "SELECT 1 FROM pg_roles WHERE rolname = 'hongyan'"):
            self._query("postgres", f"CREATE ROLE hongyan LOGIN PASSWORD '{PASSWORD}'")

    def stop(self, *, immediate: bool = False) -> None:
        """End it; ``immediate``: as `pg_ctl stop -m immediate` does, without a word to anybody."""
        self._end(signal.SIGQUIT if immediate else signal.SIGINT)

    def end_at_once(self) -> None:
        """As `pg_ctl stop -m immediate`."""
        self.stop(immediate=True)

    def kill(self) -> None:
        """SIGKILL to the server and all that it has started."""
        assert self._process is not None
        pid = self._process.pid
        started = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        self._end(signal.SIGKILL)
        for child in started:
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._watch is not None:
            self._watch.kill()
            self._watch.communicate()
            self._watch = None
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(how)
            self._process.wait(_START_S)
            self._process = None

    def make_database(self, template: str = "template0") -> str:
        """The name of a new database that the role ``hongyan`` owns: empty, or a copy of another."""
        self._n_databases += 1
        name = f"hongyan{self._n_databases}"
        self.run_sql(f"CREATE DATABASE {name} OWNER hongyan TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        """Drop it, whoever is connected."""
        self.run_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def run_sql(self, sql: str, database: str = "postgres") -> str:
        """Let postgres, who may do all, run a statement; what psql prints of it."""
        return self._query(database, sql)

    def url(self, database: str, *, user: str = "hongyan") -> str:
        """For ``store.url``, over the socket and without a password."""
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"

    def tcp_url(self, database: str, *, user: str = "hongyan") -> str:
        """For ``store.url``, over TCP; `PASSWORD` is asked for."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _identity(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user[0], "group": self._user[1], "extra_groups": []}

    def _run(self, program: str, *arguments: str) -> None:
        made = subprocess.run(
            [self._programs / program, *arguments], capture_output=True, text=True, check=False, cwd="/",
            **self._identity(),
        )  # fmt: skip
        assert made.returncode == 0, made.stderr

    def _query(self, database: str, sql: str, *, check: bool = True) -> str:
        asked = subprocess.run(
            [
                str(self._programs / "psql"), "-XAtq", "-h", str(self.folder), "-p", str(self.port),
                "-U", "postgres", "-d", database, "-c", sql,
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert asked.returncode == 0 or not check, asked.stderr
        return asked.stdout.strip()


@contextmanager
def running_cluster(*, durable: bool = False) -> Iterator[Cluster]:
    """A new server, for as long as the block."""
    need_postgres()
    folder = Path(tempfile.mkdtemp(prefix="hypg-", dir="/tmp"))  # short: a socket's path has 107 octets
    folder.chmod(0o755)
    cluster = Cluster(folder, durable=durable)
    try:
        cluster.make()
        cluster.start()
        yield cluster
    finally:
        cluster.stop(immediate=True)
        shutil.rmtree(folder, ignore_errors=True)


def _user_without_rights() -> tuple[int, int]:
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise AssertionError("no user postgres and no user nobody")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
