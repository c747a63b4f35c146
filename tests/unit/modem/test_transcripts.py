"""What real sticks said, through the dialogue and the parsers, and to the right profile; whole and octet by octet."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from drivers.at.events import Answered, Command, Phase
from drivers.at.responses import parse_cpms, parse_digits, parse_storage_choices, parse_text
from drivers.at.result_codes import ResultKind
from drivers.at.transaction import AtDialogue
from drivers.at.unsolicited import Urc
from drivers.modem.profile import choose_profile, load_profiles

pytestmark = pytest.mark.unit

FOLDER = Path(__file__).parents[2] / "transcripts"
FILES = sorted(FOLDER.glob("*.txt"))


@dataclass
class Exchange:
    command: str
    lines: list[str] = field(default_factory=list)
    error: bool = False
    finds: list[str] = field(default_factory=list)


def read(path: Path) -> tuple[dict[str, str], list[str], list[Exchange]]:
    heads, news, exchanges = {}, [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        mark, _, rest = line.partition(" ")
        match mark:
            case "#" if ": " in rest:
                key, _, value = rest.partition(": ")
                heads[key] = value
            case "*":
                news.append(rest)
            case ">":
                exchanges.append(Exchange(rest))
            case "<":
                exchanges[-1].lines.append(rest)
            case "!":
                exchanges[-1].error = True
            case "=":
                exchanges[-1].finds.append(rest)
            case _:
                pass
    return heads, news, exchanges


def idle_dialogue() -> AtDialogue:
    dialogue = AtDialogue(0.0)
    dialogue.receive(b"\r\nOK\r\n", 0.0)
    dialogue.tick(1.0)
    assert dialogue.phase is Phase.IDLE
    return dialogue


def spoken(lines: list[str]) -> bytes:
    return "".join(f"\r\n{line}\r\n" for line in lines).encode()


def events_of(dialogue: AtDialogue, octets: bytes, n_at_once: int):
    for at in range(0, len(octets), n_at_once):
        yield from dialogue.receive(octets[at : at + n_at_once], 2.0)


def what_is_found(kind: str, lines: tuple[str, ...]) -> str:
    match kind:
        case "digits":
            return str(parse_digits(lines))
        case "text":
            return str(parse_text(lines))
        case "storage":
            use = parse_cpms(lines)
            assert use is not None
            return f"{use.n_used} {use.n_total}"
        case "memories":
            order = ["ME", "SM", "MT"]
            return " | ".join(
                " ".join(sorted(names, key=order.index)) for names in parse_storage_choices(lines)
            )
        case "notifies":
            return str(re.findall(r"\(([^)]*)\)", lines[0])[3])
        case _:
            raise AssertionError(kind)


@pytest.mark.parametrize("n_at_once", [1, 7, 10_000])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_real_sticks_say_is_understood(path: Path, n_at_once: int) -> None:
    _, news, exchanges = read(path)
    dialogue = idle_dialogue()
    heard = [e.line for e in events_of(dialogue, spoken(news), n_at_once) if isinstance(e, Urc)]
    assert heard == news
    for exchange in exchanges:
        # Sources are not always faithful in capitals; an echo that differs would be a line of the answer.
        lines = [
            exchange.command if line.lower() == exchange.command.lower() else line for line in exchange.lines
        ]
        dialogue.start(Command(text=exchange.command), 2.0)
        events = list(events_of(dialogue, spoken(lines), n_at_once))
        assert [type(event) for event in events] == [Answered], exchange.command
        answer = events[0]
        assert isinstance(answer, Answered)
        assert (answer.final.kind is not ResultKind.OK) == exchange.error
        assert exchange.command not in answer.lines, "the echo is no part of the answer"
        for find in exchange.finds:
            kind, _, wanted = find.partition(" ")
            assert what_is_found(kind, answer.lines) == wanted


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_profile_of_a_real_stick_is_found_by_what_it_says(path: Path) -> None:
    heads, _, exchanges = read(path)
    assert heads["source"].startswith("https://")
    identity = [
        line
        for exchange in exchanges
        if exchange.command in {"ATI", "AT+CGMI", "AT+CGMM", "AT+CGMR", "AT+SIMCOMATI"}
        for line in exchange.lines
    ]
    identity.append(heads.get("identity", ""))
    assert choose_profile(load_profiles(), answers=identity).name == heads["profile"]


TELLING = [path for path in FILES if "> AT+CNMI=?" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", TELLING, ids=lambda path: path.stem)
def test_its_profile_asks_for_reports_in_a_way_that_it_has(path: Path) -> None:
    heads, _, exchanges = read(path)
    groups = [
        re.findall(r"\(([^)]*)\)", line)
        for exchange in exchanges
        if exchange.command == "AT+CNMI=?"
        for line in exchange.lines
        if line.startswith("+CNMI:")
    ]
    allowed = [
        {n for item in group.split(",") for n in range(int(item.split("-")[0]), int(item.split("-")[-1]) + 1)}
        for group in groups[0]
    ]
    (profile,) = [p for p in load_profiles() if p.name == heads["profile"]]
    first = [int(n) for n in profile.cnmi[0].partition("=")[2].split(",")]
    assert all(value in choices for value, choices in zip(first, allowed, strict=False))
    assert first[3] != 0, "no status reports would come"


def test_there_are_transcripts_of_at_least_eight_models() -> None:
    assert len({read(path)[0]["model"] for path in FILES}) >= 8
