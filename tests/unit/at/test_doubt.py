"""Finals that come late, twice or astray: whose they are taken to be."""

import pytest

from drivers.at.doubt import LATE_COMMAND_S, LATE_NETWORK_S, TWICE_S, Doubt
from drivers.at.events import Answered, Command, Late, Overdue, PayloadDue, Phase, Stray, TimedOut
from drivers.at.result_codes import FinalResult, ResultKind
from drivers.at.transaction import FINAL_S, GUARD_S, SETTLE_S, TWICE_SETTLE_S, AtDialogue
from drivers.at.unsolicited import Urc
from drivers.errors import LocalProtocolError

pytestmark = pytest.mark.unit

OK = FinalResult(kind=ResultKind.OK)
REFUSED_38 = FinalResult(kind=ResultKind.CMS, code=38)
CME_258 = FinalResult(kind=ResultKind.CME, code=258)
ERROR = FinalResult(kind=ResultKind.ERROR, detail="ERROR")
FIRST = Command(text="AT+CMGS=23", payload=b"0011", timeout_s=10)
SECOND = Command(text="AT+CMGS=24", payload=b"0022", timeout_s=10)
USSD = Command(text='AT+CUSD=1,"*100#",15')


def idle_dialogue(doubt: Doubt | None = None) -> AtDialogue:
    dialogue = AtDialogue(0.0, doubt)
    dialogue.receive(b"\r\nOK\r\n", 0.0)
    dialogue.tick(SETTLE_S)
    dialogue.take_output()
    return dialogue


def send(dialogue: AtDialogue, command: Command, now: float) -> None:
    dialogue.start(command, now)
    assert PayloadDue() in dialogue.receive(b"\r\n> ", now)
    dialogue.take_output()


def overdue_dialogue(doubt: Doubt | None = None) -> AtDialogue:
    """The first payload went out at 0 s, and no answer came within its 10 s."""
    dialogue = idle_dialogue(doubt)
    send(dialogue, FIRST, 0.0)
    assert dialogue.tick(10.0) == [Overdue()]
    return dialogue


def given_up_dialogue(doubt: Doubt | None = None) -> AtDialogue:
    """As `overdue_dialogue`, and then AT was answered: the payload counts as unanswered."""
    dialogue = overdue_dialogue(doubt)
    dialogue.receive(b"\r\nOK\r\n", 10.0)
    assert dialogue.tick(10.0 + SETTLE_S) == [TimedOut(10)]
    return dialogue


def asked_dialogue() -> AtDialogue:
    """A USSD code was taken, and the network has not answered."""
    dialogue = idle_dialogue()
    dialogue.start(USSD, 0.0)
    assert dialogue.receive(b"\r\nOK\r\n", 0.0) == [Answered((), OK)]
    return dialogue


# --- what comes while a payload is with the network ---


@pytest.mark.parametrize("line", [b"+CME ERROR: 258", b"ERROR", b"+CME ERROR: 258\r\n+CME ERROR: 258"])
def test_the_refusal_of_a_ussd_code_is_not_the_payloads(line):
    dialogue = asked_dialogue()
    send(dialogue, FIRST, 1.0)
    assert all(isinstance(event, Stray) for event in dialogue.receive(line + b"\r\n", 2.0))
    answered, *late = dialogue.receive(b"+CMGS: 7\r\nOK\r\n", 3.0)
    assert answered == Answered(("+CMGS: 7",), OK)
    # By then it is clear whose it was.
    assert [event.command for event in late if isinstance(event, Late)] == [USSD]


def test_a_refusal_that_only_the_message_service_gives_is_the_payloads():
    dialogue = asked_dialogue()
    send(dialogue, FIRST, 1.0)
    assert dialogue.receive(b"+CMS ERROR: 38\r\n", 2.0) == [Answered((), REFUSED_38)]


def test_what_may_be_anothers_refusal_leaves_the_payload_unanswered():
    dialogue = asked_dialogue()
    send(dialogue, FIRST, 1.0)
    dialogue.receive(b"ERROR\r\n", 2.0)
    assert dialogue.tick(11.0) == [Overdue()]
    dialogue.receive(b"OK\r\n", 11.0)
    assert dialogue.tick(11.0 + SETTLE_S) == [TimedOut(10)]


