"""What `hongyan check` warns of, and that it leaves exit 0."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from gateway.access.passwords import hash_password
from gateway.cli.main import main
from gateway.cli.serve import _explain
from gateway.settings.config import Settings, load_settings
from gateway.settings.doubts import find_doubts

pytestmark = pytest.mark.unit

GOOD = '[[smpp]]\nname = "a"\nhost = "h"\nsystem_id = "s"\npassword_file = "{folder}/password"\n'
ACCOUNT = f'[[smpp_accounts]]\nsystem_id = "app"\npassword_hash = "{hash_password("pw")}"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    secret = tmp_path / "password"
    secret.write_text("pw")
    secret.chmod(0o600)
    return tmp_path


def warnings(folder: Path, text: str, capsys: pytest.CaptureFixture[str], mode: int = 0o600) -> list[str]:
    config = folder / "hongyan.toml"
    config.write_text(text.replace("{folder}", str(folder)))
    config.chmod(mode)
    assert main(["check", "--config", str(config)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    *told, last = out.splitlines()
    assert last.startswith(f"{config}: good; ")
    assert last.endswith(f"; {len(told)} warning{'s' * (len(told) > 1)}") is bool(told)
    assert all(line.startswith(f"{config}:") and " warning: " in line for line in told)
    return [line.removeprefix(f"{config}:").strip() for line in told]


def test_a_good_config_has_no_warning(folder, capsys) -> None:
    assert warnings(folder, GOOD, capsys) == []
    assert warnings(folder, GOOD, capsys, 0o644) == [], "it holds no secret itself"
    assert warnings(folder, '[http]\nlisten = "[::1]:8080"\n' + GOOD, capsys) == []
    assert warnings(folder, '[http]\nlisten = "localhost:8080"\n' + GOOD, capsys) == []


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('[http]\nlisten = "0.0.0.0:8080"\n', "http.listen: warning: 0.0.0.0:8080 is open to other machines"),
        ('[http]\nlisten = "[::]:8080"\n', "http.listen: warning: [::]:8080 is open to other machines without TLS"),
        ('[http]\nlisten = "10.0.0.5:80"\n', "http.listen: warning: 10.0.0.5:80 is open to other machines"),
        ('[[smpp_server]]\nlisten = "0.0.0.0:2775"\n' + ACCOUNT, "smpp_server[0].listen: warning: 0.0.0.0:2775 is"),
        ("[opt_out]\nkeywords = []\n", "opt_out.keywords: warning: is empty"),
        ('[[smpp]]\nname = "b"\nhost = "h"\nsystem_id = "s"\npassword_env = "HOME"\ntls = true\ntls_verify = false\n',
         "smpp[1].tls_verify: warning: any certificate is trusted"),
    ],
)  # fmt: skip
def test_open_doors_are_warned_of(folder, capsys, more: str, told: str) -> None:
    text = more if more.startswith("[[smpp]]") else GOOD + more
    text = GOOD + more if text == more else text
    ((line),) = warnings(folder, text, capsys)
    assert line.startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "there is no [[modems]] and no [[smpp]]: nothing can be sent or received"),
        (GOOD + 'bind = "receiver"\n', 'every account is bind = "receiver"'),
        (GOOD + 'groups = ["otp"]\n', 'no channel sends for the group "default"'),
    ],
)
def test_a_gateway_without_a_way_out_is_warned_of(folder, capsys, text: str, told: str) -> None:
    ((line),) = warnings(folder, text, capsys)
    assert told in line


def test_secrets_that_all_may_read_are_warned_of(folder, capsys) -> None:
    (folder / "password").chmod(0o644)
    assert warnings(folder, GOOD, capsys) == [
        (
            f"smpp[0].password_file: warning: every user of this machine may read {folder}/password; "
            f"run `chmod o= {folder}/password`"
        )
    ]
    inline = GOOD.replace('_file = "{folder}/password"', ' = "pw"')
    ((line),) = warnings(folder, inline, capsys, 0o644)
    assert line.startswith(
        "smpp[0].password: warning: stands in a file that every user of this machine may read"
    )
    assert "pw" not in line.split("password", 1)[1].split("hongyan.toml")[1]
    assert warnings(folder, inline, capsys, 0o640) == []


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b'\xef\xbb\xbf[http]\r\nlisten = "127.0.0.1:1"\r\n', None),
        ('[http]\nlisten = "127.0.0.1:1"\n'.encode("utf-16"), " is UTF-16; save it as UTF-8"),
        ('[opt_out]\nreply = "größer"\n'.encode("latin-1"), " is not UTF-8 in line 2; save it as UTF-8"),
    ],
)
def test_a_config_from_any_editor_is_read_or_told_of(folder, capsys, octets: bytes, said: str | None) -> None:
    config = folder / "hongyan.toml"
    config.write_bytes(octets)
    if said is None:
        assert load_settings(config).http.listen.port == 1
        return
    assert main(["check", "--config", str(config)]) == 1
    assert capsys.readouterr().out == f"{config}:{said}\n"


def test_a_password_file_from_any_editor_holds_the_password_alone(folder) -> None:
    (folder / "password").write_bytes(b"\xef\xbb\xbfpw\r\n")
    config = folder / "hongyan.toml"
    config.write_text(GOOD.replace("{folder}", str(folder)))
    assert load_settings(config).smpp[0].password.reveal() == "pw"


@pytest.mark.parametrize(
    ("host", "filename", "words"),
    [
        ("192.0.2.1", None, "is no address of this machine; write one of its own as http.listen"),
        ("no-such-host.invalid", "smpp_server no-such-host.invalid:1", "no address is known for the host of"),
    ],
)
def test_what_keeps_a_server_from_listening_is_told_with_its_cure(host, filename, words) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - whatever the system says of it
        socket.create_server((host, 1))
    caught.value.filename = filename
    assert words in _explain(caught.value, Settings())


def test_a_rule_for_a_brand_that_there_is_not_is_warned_of(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = GOOD + '[[brands]]\nname = "acme"\n[[hours]]\nwindows = ["08:00-20:00"]\nbrand = ["acne"]\n'
    [told] = warnings(folder, text, capsys)
    assert told.startswith('hours[0].brand: warning: there is no brand "acne"')
    assert warnings(folder, text.replace("acne", "acme"), capsys) == []


def test_what_the_gateway_writes_itself_needs_a_signature_too(tmp_path: Path) -> None:
    config = tmp_path / "hongyan.toml"
    config.write_text(
        '[[signatures]]\ntext = "好店"\n[opt_out]\nreply = "【好店】您已退订"\n[opt_in]\nreply = "已恢复"\n'
        '[consent]\nquestion = ""\n',
        encoding="utf-8",
    )
    told = {str(doubt) for doubt in find_doubts(load_settings(config), config)}
    assert [line for line in told if "signature" in line] == [
        "opt_in.reply: has no signature, and is not given one; write 【好店】 in front"
    ]
