"""The AT dialogue, driven with octets and invented time."""

import pytest

from drivers.at.events import (
    Answered,
    Command,
    EchoBack,
    Hung,
    Overdue,
    PayloadDue,
    Phase,
    Stray,
    TimedOut,
)
from drivers.at.result_codes import FinalResult, ResultKind
from drivers.at.transaction import GLUED_S, GUARD_S, GUARD_TRIES, SETTLE_S, AtDialogue
from drivers.at.unsolicited import BODY_S, Urc
from drivers.errors import LocalProtocolError

pytestmark = pytest.mark.unit

OK = FinalResult(kind=ResultKind.OK)
CMGS = Command(text="AT+CMGS=23", payload=b"0011000B91", timeout_s=60, prompt_timeout_s=10)


def idle_dialogue(now: float = 0.0) -> AtDialogue:
    dialogue = AtDialogue(now)
    assert dialogue.take_output() == b"\x1bAT\r"
    dialogue.receive(b"\r\nOK\r\n", now)
    dialogue.tick(now + SETTLE_S)
    assert dialogue.phase is Phase.IDLE
    return dialogue


def ask(text: str, reply: bytes, now: float = 10.0):
    dialogue = idle_dialogue()
    dialogue.start(Command(text=text), now)
    assert dialogue.take_output() == text.encode() + b"\r"
    return dialogue.receive(reply, now)


@pytest.mark.parametrize(
    ("command", "reply", "events"),
    [
        ("AT+CSQ", b"\r\n+CSQ: 20,99\r\n\r\nOK\r\n", [Answered(("+CSQ: 20,99",), OK)]),
        ("AT+CSQ", b"AT+CSQ\r\r\n+CSQ: 20,99\r\n\r\nOK\r\n", [Answered(("+CSQ: 20,99",), OK)]),
        ("AT+CSQ", b"\r\n^RSSI:20\r\n\r\n+CSQ: 20,99\r\n\r\nOK\r\n",
         [Urc("^RSSI:20"), Answered(("+CSQ: 20,99",), OK)]),
        ("AT+CSQ", b"+CSQ: 20,99\r\nOK\r\n+CMTI: \"ME\",1\r\n",
         [Answered(("+CSQ: 20,99",), OK), Urc('+CMTI: "ME",1')]),
        ("AT+CMGR=1", b"+CMGR: \"REC\",\"1\"\r\nOK then\r\nOK\r\n",
         [Answered(('+CMGR: "REC","1"', "OK then"), OK)]),
        ("AT+CREG?", b"+CREG: 0,1\r\nOK\r\n", [Answered(("+CREG: 0,1",), OK)]),
        ("AT+CSQ", b"+CREG: 1\r\n+CSQ: 9,99\r\nOK\r\n", [Urc("+CREG: 1"), Answered(("+CSQ: 9,99",), OK)]),
        ("AT^ICCID?", b"^ICCID: 89860012345678901234\r\n^BOOT:1,0\r\nOK\r\n",
         [Urc("^BOOT:1,0"), Answered(("^ICCID: 89860012345678901234",), OK)]),
        ("AT+CGSN", b"861696001234567\r\nOK\r\n", [Answered(("861696001234567",), OK)]),
        ("AT+CMGL=4", b"+CMGL: 1,1,,4\r\n0001\r\n+CDS: 25\r\n0006AB\r\n+CMGL: 2,1,,4\r\n0002\r\nOK\r\n",
         [Urc("+CDS: 25", "0006AB"),
          Answered(("+CMGL: 1,1,,4", "0001", "+CMGL: 2,1,,4", "0002"), OK)]),
        ("AT", b"COMMAND NOT SUPPORT\r\n",
         [Answered((), FinalResult(kind=ResultKind.ERROR, detail="COMMAND NOT SUPPORT"))]),
        ("AT", b"> \r\nOK\r\n", [Answered((">",), OK)]),
    ],
)  # fmt: skip
def test_a_command_gets_its_answer_and_nothing_else(command, reply, events):
    assert ask(command, reply) == events


def test_the_payload_waits_for_the_prompt_and_goes_out_once():
    dialogue = idle_dialogue()
    dialogue.start(CMGS, 10.0)
    assert dialogue.take_output() == b"AT+CMGS=23\r"
    assert dialogue.receive(b"AT+CMGS=23\r\r\n", 10.1) == []
    assert dialogue.take_output() == b""
    assert dialogue.receive(b">", 10.2) == [PayloadDue()]
    assert dialogue.take_output() == b"0011000B91\x1a"
    assert dialogue.receive(b" \r\n> \r\n+CMGS: 7\r\n\r\nOK\r\n", 11.0) == [Answered(("+CMGS: 7",), OK)]
    assert dialogue.take_output() == b""