@pytest.mark.parametrize(
    ("news", "at"), [(b'+CUSD: 0,"42.00",15\r\n', 1.0), (b"+CME ERROR: 258\r\n", 1.0), (b"", LATE_NETWORK_S)]
)
def test_no_doubt_is_left_when_the_network_has_answered_the_code_or_had_its_time(news, at):
    dialogue = asked_dialogue()
    dialogue.receive(news, at)
    send(dialogue, FIRST, at + TWICE_S)
    refused = dialogue.receive(b"+CME ERROR: 30\r\n", at + TWICE_S + 1)
    assert refused == [Answered((), FinalResult(kind=ResultKind.CME, code=30))]


@pytest.mark.parametrize("line", [b"ERROR\r\n", b"+CME ERROR: 30\r\n", b"+CMS ERROR: 38\r\n"])
def test_with_nothing_owed_a_refusal_is_a_refusal(line):
    dialogue = idle_dialogue()
    send(dialogue, FIRST, 1.0)
    assert [type(event) for event in dialogue.receive(line, 2.0)] == [Answered]


def test_the_late_ok_of_another_command_is_no_yes_to_the_payload():
    dialogue = idle_dialogue()
    dialogue.start(Command(text="AT+CPMS=1", timeout_s=5), 0.0)
    assert dialogue.tick(5.0) == [TimedOut(5)]
    dialogue.receive(b"OK\r\n", 5.0)
    dialogue.tick(5.0 + SETTLE_S)
    send(dialogue, FIRST, 6.0)
    assert dialogue.receive(b"OK\r\n", 7.0) == [Stray("OK")]
    assert dialogue.receive(b"+CMS ERROR: 38\r\n", 8.0) == [Stray("+CMS ERROR: 38")]
    assert dialogue.receive(b"+CMGS: 1\r\nOK\r\n", 9.0)[0] == Answered(("+CMGS: 1",), OK)


def test_a_reference_says_all_and_what_stands_before_its_ok_says_nothing():
    dialogue = idle_dialogue()
    send(dialogue, FIRST, 1.0)
    assert dialogue.receive(b"+CMGS: 7\r\n+CME ERROR: 258\r\n", 2.0) == [Stray("+CME ERROR: 258")]
    assert dialogue.tick(2.0 + FINAL_S) == [Answered(("+CMGS: 7",), OK)]
    assert dialogue.phase is Phase.RESYNC


# --- what comes after a payload's time ---


@pytest.mark.parametrize(
    ("late", "answered"),
    [(b"+CMGS: 7\r\nOK\r\n", Answered(("+CMGS: 7",), OK)), (b"+CMS ERROR: 38\r\n", Answered((), REFUSED_38))],
)
def test_an_answer_within_the_resync_is_the_payloads(late, answered):
    assert overdue_dialogue().receive(late, 11.0) == [answered]


def test_a_resync_may_last_longer_than_the_payload_had():
    dialogue = idle_dialogue()
    send(dialogue, Command(text="AT+CMGS=23", payload=b"0011", timeout_s=1), 0.0)
    assert dialogue.tick(1.0) == [Overdue()]
    for n in range(1, 4):
        assert dialogue.tick(1.0 + n * GUARD_S) == []
    assert dialogue.receive(b"+CMS ERROR: 38\r\n", 3.5 + 3 * GUARD_S) == [Answered((), REFUSED_38)]


@pytest.mark.parametrize(
    ("late", "lines", "final"),
    [(b"+CMGS: 7\r\nOK\r\n", ("+CMGS: 7",), OK), (b"+CMS ERROR: 38\r\n", (), REFUSED_38)],
)
def test_an_answer_after_the_resync_is_told_as_late_and_the_next_payload_may_go(late, lines, final):
    dialogue = given_up_dialogue()
    assert dialogue.held_until(11.0) == 20.0 + SETTLE_S
    with pytest.raises(LocalProtocolError):
        dialogue.start(SECOND, 11.0)
    told = [event for event in dialogue.receive(late, 12.0) if not isinstance(event, Stray)]
    assert told == [Late(FIRST, lines, final)]
    send(dialogue, SECOND, 12.1)
    assert dialogue.receive(b"+CMGS: 8\r\nOK\r\n", 13.0) == [Answered(("+CMGS: 8",), OK)]


