"""The shipped config files: they load, name every setting, and give the true defaults."""

from __future__ import annotations

import re
from inspect import cleandoc
from pathlib import Path

import msgspec
import pytest

from gateway.settings.config import Settings, load_settings
from gateway.settings.kinds.sim import SimSettings
from gateway.settings.reader import known_keys, table_kind
from gateway.store.sealing.operator_key import OperatorKey
from tests.support.settings import write

pytestmark = pytest.mark.unit

CONFIG = Path(__file__).parents[2] / "config"


def uncommented(tmp_path: Path) -> str:
    """The complete file with every example switched on, and the files it names made."""
    text = re.sub(
        r"^#(?=[a-z[])", "", (CONFIG / "hongyan.toml").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    for name in ("tls.crt", "tls.key", "sim-1.pin", "carrier-a.password", "shop.password"):
        (tmp_path / name).write_text("1234\n")
    (tmp_path / "blocked.txt").write_text("# nobody\n")
    (tmp_path / "store.key").write_text(OperatorKey.make().write())
    (tmp_path / "ported.csv").write_text("+8613800138000,unicom\n")
    return text.replace("/etc/hongyan/", f"{tmp_path}/")


def paths(kind: type[msgspec.Struct]) -> list[tuple[str, str]]:
    """Every (table, key) that a user may write."""
    found = []
    for field in msgspec.structs.fields(kind):
        inner = table_kind(field.type)
        assert inner, f"{field.name} is no table"
        found += [(field.encode_name, key) for key in known_keys(inner[0])]
    return found


def test_the_shipped_files_load() -> None:
    load_settings(CONFIG / "minimal.toml")
    load_settings(CONFIG / "hongyan.toml")


def test_every_setting_is_in_the_complete_file(tmp_path: Path) -> None:
    text = uncommented(tmp_path)
    sections = dict(
        zip(*[iter(re.split(r"^\[+([a-z_]+)\]+", text, flags=re.MULTILINE)[1:])] * 2, strict=True)
    )
    missing = [
        f"{table}.{key}"
        for table, key in paths(Settings)
        if not key.endswith(("_env",))
        and not re.search(rf"\b{key.removesuffix('_file')}(_file)? = ", sections[table])
    ]
    assert missing == []


def test_the_examples_of_the_complete_file_load_and_its_defaults_are_the_true_ones(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, uncommented(tmp_path)))
    defaults = Settings()
    assert (settings.queue, settings.numbers) == (defaults.queue, defaults.numbers)
    assert (settings.opt_out, settings.opt_in, settings.help) == (
        defaults.opt_out,
        defaults.opt_in,
        defaults.help,
    )
    assert settings.http.listen == defaults.http.listen
    own = {
        "url",
        "delivery",
        "tls_cert",
        "tls_key",
        "name",
        "host",
        "rate",
        "quota",
        "pin",
        "number",
        "groups",
    }
    own |= {
        "system_id",
        "password",
        "source_address",
        "data_coding",
        "init_commands",
        "answer_timeout_s",
        "port",
        "smsc",
        "profile",
        "recovery_command",
        "spare_hosts",
        "account",
        "source_ton",
        "source_npi",
        "dest_ton",
        "dest_npi",
        "smpp_tlvs",
    }
    own |= {f.name for f in msgspec.structs.fields(SimSettings)}
    for table in (settings.modems[0], settings.smpp[0], settings.log):
        for field in msgspec.structs.fields(table):
            if field.name not in own:
                assert getattr(table, field.name) == field.default, field.name


def test_every_setting_is_documented() -> None:
    for field in msgspec.structs.fields(Settings):
        inner = table_kind(field.type)
        assert inner
        for setting in msgspec.structs.fields(inner[0]):
            # Python 3.13 strips the indentation of docstrings, those before keep it.
            documented = "".join(
                cleandoc(kind.__doc__ or "") for kind in inner[0].__mro__ if kind is not object
            )
            assert f"\n    {setting.name}: " in documented, f"{inner[0].__name__}.{setting.name}"