def test_an_echoed_payload_is_dropped():
    dialogue = idle_dialogue()
    dialogue.start(CMGS, 10.0)
    dialogue.receive(b"AT+CMGS=23\r\r\n> ", 10.0)
    events = dialogue.receive(b"0011000B91\x1a\r\n+CMGS: 7\r\nOK\r\n", 11.0)
    assert events == [Answered(("+CMGS: 7",), OK)]


def test_a_message_that_arrives_between_prompt_and_answer_is_not_part_of_it():
    dialogue = idle_dialogue()
    dialogue.start(CMGS, 10.0)
    dialogue.receive(b"> ", 10.0)
    events = dialogue.receive(b'+CMTI: "SM",4\r\n+CMT: ,23\r\n0791AB\r\n+CMGS: 7\r\nOK\r\n', 11.0)
    assert events == [Urc('+CMTI: "SM",4'), Urc("+CMT: ,23", "0791AB"), Answered(("+CMGS: 7",), OK)]


def test_a_broken_notification_while_the_network_is_awaited_is_told():
    dialogue = idle_dialogue()
    dialogue.start(CMGS, 10.0)
    dialogue.receive(b"> ", 10.0)
    events = dialogue.receive(b'+CMT\xff: "SM",4\r\n+CMGS: 7\r\nOK\r\n', 11.0)
    broken = '+CMTÿ: "SM",4'
    assert events == [Stray(broken), Answered((broken, "+CMGS: 7"), OK)]


@pytest.mark.parametrize("line", ["NO CARRIER", "BUSY", "NO ANSWER"])
def test_a_caller_who_gives_up_is_no_answer_of_the_network(line):
    dialogue = idle_dialogue()
    dialogue.start(CMGS, 10.0)
    assert dialogue.receive(f"RING\r\n{line}\r\n".encode(), 10.0) == [Urc("RING"), Urc(line)]
    assert dialogue.receive(b"> ", 10.1) == [PayloadDue()]
    assert dialogue.receive(f"{line}\r\n".encode(), 11.0) == [Urc(line)]
    assert dialogue.receive(b"+CMGS: 7\r\nOK\r\n", 12.0) == [Answered(("+CMGS: 7",), OK)]


def test_a_prompt_behind_somebody_elses_ok_is_left_before_anything_else_is_said():
    dialogue = idle_dialogue()
    dialogue.start(CMGS, 10.0)
    dialogue.take_output()
    assert dialogue.receive(b"OK\r\n", 10.0) == [Answered((), OK)]
    assert dialogue.take_output() == b"\x1bAT\r"
    assert dialogue.receive(b"\r\n> ", 10.1) == []
    with pytest.raises(LocalProtocolError):  # it would be taken for the text of the message
        dialogue.start(Command(text="AT+CSQ"), 10.2)


def test_an_error_instead_of_the_prompt_ends_the_command_without_payload():
    dialogue = idle_dialogue()
    dialogue.start(CMGS, 10.0)
    dialogue.take_output()
    events = dialogue.receive(b"+CMS ERROR: 310\r\n", 10.1)
    assert events == [Answered((), FinalResult(kind=ResultKind.CMS, code=310))]
    # Was it another's, the prompt comes yet, and the next command must not be taken for the text of a message.
    assert dialogue.take_output() == b"\x1bAT\r"


def test_after_a_timeout_the_late_answer_never_answers_the_next_command():
    dialogue = idle_dialogue()
    dialogue.start(CMGS, 10.0)
    dialogue.receive(b"> ", 10.0)
    dialogue.take_output()
    assert dialogue.deadline == 70.0
    assert dialogue.tick(70.0) == [Overdue()]
    assert dialogue.take_output() == b"\x1bAT\r"
    # Both finals, of the old command and of the guard, arrive late and apart.
    assert dialogue.receive(b"+CMGS: 7\r\nOK\r\n", 70.1) == [Answered(("+CMGS: 7",), OK)]
    assert dialogue.receive(b"OK\r\n", 70.2) == []
    dialogue.tick(70.2 + SETTLE_S)
    dialogue.start(Command(text="AT+CSQ"), 71.0)
    assert dialogue.receive(b"+CSQ: 1,99\r\nOK\r\n", 71.1) == [Answered(("+CSQ: 1,99",), OK)]