def test_an_answer_that_does_not_come_holds_the_next_payload_for_as_long_again():
    dialogue = given_up_dialogue()
    dialogue.start(Command(text="AT+CSQ"), 11.0)
    dialogue.receive(b"+CSQ: 20,99\r\nOK\r\n", 11.0)
    send(dialogue, SECOND, 20.0 + SETTLE_S)
    assert dialogue.receive(b"+CMS ERROR: 38\r\n", 21.0) == [Answered((), REFUSED_38)]


@pytest.mark.parametrize("late", [b"ERROR\r\n", b"+CME ERROR: 30\r\n", b"OK\r\n"])
def test_what_need_not_be_the_late_payloads_settles_nothing(late):
    assert [e for e in given_up_dialogue().receive(late, 12.0) if isinstance(e, Late)] == []
    assert [e for e in overdue_dialogue().receive(late, 12.0) if isinstance(e, Answered)] == []


def test_a_late_refusal_is_nobodys_when_two_commands_may_be_refused_so():
    dialogue = idle_dialogue()
    dialogue.start(Command(text="AT+CMGD=1", timeout_s=5), 0.0)
    dialogue.tick(5.0)
    dialogue.receive(b"OK\r\n", 5.0)
    dialogue.tick(5.0 + SETTLE_S)
    send(dialogue, FIRST, 6.0)
    assert dialogue.tick(16.0) == [Overdue()]
    assert dialogue.receive(b"+CMS ERROR: 321\r\n", 16.1) == []


def test_the_reference_of_a_late_payload_does_not_end_the_command_in_flight():
    dialogue = given_up_dialogue()
    dialogue.start(Command(text="AT+CREG?"), 12.0)
    assert dialogue.receive(b"+CMGS: 7\r\nOK\r\n", 12.0) == [Late(FIRST, ("+CMGS: 7",), OK), Stray("OK")]
    assert dialogue.receive(b"+CREG: 0,1\r\nOK\r\n", 12.1)[0] == Answered(("+CREG: 0,1",), OK)


def test_what_is_owed_is_known_when_the_port_is_opened_anew():
    doubt = Doubt()
    dialogue = idle_dialogue(doubt)
    send(dialogue, FIRST, 0.0)
    dialogue.close(3.0)
    anew = idle_dialogue(doubt)
    assert anew.held_until(4.0) == 13.0
    late = [event for event in anew.receive(b"+CMGS: 7\r\nOK\r\n", 5.0) if isinstance(event, Late)]
    assert [event.command for event in late] == [FIRST]
    doubt.clear()
    assert anew.held_until(5.0) is None


# --- prompts and other commands ---


def test_a_stray_error_before_the_prompt_does_not_end_the_command():
    dialogue = asked_dialogue()
    dialogue.start(FIRST, 1.0)
    assert dialogue.receive(b"+CME ERROR: 258\r\n", 2.0) == [Stray("+CME ERROR: 258")]
    assert dialogue.receive(b"\r\n> ", 3.0) == [Late(USSD, (), CME_258), PayloadDue()]


def test_an_answer_that_may_be_anothers_is_followed_by_a_resync():
    dialogue = asked_dialogue()
    dialogue.start(Command(text="AT+CSQ"), 1.0)
    assert dialogue.receive(b"+CME ERROR: 258\r\n", 2.0) == [Answered((), CME_258)]
    dialogue.take_output()
    assert dialogue.receive(b"+CSQ: 20,99\r\nOK\r\nOK\r\n", 2.1) == [Urc("+CSQ: 20,99")]
    dialogue.tick(2.1 + SETTLE_S)
    dialogue.start(Command(text="AT+COPS?"), 3.0)
    answered = dialogue.receive(b'+COPS: 0,0,"CMCC",7\r\nOK\r\n', 3.0)
    assert answered == [Answered(('+COPS: 0,0,"CMCC",7',), OK)]


def test_a_lone_error_while_nothing_else_is_asked_is_told_to_whoever_asked_by_ussd():
    assert asked_dialogue().receive(b"ERROR\r\n", 5.0) == [Stray("ERROR"), Late(USSD, (), ERROR)]


