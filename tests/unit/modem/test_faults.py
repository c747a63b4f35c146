"""The fault tables against the lists of the specifications, written down anew here."""

import pytest

from drivers.at.error_words import cme_code, cms_code
from drivers.at.result_codes import ResultKind, parse_final
from drivers.base import Blame, FaultKind
from drivers.errors import AtError, CmeError, CmsError, LocalProtocolError, WireLost, WireRefused, WireTimeout
from drivers.modem.faults import CME_FAULTS, CMS_FAULTS, classify_cme, classify_cms, classify_error, is_busy

pytestmark = pytest.mark.unit

RP_CAUSES = (1, 8, 10, 11, 21, 22, 27, 28, 29, 30, 38, 41, 42, 47, 50, 69, 81, *range(95, 100), 111, 127)
TP_FCS = (
    *range(128, 131), *range(143, 146), 159, 160, 161, 175, 176, *range(192, 200), *range(208, 214),
    *range(224, 256),
)  # fmt: skip
MESSAGE_SERVICE = (*range(300, 306), *range(310, 319), 320, 321, 322, 330, 331, 332, 340, 500)
EQUIPMENT = (
    *range(8), *range(10, 19), *range(20, 28), 30, 31, 32, *range(40, 64), 100, 103, 106, 107, 108,
    *range(111, 116), 122, *range(125, 135), *range(140, 147), *range(148, 166), *range(171, 183),
)  # fmt: skip


@pytest.mark.parametrize(
    ("table", "codes"), [(CMS_FAULTS, RP_CAUSES + TP_FCS + MESSAGE_SERVICE), (CME_FAULTS, EQUIPMENT)]
)
def test_no_code_of_the_specifications_is_missing(table, codes):
    assert [code for code in codes if code not in table] == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1, FaultKind.PERMANENT),
        (21, FaultKind.TEMPORARY),
        (28, FaultKind.TEMPORARY),
        (38, FaultKind.TEMPORARY),
        (42, FaultKind.THROTTLED),
        (304, FaultKind.PERMANENT),
        (310, FaultKind.CHANNEL),
        (316, FaultKind.CONFIG),
        (331, FaultKind.CHANNEL),
        (500, FaultKind.TEMPORARY),
        (512, FaultKind.TEMPORARY),
        (99999, FaultKind.TEMPORARY),
    ],
)
def test_reaction_to_message_errors(code, kind):
    fault = classify_cms(code)
    assert (fault.kind, fault.code) == (kind, f"cms_{code}")
    assert fault.detail.endswith(".")


@pytest.mark.parametrize(
    ("code", "kind"),
    [(10, FaultKind.CHANNEL), (12, FaultKind.CONFIG), (14, FaultKind.TEMPORARY), (16, FaultKind.CONFIG)],
)
def test_reaction_to_equipment_errors(code, kind):
    assert classify_cme(code).kind is kind


def test_an_error_in_words_has_a_code_of_its_own():
    assert classify_cms(-1).code == "cms_unknown"
    assert classify_cme(-1).code == "cme_unknown"


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (CmsError(-1, "Odd thing"), 'The stick says "Odd thing" (an error without a number).'),
        (CmeError(777, "Odd thing"), 'The stick says "Odd thing" (error 777).'),
        (CmsError(350), "The stick gave error 350, which only its maker knows."),
        (CmeError(-1), "The stick gave an error without a number, which only its maker knows."),
        (AtError("COMMAND NOT SUPPORT"), 'The stick says "COMMAND NOT SUPPORT".'),
        (AtError("ERROR"), "The stick answered ERROR without a code."),
    ],
)
def test_what_no_table_knows_is_told_in_the_sticks_own_words(error, detail):
    assert classify_error(error).detail == detail


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (CmsError(310), "put a SIM in"),
        (CmeError(13), "in a telephone"),
        (CmeError(14), "starting"),
        (CmsError(331), "antenna"),
        (CmsError(330), "set smsc"),
        (CmeError(12), "PUK"),
    ],
)
def test_a_remedy_fits_the_error(error, remedy):
    assert remedy in classify_error(error).detail


@pytest.mark.parametrize(
    ("line", "code", "kind"),
    [
        ("+CMS ERROR: SIM not inserted", "cms_310", FaultKind.CHANNEL),
        ("+CME ERROR: (U)SIM PUK required", "cme_12", FaultKind.CONFIG),
        ("+CMS ERROR: Unassigned (unallocated) number", "cms_1", FaultKind.PERMANENT),
        ("+CMS ERROR: SMSC address unknown", "cms_330", FaultKind.CHANNEL),
        ("+CMS ERROR: MS not registered", "cms_331", FaultKind.CHANNEL),
        ("+CMS ERROR: congestion", "cms_42", FaultKind.THROTTLED),
    ],
)
def test_words_ask_for_the_same_reaction_as_their_number(line, code, kind):
    final = parse_final(line)
    assert final is not None
    fault = (classify_cms if final.kind is ResultKind.CMS else classify_cme)(final.code, final.detail)
    assert (fault.code, fault.kind) == (code, kind)


@pytest.mark.parametrize("words", ["SIM busy", "sim not ready", "Protocol stack busy.", "SMS not ready"])
@pytest.mark.parametrize("family", ["CME", "CMS"])
def test_a_stick_that_is_busy_may_say_so_in_words(family, words):
    final = parse_final(f"+{family} ERROR: {words}")
    assert final is not None
    assert is_busy(CmeError(final.code) if family == "CME" else CmsError(final.code))


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (CmsError(38), FaultKind.TEMPORARY, "cms_38"),
        (CmeError(10), FaultKind.CHANNEL, "cme_10"),
        (AtError("ERROR"), FaultKind.TEMPORARY, "at_error"),
        (WireLost("gone", by_peer=True), FaultKind.CHANNEL, "link_lost"),
        (WireTimeout("AT", 1.0), FaultKind.CHANNEL, "no_answer"),
        (WireRefused("PIN"), FaultKind.CONFIG, "refused"),
        (LocalProtocolError("bug"), FaultKind.CHANNEL, "protocol_error"),
    ],
)
def test_reaction_to_everything_a_port_raises(error, kind, code):
    fault = classify_error(error)
    assert (fault.kind, fault.code) == (kind, code)


@pytest.mark.parametrize(("table", "code_of"), [(CMS_FAULTS, cms_code), (CME_FAULTS, cme_code)])
def test_our_own_words_for_a_code_are_not_another_codes(table, code_of):
    for code, (_, detail) in table.items():
        assert code_of(detail) in {None, code}


@pytest.mark.parametrize(
    ("codes", "whose"),
    [
        ((1, 22, 27, 128, 195, 196), Blame.SEGMENT),
        ((8, 10, 21, 28, 29, 30, 38, 41, 47, 50, 69, 127, 300, 302, 303, 304, 500, 999), Blame.UNCLEAR),
        ((42, 192, 310, 311, 313, 316, 330, 331), Blame.CHANNEL),
    ],
)
def test_the_code_tells_whose_a_refusal_is_or_leaves_it_to_several_recipients(codes, whose):
    assert {code: classify_cms(code).whose for code in codes} == dict.fromkeys(codes, whose)
