"""Settings as a user meets them: what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings.config import SettingsErrors, load_settings
from tests.support.settings import MODEM, SMPP, write

pytestmark = pytest.mark.unit


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(SettingsErrors) as caught:
        load_settings(write(tmp_path, text))
    return str(caught.value).replace(f"{tmp_path}/hongyan.toml", "FILE").splitlines()


BAD = {
    "unknown table": ("[htp]\n", "FILE:htp: unknown key; did you mean http?"),
    "unknown key": ('[http]\nlisten_on = "1"\n', "FILE:http.listen_on: unknown key; did you mean listen?"),
    "unknown key, nothing near": (
        "[numbers]\nzzz = 1\n",
        (
            "FILE:numbers.zzz: unknown key; known here: region, countries, premium, not_mobile, unknown, blocked_file,"
            " dead_after, retry_after, dead_codes"
        ),
    ),
    "key in a channel": (MODEM + "baud = 9600\n", "FILE:modems[0].baud: unknown key; did you mean baudrate?"),
    "table for an array": (
        '[modems]\nname = "x"\n',
        "FILE:modems: is one table and may be many; write [[modems]] with two brackets",
    ),
    "value for a table": ("http = 1\n", "FILE:http: 1 is not a table; write [http] on a line of its own"),
    "listen without host": (
        '[http]\nlisten = "8080"\n',
        'FILE:http.listen: "8080" is not an address; write host and port: "127.0.0.1:8080"',
    ),
    "listen, bare IPv6": (
        '[http]\nlisten = "::1:8080"\n',
        'FILE:http.listen: "::1:8080" is not an address; write host and port: "127.0.0.1:8080"',
    ),
    "certificate that is not there": (
        '[http]\ntls_cert = "/nowhere/x"\ntls_key = "/etc/passwd"\n',
        ("FILE:http.tls_cert: cannot read /nowhere/x: No such file or directory; correct the path"),
    ),
    "certificate without key": (
        '[http]\ntls_cert = "/etc/passwd"\n',
        "FILE:http.tls_key: is missing; write the private key that belongs to tls_cert",
    ),
    "key without certificate": (
        '[http]\ntls_key = "/etc/passwd"\n',
        "FILE:http.tls_cert: is missing; write the certificate that belongs to tls_key",
    ),
    "store": (
        '[store]\nurl = "mysql://root:hunter2@h/x"\n',
        (
            'FILE:store.url: is not a store; write "sqlite:////var/lib/hongyan/hongyan.db" or '
            '"postgresql://USER@HOST:PORT/DATABASE"'
        ),
    ),
    "database without a user": (
        '[store]\nurl = "postgresql://h/x"\n',
        'FILE:store.url: names no user; write "postgresql://USER@HOST:PORT/DATABASE"',
    ),
    "server without a database": (
        '[store]\nurl = "postgresql://me:hunter2@h"\n',
        'FILE:store.url: names no database; write "postgresql://USER@HOST:PORT/DATABASE"',
    ),
    "database without a host": (
        '[store]\nurl = "postgresql://me@/x"\n',
        'FILE:store.url: names no host; write "postgresql://USER@/DATABASE?host=/run/postgresql" for a socket',
    ),
    "database with a password that is no part of a URL": (
        '[store]\nurl = "postgresql://me:hunter/2@h:5432/x"\n',
        (
            'FILE:store.url: is no URL of a database; write "postgresql://USER@HOST:PORT/DATABASE", '
            "with %40 for @, %2F for / and so on in user and password"
        ),
    ),
    "database with a parameter that nobody knows": (
        '[store]\nurl = "postgresql://me@h/x?sslmod=require"\n',
        "FILE:store.url: has an unknown parameter sslmod; did you mean sslmode?",
    ),
    "database with the password as a parameter": (
        '[store]\nurl = "postgresql://me@h/x?password=hunter2"\n',
        "FILE:store.url: has a password among its parameters; write it as password_file or password_env",
    ),
    "database with TLS that nobody knows": (
        '[store]\nurl = "postgresql://me@h/x?sslmode=on"\n',
        (
            "FILE:store.url: sslmode is none of disable, allow, prefer, require, verify-ca, verify-full; "
            "write sslmode=verify-full"
        ),
    ),
    "database with a certificate that is not there": (
        '[store]\nurl = "postgresql://me@h/x?sslmode=verify-full&sslrootcert=/nowhere/x"\n',
        "FILE:store.url: sslrootcert: cannot read /nowhere/x: No such file or directory; correct the path",
    ),
    "database with two passwords": (
        '[store]\nurl = "postgresql://me:hunter2@h/x"\npassword = "hunter2"\n',
        "FILE:store.password: a password stands in store.url, too; write only one of them",
    ),
    "file with what belongs to a server": (
        '[store]\npassword = "hunter2"\n',
        "FILE:store.password: is for PostgreSQL, and store.url names a file; take it out",
    ),
    "log level": (
        '[log]\nlevel = "verbose"\n',
        'FILE:log.level: "verbose" is not known; write one of debug, info, warning, error',
    ),
    "own number that is a national one behind a plus": (
        '[[modems]]\nname = "a"\nport = "/dev/x"\nnumber = "+13800138000"\n',
        (
            "FILE:modems[0].number: with + in front this is no number that exists; "
            "if it is a number of region CN, write +86 in front"
        ),
    ),
    "own number of no country": (
        '[[modems]]\nname = "a"\nport = "/dev/x"\nnumber = "+999123456789"\n',
        (
            "FILE:modems[0].number: begins with no country code; "
            'write it with plus and country code: "+8613800138000"'
        ),
    ),
    "source address with a plus before a service number": (
        '[[smpp]]\nname = "a"\nhost = "h"\nsystem_id = "s"\npassword = "p"\nsource_address = "+106900001234"\n',
        (
            "FILE:smpp[0].source_address: too short for + in front; "
            "write a short code or service number without it"
        ),
    ),
    "source address with spaces": (
        '[[smpp]]\nname = "a"\nhost = "h"\nsystem_id = "s"\npassword = "p"\nsource_address = "1069 0000"\n',
        'FILE:smpp[0].source_address: "1069 0000" has signs between its digits; write the digits alone',
    ),
    "number of ours that none can be": (
        '[[mo_routes]]\nname = "a"\nget_url = "http://h/"\nnumbers = ["0086 138 0013 8000"]\n',
        (
            'FILE:mo_routes[0].numbers: "0086 138 0013 8000" fits no number as we keep them; '
            'write it as "+8613800138000" or "10690000"'
        ),
    ),
    "pattern where none is taken": (
        '[[mo_routes]]\nname = "a"\nget_url = "http://h/"\nnumbers = ["1069*"]\n',
        (
            'FILE:mo_routes[0].numbers: "1069*" is a pattern, which none is compared with here; '
            'write whole numbers: "10690000"'
        ),
    ),
    "sender that none can be": (
        '[[kannel_accounts]]\nusername = "u"\npassword = "p"\nsenders = ["1069-0000"]\n',
        (
            'FILE:kannel_accounts[0].senders: "1069-0000" has signs between its digits and fits no sender; '
            'write it as "10690000" or "1069*"'
        ),
    ),
    "flag in quotes": (
        '[log]\nmask_numbers = "yes"\n',
        'FILE:log.mask_numbers: "yes" is neither true nor false; write one of them, without quotes',
    ),
    "empty text": (
        '[log]\ndelivery = ""\n',
        "FILE:log.delivery: is empty; write a value or leave the key out",
    ),
    "region": (
        '[numbers]\nregion = "China"\n',
        'FILE:numbers.region: "China" is not a region; write two capital letters, such as "CN"',
    ),
    "on_uncertain": (
        '[queue]\non_uncertain = "drop"\n',
        'FILE:queue.on_uncertain: "drop" is not known; write one of hold, retry, fail',
    ),
    "number in quotes": (
        '[queue]\nmax_attempts = "5"\n',
        'FILE:queue.max_attempts: "5" will not do; write a whole number from 1 to 100',
    ),
    "a flag for a number": (
        "[queue]\nmax_attempts = true\n",
        "FILE:queue.max_attempts: true will not do; write a whole number from 1 to 100",
    ),
    "duration without unit": (
        "[queue]\nvalid_for = 90\n",
        'FILE:queue.valid_for: 90 has no unit; write "90s" for seconds, or m, h, d',
    ),
    "duration of nothing": (
        '[queue]\nvalid_for = "0s"\n',
        (
            'FILE:queue.valid_for: "0s" is not a duration; write a number and a unit, '
            'such as "90s", "10m", "2h" or "1d"'
        ),
    ),
    "duration beyond the calendar": (
        '[queue]\nvalid_for = "9999999d"\n',
        'FILE:queue.valid_for: "9999999d" is longer than a century; write at most "36500d"',
    ),
    "backoff upside down": (
        '[queue]\nretry_first = "2h"\n',
        "FILE:queue.retry_first: is longer than retry_cap; write a shorter one",
    ),
    "rate": (
        MODEM + 'rate = "20"\n',
        'FILE:modems[0].rate: "20" is not a rate; write a number per s, min, h or day, such as "10/min"',
    ),
    "quota": (
        MODEM + "quota = 200\n",
        'FILE:modems[0].quota: 200 is not a quota; write a number per day, h, min or s, such as "200/day"',
    ),
    "active hours": (
        MODEM + 'active_hours = "8-22"\n',
        'FILE:modems[0].active_hours: "8-22" are no hours of the day; write from and to, such as "08:00-22:00"',
    ),
    "a day that never begins": (
        MODEM + 'active_hours = "08:00-08:00"\n',
        (
            'FILE:modems[0].active_hours: "08:00-08:00" are no hours of the day; '
            'write from and to, such as "08:00-22:00"'
        ),
    ),
    "a reserve of nothing": (
        MODEM + "reserve = 20\n",
        "FILE:modems[0].reserve: is a part of a quota, and there is none; write quota or quota_month too",
    ),
    "a reserve of all": (
        MODEM + 'quota = "200/day"\nquota_month = 150\nreserve = 150\n',
        "FILE:modems[0].reserve: leaves nothing for other messages; write less than 150",
    ),
    "a USSD code": (
        MODEM + 'balance_code = "balance"\n',
        'FILE:modems[0].balance_code: "balance" is not a USSD code; write digits, * and #, such as "*100#"',
    ),
    "a balance pattern": (
        MODEM + 'balance_pattern = "Balance: [0-9]+"\n',
        (
            'FILE:modems[0].balance_pattern: "Balance: [0-9]+" has no group; '
            "put the number in brackets: 'Balance: ([0-9.]+)'"
        ),
    ),
    "a balance pattern that is none": (
        MODEM + 'balance_pattern = "("\n',
        (
            'FILE:modems[0].balance_pattern: "(" is not a regular expression: '
            "missing ), unterminated subpattern at position 0"
        ),
    ),
    "an alarm on nothing": (
        MODEM + "balance_alarm = 5\n",
        'FILE:modems[0].balance_alarm: needs a balance to look at; write balance_code = "*100#" too',
    ),
    "channel name": (
        '[[modems]]\nname = "sim 1"\nport = "/dev/x"\n',
        (
            'FILE:modems[0].name: "sim 1" is not a name; '
            "write up to 64 letters, digits, dots, dashes and underscores"
        ),
    ),
    "no way to find the modem": (
        '[[modems]]\nname = "x"\n',
        'FILE:modems[0].port: is missing; write port = "/dev/serial/..."',
    ),
    "two ways to find the modem": (
        MODEM + 'imei = "861234567890123"\n',
        "FILE:modems[0].imei: port and imei are given; write only one of them",
    ),
    "no USB socket": (
        '[[modems]]\nname = "x"\nusb = "3"\n',
        'FILE:modems[0].usb: "3" is no USB socket; write it like "1-1.3", as `hongyan doctor` shows it',
    ),
    "a recovery command that a PATH would have to find": (
        MODEM + 'recovery_command = "relay 3"\n',
        "FILE:modems[0].recovery_command: does not begin with a path; write the whole path",
    ),
    "a profile that nobody knows": (
        MODEM + 'profile = "hauwei"\n',
        "FILE:modems[0].profile: can't be used: there is no profile hauwei; did you mean huawei?",
    ),
    "a profile like no other": (
        MODEM + 'profile = "?"\n',
        (
            "FILE:modems[0].profile: can't be used: there is no profile ?; there are cinterion, generic, huawei, "
            "quectel-ec25, quectel-m26, sierra, sim7600, sim800, telit, wavecom, zte"
        ),
    ),
    "a profile that is not there": (
        MODEM + 'profile = "/nowhere/mine.toml"\n',
        (
            "FILE:modems[0].profile: can't be used: profile /nowhere/mine.toml can't be read: "
            "No such file or directory"
        ),
    ),
    "an AT command that is none": (
        MODEM + 'init_commands = ["rm -rf"]\n',
        'FILE:modems[0].init_commands: "rm -rf" is no AT command; write one line of ASCII, such as "AT^CURC=0"',
    ),
    "two AT commands in one": (
        MODEM + 'init_commands = ["AT\\rAT+CFUN=0"]\n',
        (
            'FILE:modems[0].init_commands: "AT\\rAT+CFUN=0" is no AT command; '
            'write one line of ASCII, such as "AT^CURC=0"'
        ),
    ),
    "imei": (
        '[[modems]]\nname = "x"\nimei = 861234567890123\n',
        "FILE:modems[0].imei: 861234567890123 will not do; write 14 to 17 digits in quotes",
    ),
    "own number": (
        MODEM + 'number = "13800138000"\n',
        'FILE:modems[0].number: is not a full number; write it with plus and country code: "+8613800138000"',
    ),
    "groups not a list": (
        MODEM + 'groups = "otp"\n',
        'FILE:modems[0].groups: "otp" is not a list; write it in brackets: ["otp"]',
    ),
    "no groups": (
        MODEM + "groups = []\n",
        'FILE:modems[0].groups: is empty; write at least one group, such as ["default"]',
    ),
    "a group twice": (
        MODEM + 'groups = ["a", "a"]\n',
        'FILE:modems[0].groups: "a" stands twice in the list; write it once',
    ),
    "PIN too short": (MODEM + 'pin = "12"\n', "FILE:modems[0].pin: is not a PIN; write 4 to 8 digits"),
    "PIN as a number": (
        MODEM + "pin = 1234\n",
        'FILE:modems[0].pin: pin is not text; write it in quotes: pin = "..."',
    ),
    "PIN twice": (
        MODEM + 'pin = "1234"\npin_file = "/x"\n',
        "FILE:modems[0].pin: pin and pin_file are given; write only one of them",
    ),
    "PIN file not there": (
        MODEM + 'pin_file = "/nowhere/pin"\n',
        (
            "FILE:modems[0].pin: cannot read /nowhere/pin (pin_file): No such file or directory; "
            "correct the path"
        ),
    ),
    "empty PIN file": (
        MODEM + 'pin_file = "/dev/null"\n',
        "FILE:modems[0].pin: /dev/null (pin_file) is empty; write the secret alone into it",
    ),
    "no password": (
        SMPP,
        (
            "FILE:smpp[0].password: is missing; "
            "write password = ... or password_file = ... or password_env = ..."
        ),
    ),
    "password variable not set": (
        SMPP + 'password_env = "HONGYAN_TEST_UNSET"\n',
        (
            "FILE:smpp[0].password: the environment variable HONGYAN_TEST_UNSET (password_env) is not set; "
            "set it before the start"
        ),
    ),
    "tcp port": (
        SMPP + 'password = "p"\nport = 70000\n',
        "FILE:smpp[0].port: 70000 will not do; write a whole number from 1 to 65535",
    ),
    "system_id": (
        SMPP.replace('"s"', '"sixteen-letters!"') + 'password = "p"\n',
        'FILE:smpp[0].system_id: "sixteen-letters!" will not do; write at most 15 characters, ASCII only',
    ),
    "bind": (
        SMPP + 'password = "p"\nbind = "trx"\n',
        'FILE:smpp[0].bind: "trx" is not known; write one of transceiver, transmitter, receiver, pair',
    ),
    "a name twice": (
        MODEM + SMPP.replace('"a"', '"sim-1"') + 'password = "p"\n',
        'FILE:smpp[0].name: "sim-1" is that of modems[0] too; write another',
    ),
    "a port twice": (
        MODEM + MODEM.replace("sim-1", "sim-2"),
        'FILE:modems[1].port: "/dev/ttyUSB0" is that of modems[0] too; write another',
    ),
    "a word with two meanings": (
        '[help]\nkeywords = ["td"]\n',
        "FILE:help.keywords: td stands in opt_out.keywords too; write it in one of them",
    ),
    "a word with two meanings that are spelt differently": (
        '[help]\nkeywords = ["ｔ．ｄ"]\n',
        "FILE:help.keywords: ｔ．ｄ stands in opt_out.keywords too; write it in one of them",
    ),
    "a word of nothing but signs": (
        '[opt_out]\nkeywords = ["TD", "?!"]\n',
        'FILE:opt_out.keywords: "?!" can never match, as signs and spaces don\'t count; write letters or digits',
    ),
    "a word longer than those that are looked for": (
        f'[opt_in]\nkeywords = ["{"x" * 33}"]\n',
        f'FILE:opt_in.keywords: "{"x" * 33}" can never match, as longer texts are letters; write at most 32 characters',
    ),
    "not TOML": (
        "[http\n",
        "FILE: is not valid TOML: Expected ']' at the end of a table declaration (at line 1, column 6)",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_setting_is_named_with_what_to_write(case: str, tmp_path: Path) -> None:
    text, expected = BAD[case]
    assert faults(tmp_path, text) == [expected]


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    text = (
        '[htp]\n[queue]\nmax_attempts = 0\n[[modems]]\nname = "x"\nport = "p"\nrate = "1"\n'
        + SMPP.replace('"a"', '"x"')
    )
    keys = [line.split(": ")[0] for line in faults(tmp_path, text)]
    assert keys == [
        "FILE:htp",
        "FILE:queue.max_attempts",
        "FILE:modems[0].rate",
        "FILE:smpp[0].password",
        "FILE:smpp[0].name",
    ]


def test_a_profile_of_the_operators_own_is_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.settings.kinds.stick.USER_PROFILES", tmp_path / "modems")
    own = tmp_path / "modems/mine.toml"
    own.parent.mkdir()
    own.write_text("boot_s = 30\n")
    for name in ("mine", str(own)):
        settings = load_settings(write(tmp_path, MODEM + f'profile = "{name}"\n'))
        assert settings.modems[0].profile == name
    own.write_text("boots = 30\n")
    for name in ("mine", str(own)):
        fault = faults(tmp_path, MODEM + f'profile = "{name}"\n')[0]
        assert fault.startswith("FILE:modems[0].profile: can't be used: profile mine: there is no key boots")


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(SettingsErrors, match=r"gone\.toml: cannot read it: No such file or directory"):
        load_settings(tmp_path / "gone.toml")