def test_a_stick_that_says_finals_twice_is_waited_for():
    dialogue = idle_dialogue()
    dialogue.start(Command(text="AT+CSQ"), 1.0)
    assert dialogue.receive(b"+CSQ: 20,99\r\nOK\r\n", 1.0) == [Answered(("+CSQ: 20,99",), OK)]
    assert dialogue.receive(b"OK\r\n", 1.01) == [Stray("OK")]
    dialogue.start(Command(text="AT+COPS=3,0"), 2.0)
    dialogue.receive(b"OK\r\n", 2.0)
    with pytest.raises(LocalProtocolError):
        dialogue.start(Command(text="AT+CSQ"), 2.0)
    dialogue.receive(b"OK\r\n", 2.01)
    dialogue.tick(2.01 + TWICE_SETTLE_S)
    dialogue.start(Command(text="AT+CSQ"), 2.1)


def test_a_refusal_that_is_said_twice_is_not_the_next_payloads():
    dialogue = idle_dialogue()
    send(dialogue, FIRST, 1.0)
    assert dialogue.receive(b"+CMS ERROR: 38\r\n", 2.0) == [Answered((), REFUSED_38)]
    dialogue.start(SECOND, 2.0)
    assert dialogue.receive(b"+CMS ERROR: 38\r\n", 2.0) == [Stray("+CMS ERROR: 38")]
    assert dialogue.receive(b"\r\n> ", 2.1) == [PayloadDue()]


def test_an_answer_that_has_begun_is_not_ended_by_what_may_be_anothers():
    dialogue = asked_dialogue()
    dialogue.start(Command(text="AT+CMGR=1"), 1.0)
    dialogue.receive(b"+CMGR: 0,,4\r\n0001\r\n+CME ERROR: 258\r\n", 2.0)
    assert dialogue.receive(b"OK\r\n", 2.0)[0] == Answered(("+CMGR: 0,,4", "0001"), OK)


def test_doubt_about_a_command_that_was_given_up_ends():
    dialogue = idle_dialogue()
    dialogue.start(Command(text="AT+COPS?", timeout_s=5), 0.0)
    dialogue.tick(5.0)
    dialogue.receive(b"OK\r\n", 5.0)
    dialogue.tick(6.0)
    send(dialogue, FIRST, 5.0 + LATE_COMMAND_S)
    assert [type(event) for event in dialogue.receive(b"ERROR\r\n", 40.0)] == [Answered]


# --- texts with line breaks ---


MENU = b'+CUSD: 1,"Menu\r\n1. Balance\r\nOK\r\n*charges apply",15\r\n'
MENU_LINE = '+CUSD: 1,"Menu\n1. Balance\nOK\n*charges apply",15'


def test_a_menu_is_one_line_and_nothing_in_it_is_an_answer():
    dialogue = idle_dialogue()
    send(dialogue, FIRST, 1.0)
    assert dialogue.receive(MENU, 2.0) == [Urc(MENU_LINE)]
    assert dialogue.receive(b"+CMGS: 7\r\nOK\r\n", 3.0) == [Answered(("+CMGS: 7",), OK)]


def test_a_menu_that_comes_before_its_ok_is_one_line_too():
    dialogue = idle_dialogue()
    dialogue.start(USSD, 1.0)
    assert dialogue.receive(MENU + b"OK\r\n", 2.0) == [Answered((MENU_LINE,), OK)]


def test_lines_behind_a_quote_that_never_closes_are_what_they_are():
    dialogue = idle_dialogue()
    send(dialogue, FIRST, 1.0)
    assert dialogue.receive(b'+CUSD: 0,"cut\r\n+CMGS: 7\r\nOK\r\n', 2.0) == []
    assert dialogue.tick(3.0) == [Urc('+CUSD: 0,"cut'), Answered(("+CMGS: 7",), OK)]


@pytest.mark.parametrize("line", ['+CUSD: 0,"",15', "+CUSD: 2", '+CUSD: 0,"a "b", c",15', '+CUSD: 0, "a", 2'])
def test_a_text_on_one_line_is_told_at_once(line):
    assert idle_dialogue().receive(line.encode() + b"\r\n", 1.0) == [Urc(line)]
