"""From error codes of sticks and networks to the reaction asked for: one table per family.

Codes that stand in no table (vendor ones, and those above the specified ranges) are TEMPORARY: the same
channel may try again, and the attempt limit ends it.
"""

from __future__ import annotations

from drivers.base import Blame, Fault, FaultKind
from drivers.errors import AtError, CmeError, CmsError, DriverError, WireError, WireLost, WireTimeout

_TEMPORARY = FaultKind.TEMPORARY
_THROTTLED = FaultKind.THROTTLED
_CHANNEL = FaultKind.CHANNEL
_PERMANENT = FaultKind.PERMANENT
_CONFIG = FaultKind.CONFIG

CMS_NETWORK_TIMEOUT, CME_NETWORK_TIMEOUT, CMS_UNKNOWN = 332, 31, 500

CMS_FAULTS: dict[int, tuple[FaultKind, str]] = {
    # RP-cause of the network, 3GPP TS 24.011 E-2.
    1: (_PERMANENT, "unassigned number"),
    8: (_CHANNEL, "operator determined barring"),  # of this SIM: it may not send
    10: (_CHANNEL, "call barred for this SIM"),
    11: (_TEMPORARY, "reserved"),
    17: (_TEMPORARY, "network failure"),
    # Many networks say one of these two when the SIM has no credit or is not known (24.011 E-2, 28 of the sender).
    21: (_TEMPORARY, "short message transfer rejected"),
    22: (_TEMPORARY, "congestion, or memory capacity exceeded"),
    27: (_TEMPORARY, "destination out of service"),
    28: (_TEMPORARY, "unidentified subscriber"),
    29: (_CHANNEL, "facility rejected"),
    30: (_CHANNEL, "this SIM is unknown to the network"),
    38: (_TEMPORARY, "network out of order"),
    41: (_TEMPORARY, "temporary failure"),
    42: (_THROTTLED, "congestion"),
    47: (_TEMPORARY, "resources unavailable"),
    50: (_CHANNEL, "requested facility not subscribed"),
    69: (_CHANNEL, "requested facility not implemented"),
    81: (_TEMPORARY, "invalid short message transfer reference"),
    95: (_PERMANENT, "semantically incorrect message"),
    96: (_PERMANENT, "invalid mandatory information"),
    97: (_PERMANENT, "message type non-existent or not implemented"),
    98: (_TEMPORARY, "message not compatible with the state of the protocol"),
    99: (_PERMANENT, "information element non-existent or not implemented"),
    111: (_TEMPORARY, "protocol error"),
    127: (_TEMPORARY, "interworking, unspecified"),
    # TP-FCS of the service centre, 3GPP TS 23.040 9.2.3.22.
    128: (_PERMANENT, "telematic interworking not supported"),
    129: (_PERMANENT, "short message type 0 not supported"),
    130: (_PERMANENT, "cannot replace short message"),
    143: (_PERMANENT, "unspecified TP-PID error"),
    144: (_PERMANENT, "alphabet not supported"),
    145: (_PERMANENT, "message class not supported"),
    159: (_PERMANENT, "unspecified TP-DCS error"),
    160: (_PERMANENT, "command cannot be actioned"),
    161: (_PERMANENT, "command unsupported"),
    175: (_PERMANENT, "unspecified TP-command error"),
    176: (_PERMANENT, "TPDU not supported"),
    192: (_THROTTLED, "service centre busy"),
    193: (_CHANNEL, "no subscription at the service centre"),
    194: (_TEMPORARY, "service centre system failure"),
    195: (_PERMANENT, "invalid recipient address"),
    196: (_PERMANENT, "recipient barred"),
    197: (_PERMANENT, "rejected as a duplicate"),
    198: (_PERMANENT, "TP-VPF not supported"),
    199: (_PERMANENT, "TP-VP not supported"),
    208: (_TEMPORARY, "SIM storage full"),
    209: (_CHANNEL, "no storage capability in the SIM"),
    210: (_TEMPORARY, "error in the mobile station"),
    211: (_TEMPORARY, "memory capacity exceeded"),
    212: (_TEMPORARY, "SIM application toolkit busy"),
    213: (_TEMPORARY, "SIM data download error"),
    **dict.fromkeys(range(224, 255), (_TEMPORARY, "application specific error")),
    255: (_TEMPORARY, "unspecified error cause"),
    # The stick itself, 3GPP TS 27.005 3.2.5.
    300: (_CHANNEL, "stick failure"),
    301: (_CHANNEL, "message service of the stick is reserved"),
    302: (_CHANNEL, "operation not allowed"),
    303: (_CHANNEL, "operation not supported"),
    304: (_PERMANENT, "invalid PDU mode parameter"),
    305: (_PERMANENT, "invalid text mode parameter"),
    310: (_CHANNEL, "SIM not inserted"),
    311: (_CHANNEL, "SIM PIN required"),
    312: (_CONFIG, "PH-SIM PIN required"),
    313: (_CHANNEL, "SIM failure"),
    314: (_TEMPORARY, "SIM busy"),
    315: (_CONFIG, "SIM wrong"),
    316: (_CONFIG, "SIM PUK required"),
    317: (_CHANNEL, "SIM PIN2 required"),
    318: (_CHANNEL, "SIM PUK2 required"),
    320: (_TEMPORARY, "memory failure"),
    321: (_TEMPORARY, "invalid memory index"),
    322: (_TEMPORARY, "memory full"),
    330: (_CHANNEL, "service centre address unknown"),
    331: (_CHANNEL, "no network service"),
    # See `drivers.modem.messages.outbound`: behind a PDU this is no answer but the lack of one.
    CMS_NETWORK_TIMEOUT: (_TEMPORARY, "network timeout"),
    340: (_TEMPORARY, "no acknowledgement expected"),
    500: (_TEMPORARY, "unknown error"),
}
"""``+CMS ERROR`` codes."""