@pytest.mark.parametrize("command", ["AT+CMGF=0", "AT+CREG?", "AT+CGMI", "AT+CMGL=4"])
def test_a_stick_that_only_chats_does_not_keep_a_command_waiting(command):
    dialogue = idle_dialogue()
    dialogue.start(Command(text=command), 10.0)
    for now in (13.0, 16.0, 19.0):
        dialogue.receive(b"\r\n_OSIGQ: 12,0\r\n\r\n+CREG: 1\r\n", now)
    assert isinstance(dialogue.tick(20.0)[0], TimedOut)


def test_a_long_listing_may_take_its_time_line_after_line():
    dialogue = idle_dialogue()
    dialogue.start(Command(text="AT+CMGL=4"), 10.0)
    for now in (18.0, 26.0):
        dialogue.receive(b"\r\n+CMGL: 1,1,,4\r\n", now)
    dialogue.receive(b"00ABCDEF00\r\n", 34.0)
    assert dialogue.tick(43.0) == []
    assert isinstance(dialogue.tick(44.0)[0], TimedOut)


def test_what_came_of_an_answer_without_an_end_is_told():
    dialogue = idle_dialogue()
    dialogue.start(Command(text="AT+CPIN?"), 10.0)
    dialogue.receive(b"\r\n+CPIN: READY\r\n", 10.1)
    assert dialogue.tick(20.0) == [TimedOut(10, ("+CPIN: READY",))]


def test_a_prompt_that_does_not_come_is_left_with_esc():
    dialogue = idle_dialogue()
    dialogue.start(CMGS, 10.0)
    dialogue.take_output()
    assert dialogue.tick(20.0) == [TimedOut(10)]
    assert dialogue.take_output().startswith(b"\x1b")
    # The prompt comes after all: nobody falls for it.
    assert dialogue.receive(b"> ", 20.1) == []
    assert dialogue.take_output() == b""


@pytest.mark.parametrize("noise", [b"^RSSI:12", b"\xf3\xa9!", b"\r\n+CREG: 1\r\n^RSSI:12", b"a > b", b"\x00"])
def test_a_prompt_behind_noise_is_seen_when_the_line_goes_silent(noise):
    dialogue = idle_dialogue()
    dialogue.start(CMGS, 10.0)
    dialogue.take_output()
    events = dialogue.receive(noise, 10.1) + dialogue.receive(b"> ", 10.2)
    if dialogue.phase is Phase.PROMPT:  # NUL is no noise
        assert dialogue.take_output() == b""
        assert dialogue.deadline == 10.2 + GLUED_S
        assert dialogue.tick(10.2 + GLUED_S - 0.01) == []
        events += dialogue.tick(10.2 + GLUED_S)
    assert [event for event in events if not isinstance(event, Urc | Stray)] == [PayloadDue()]
    assert dialogue.take_output() == b"0011000B91\x1a"
    answered = dialogue.receive(b"\r\n+CMGS: 7\r\n\r\nOK\r\n", 11.0)
    assert answered == [Answered(("+CMGS: 7",), OK)]


def test_a_line_that_only_looks_like_a_prompt_for_a_moment_is_none():
    dialogue = idle_dialogue()
    dialogue.start(CMGS, 10.0)
    dialogue.take_output()
    assert dialogue.receive(b'\r\n+CIEV: "a > ', 10.1) == []
    assert dialogue.receive(b'b",1\r\n', 10.1 + GLUED_S - 0.01) == [Urc('+CIEV: "a > b",1')]
    assert dialogue.tick(10.1 + GLUED_S) == []
    assert dialogue.receive(b"", 11.0) == []
    assert dialogue.take_output() == b""
    assert dialogue.phase is Phase.PROMPT
    # Outside of a prompt's time nothing of the kind is looked for.
    dialogue.receive(b"+CMS ERROR: 500\r\n^RSSI:12> ", 12.0)
    assert dialogue.take_output() == b"\x1bAT\r"
    dialogue.tick(12.0 + GLUED_S)
    assert dialogue.take_output() == b""


