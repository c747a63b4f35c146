"""The fault tables against the lists of the specifications, written down anew here."""

import pytest

from drivers.base import FaultKind
from drivers.errors import AtError, CmeError, CmsError, LocalProtocolError, WireLost, WireRefused, WireTimeout
from drivers.modem.faults import CME_FAULTS, CMS_FAULTS, classify_cme, classify_cms, classify_error

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
        (28, FaultKind.PERMANENT),
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