CME_FAULTS: dict[int, tuple[FaultKind, str]] = {
    # General, 3GPP TS 27.007 9.2.1.
    0: (_CHANNEL, "stick failure"),
    1: (_CHANNEL, "no connection to the stick"),
    2: (_CHANNEL, "adaptor link reserved"),
    3: (_CHANNEL, "operation not allowed"),
    4: (_CHANNEL, "operation not supported"),
    5: (_CONFIG, "PH-SIM PIN required"),
    6: (_CONFIG, "PH-FSIM PIN required"),
    7: (_CONFIG, "PH-FSIM PUK required"),
    10: (_CHANNEL, "SIM not inserted"),
    11: (_CHANNEL, "SIM PIN required"),
    12: (_CONFIG, "SIM PUK required"),
    13: (_CHANNEL, "SIM failure"),
    14: (_TEMPORARY, "SIM busy"),
    15: (_CONFIG, "SIM wrong"),
    16: (_CONFIG, "incorrect password"),
    17: (_CHANNEL, "SIM PIN2 required"),
    18: (_CHANNEL, "SIM PUK2 required"),
    20: (_TEMPORARY, "memory full"),
    21: (_TEMPORARY, "invalid index"),
    22: (_TEMPORARY, "not found"),
    23: (_TEMPORARY, "memory failure"),
    24: (_PERMANENT, "text string too long"),
    25: (_PERMANENT, "invalid characters in text string"),
    26: (_PERMANENT, "dial string too long"),
    27: (_PERMANENT, "invalid characters in dial string"),
    30: (_CHANNEL, "no network service"),
    CME_NETWORK_TIMEOUT: (_TEMPORARY, "network timeout"),
    32: (_CHANNEL, "network allows emergency calls only"),
    **dict.fromkeys(
        range(40, 48), (_CONFIG, "personalization lock: a PIN or PUK of the operator is required")
    ),
    48: (_CONFIG, "hidden key required"),
    49: (_CHANNEL, "EAP method not supported"),
    50: (_PERMANENT, "incorrect parameters"),
    51: (_CHANNEL, "command disabled"),
    52: (_TEMPORARY, "command aborted"),
    53: (_CHANNEL, "not attached to the network"),
    54: (_CHANNEL, "restricted to emergency calls"),
    55: (_CHANNEL, "restricted functionality"),
    56: (_PERMANENT, "only fixed dial numbers are allowed"),
    57: (_TEMPORARY, "out of service for another use"),
    58: (_PERMANENT, "alphabet not supported"),
    59: (_PERMANENT, "unexpected data value"),
    60: (_TEMPORARY, "system failure"),
    61: (_PERMANENT, "data missing"),
    62: (_CHANNEL, "call barred"),
    63: (_TEMPORARY, "message waiting subscription failure"),
    100: (_TEMPORARY, "unknown"),
    # The network's rejections and packet service, 9.2.2: they concern the SIM, not the segment.
    **dict.fromkeys((103, 106), (_CONFIG, "the network bans this SIM or stick")),
    **dict.fromkeys(
        (107, 108, 111, 112, 113, 114, 115, 125), (_CHANNEL, "not allowed in this network or place")
    ),
    122: (_THROTTLED, "congestion"),
    126: (_TEMPORARY, "insufficient resources"),
    **dict.fromkeys((*range(127, 135), *range(140, 147)), (_CHANNEL, "packet service refused")),
    148: (_TEMPORARY, "unspecified packet service error"),
    149: (_CHANNEL, "packet service authentication failure"),
    150: (_CHANNEL, "invalid mobile class"),
    # Group calls, 9.2.3.
    **dict.fromkeys((151, 152, 153, 154, 155, 156), (_CHANNEL, "group call refused")),
    157: (_THROTTLED, "congestion"),
    158: (_TEMPORARY, "network failure"),
    159: (_TEMPORARY, "uplink busy"),
    **dict.fromkeys(range(160, 166), (_CHANNEL, "group call refused")),
    171: (_CHANNEL, "last packet connection must stay"),
    **dict.fromkeys(range(172, 177), (_TEMPORARY, "protocol error")),
    177: (_CHANNEL, "operator determined barring"),
    **dict.fromkeys(range(178, 182), (_CHANNEL, "packet service refused")),
    182: (_THROTTLED, "control plane congested"),
}
"""``+CME ERROR`` codes."""