def test_a_prompt_from_before_the_command_is_none():
    dialogue = idle_dialogue()
    dialogue.receive(b"\r\n> ", 9.0)
    dialogue.start(CMGS, 10.0)
    dialogue.take_output()
    assert dialogue.receive(b'\r\n+CMTI: "ME",1\r\n', 10.1) == [Stray(">"), Urc('+CMTI: "ME",1')]
    assert dialogue.take_output() == b""
    assert dialogue.receive(b"\r\n> ", 10.2) == [PayloadDue()]


def test_what_stands_before_a_glued_prompt_is_told():
    dialogue = idle_dialogue()
    dialogue.start(CMGS, 10.0)
    dialogue.receive(b'\r\n+CMTI: "ME",12> ', 10.1)
    assert dialogue.tick(10.1 + GLUED_S) == [Stray('+CMTI: "ME",12>'), PayloadDue()]


def test_an_echo_that_is_glued_to_the_prompt_holds_the_payload_back_as_any_other():
    dialogue = idle_dialogue()
    dialogue.start(Command(text="ATE0"), 1.0)
    dialogue.receive(b"\r\nOK\r\n", 1.1)
    dialogue.start(CMGS, 10.0)
    dialogue.take_output()
    dialogue.receive(b"AT+CMGS=23> ", 10.1)
    assert EchoBack() in dialogue.tick(10.1 + GLUED_S)
    assert b"0011000B91" not in dialogue.take_output()


def test_an_abandoned_prompt_is_left_with_esc():
    dialogue = idle_dialogue()
    dialogue.start(CMGS, 10.0)
    dialogue.take_output()
    dialogue.abandon(10.5)
    assert dialogue.take_output() == b"\x1bAT\r"
    assert dialogue.receive(b"> ", 10.6) == []


def test_an_abandoned_payload_goes_on_to_its_final():
    dialogue = idle_dialogue()
    dialogue.start(CMGS, 10.0)
    dialogue.receive(b"> ", 10.0)
    dialogue.take_output()
    dialogue.abandon(10.5)
    assert dialogue.take_output() == b""
    with pytest.raises(LocalProtocolError):
        dialogue.start(Command(text="AT"), 10.6)
    assert dialogue.receive(b"+CMGS: 1\r\nOK\r\n", 12.0) == [Answered(("+CMGS: 1",), OK)]


def test_a_stick_that_never_answers_counts_as_hung():
    dialogue = AtDialogue(0.0)
    events = []
    for tries in range(1, GUARD_TRIES + 1):
        assert dialogue.take_output() == b"\x1bAT\r"
        events += dialogue.tick(tries * GUARD_S)
    assert events == [Hung()]


def test_noise_does_not_keep_a_resync_from_ending():
    dialogue = AtDialogue(0.0)
    dialogue.receive(b"\x1bAT\r\r\nOK\r\n", 0.0)
    dialogue.receive(b"^RSSI:20\r\n", SETTLE_S / 2)
    dialogue.tick(SETTLE_S)
    assert dialogue.phase is Phase.IDLE


def test_lines_between_commands_are_news_or_strays():
    dialogue = idle_dialogue()
    events = dialogue.receive(b"RING\r\nOK\r\nCall Ready\r\nwhat\r\n", 5.0)
    assert events == [Urc("RING"), Stray("OK"), Urc("Call Ready"), Stray("what")]


def test_a_message_whose_second_line_never_comes_is_given_up():
    dialogue = idle_dialogue()
    assert dialogue.receive(b"+CMT: ,23\r\n", 5.0) == []
    assert dialogue.deadline == 5.0 + BODY_S
    assert dialogue.tick(5.0 + BODY_S) == [Urc("+CMT: ,23")]


def test_a_second_line_that_is_no_pdu_belongs_to_itself():
    dialogue = idle_dialogue()
    dialogue.start(Command(text="AT+CSQ"), 5.0)
    events = dialogue.receive(b"+CDS: 25\r\n+CSQ: 5,99\r\nOK\r\n", 5.0)
    assert events == [Urc("+CDS: 25"), Answered(("+CSQ: 5,99",), OK)]


@pytest.mark.parametrize("text", ["AT\rATD112;", "AT\x1a", "AT\n"])
def test_a_command_can_not_break_out_of_its_line(text):
    with pytest.raises(LocalProtocolError):
        idle_dialogue().start(Command(text=text), 5.0)


def test_a_label_never_shows_parameters():
    assert Command(text='AT+CPIN="1234"').label == "AT+CPIN"
    assert Command(text="AT+CREG?").label == "AT+CREG?"