_NO_SIM, _BAD_SIM = "put a SIM in, or check that it sits well", "try the SIM in a telephone"
_PIN, _PUK = "set pin to the SIM's PIN", "open the SIM in a telephone with its PUK"
_NO_NETWORK = "check antenna and signal, and that the SIM is active and paid for"
_OPERATOR, _ROOM = "ask the operator what this SIM may do", "delete messages from the SIM and the stick"
_REMEDIES = {
    "cms_8": _OPERATOR, "cms_10": _OPERATOR, "cms_28": _OPERATOR, "cms_29": _OPERATOR, "cms_30": _OPERATOR,
    "cms_50": _OPERATOR, "cms_69": _OPERATOR, "cms_193": _OPERATOR, "cme_62": _OPERATOR, "cme_103": _OPERATOR,
    "cme_106": _OPERATOR,
    "cms_310": _NO_SIM, "cme_10": _NO_SIM, "cms_313": _BAD_SIM, "cme_13": _BAD_SIM,
    "cms_311": _PIN, "cme_11": _PIN, "cms_316": _PUK, "cme_12": _PUK,
    "cms_314": "it may be starting", "cme_14": "it may be starting",
    "cms_208": _ROOM, "cms_322": _ROOM, "cme_20": _ROOM,
    "cms_330": 'set smsc = "+..." to the operator\'s service centre',
    "cms_331": _NO_NETWORK, "cme_30": _NO_NETWORK, "cme_32": _NO_NETWORK,
}  # fmt: skip
"""What a person can do, where the error says what is wrong."""
_BLAME = {
    **{
        f"cms_{code}": Blame.UNCLEAR
        for code in (8, 10, 29, 30, 50, 69, 95, 96, 97, 99, 193, 300, 302, 303, 304, 305)
    },
    **{f"cme_{code}": Blame.UNCLEAR for code in (0, 3, 4, 50, 51, 62, 177)},
    "cms_22": Blame.SEGMENT,
    "cms_27": Blame.SEGMENT,
}
"""Where it is not what the kind says. The unclear ones come for one recipient from some networks, and for a SIM
without credit or a stick without its settings from others. 22 and 27 are about the recipient though they may pass."""

SIM_GONE = frozenset({"cms_310", "cms_311", "cms_313", "cms_316", "cme_10", "cme_11", "cme_12", "cme_13"})
"""Faults after which the stick must be brought up again: it lost its SIM or has restarted."""


_BUSY = frozenset({14, 314, 515})
"""Of both kinds. 515 is of Wavecom's and Sierra's sticks: they are still starting."""


def is_busy(error: DriverError) -> bool:
    """Whether a refusal is one of the moment: the same command may succeed a little later."""
    return isinstance(error, CmeError | CmsError) and error.code in _BUSY


def classify_cms(code: int, words: str = "") -> Fault:
    """The fault for a ``+CMS ERROR``; total.

    Args:
        code: the number; -1 for words that nobody knows.
        words: the stick's own, fit to be shown.
    """
    return _classify("cms", CMS_FAULTS, code, words)


def classify_cme(code: int, words: str = "") -> Fault:
    """The fault for a ``+CME ERROR``; total. Its arguments are those of `classify_cms`."""
    return _classify("cme", CME_FAULTS, code, words)


def _classify(family: str, table: dict[int, tuple[FaultKind, str]], code: int, words: str) -> Fault:
    kind, detail = table.get(code, (_TEMPORARY, _unknown(code, words)))
    name = f"{family}_{'unknown' if code < 0 else code}"
    remedy = _REMEDIES.get(name)
    sentence = _sentence(f"{detail}; {remedy}" if remedy else detail)
    return Fault(kind=kind, code=name, detail=sentence, blame=_BLAME.get(name))


def _unknown(code: int, words: str) -> str:
    """What can be said of an error that stands in no table: the stick's own words, if it has any."""
    number = "an error without a number" if code < 0 else f"error {code}"
    return (
        f'the stick says "{words}" ({number})'
        if words
        else f"the stick gave {number}, which only its maker knows"
    )


def classify_error(error: DriverError) -> Fault:
    """The fault for anything that `drivers.at.port` raises; total."""
    match error:
        case CmsError():
            return classify_cms(error.code, error.detail)
        case CmeError():
            return classify_cme(error.code, error.detail)
        case AtError():
            is_bare = str(error) in {"", "ERROR"}
            detail = _sentence(
                "the stick answered ERROR without a code" if is_bare else f'the stick says "{error}"'
            )
            return Fault(kind=_TEMPORARY, code="at_error", detail=detail)
        case WireLost():
            return Fault(kind=_CHANNEL, code="link_lost", detail=_sentence(str(error)))
        case WireTimeout():
            return Fault(kind=_CHANNEL, code="no_answer", detail=_sentence(str(error)))
        case WireError():
            return Fault(kind=_CONFIG, code="refused", detail=_sentence(str(error)))
        case _:
            return Fault(kind=_CHANNEL, code="protocol_error", detail=_sentence(str(error)))


def _sentence(detail: str) -> str:
    return f"{detail[:1].upper()}{detail[1:]}."
