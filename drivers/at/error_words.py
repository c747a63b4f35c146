"""Errors in words: what sticks say in place of a number when AT+CMEE is 2, or always.

The words are those of the specifications, and what makers have made of them. Spelling does not matter: letters and
digits count, and ``(U)SIM`` is ``SIM``.
"""

from __future__ import annotations

import re

_CME: dict[int, tuple[str, ...]] = {
    # 3GPP TS 27.007 9.2, and makers' own.
    0: ("phone failure", "ME failure", "MT failure"),
    1: ("no connection to phone",),
    2: ("phone adaptor link reserved",),
    3: ("operation not allowed", "operation temporary not allowed"),
    4: ("operation not supported", "command not supported", "not supported"),
    5: ("PH SIM PIN required", "phone SIM PIN required"),
    6: ("PH FSIM PIN required",),
    7: ("PH FSIM PUK required",),
    10: (
        "SIM not inserted", "SIM not present", "SIM absent", "SIM card not inserted", "SIM missing", "no SIM",
        "no SIM card", "SIM removed",
    ),
    11: ("SIM PIN required", "SIM PIN", "PIN required", "SIM locked"),
    12: ("SIM PUK required", "SIM PUK", "PUK required", "SIM blocked"),
    13: ("SIM failure", "SIM error", "SIM card failure"),
    14: (
        "SIM busy", "SIM not ready", "SIM card not ready", "SIM initializing", "SMS not ready", "busy",
        "protocol stack busy", "please wait", "init in progress", "please wait init or command in progress",
        "service not ready", "SMS service not ready", "not ready",
    ),
    15: ("SIM wrong", "wrong SIM"),
    16: ("incorrect password", "wrong password", "incorrect PIN", "wrong PIN"),
    17: ("SIM PIN2 required", "SIM PIN2"),
    18: ("SIM PUK2 required", "SIM PUK2"),
    20: ("memory full", "SIM memory full"),
    21: ("invalid index", "invalid memory index"),
    22: ("not found", "no record", "empty record"),
    23: ("memory failure",),
    24: ("text string too long",),
    25: ("invalid characters in text string", "invalid character in text string"),
    26: ("dial string too long",),
    27: ("invalid characters in dial string", "invalid character in dial string"),
    30: ("no network service", "no service", "not registered", "MS not registered", "no network"),
    31: (
        "network timeout", "timeout", "timer expired", "network no response", "no network response", "no response",
        "no response from network", "network did not respond",
    ),
    32: (
        "network not allowed emergency calls only", "network not allowed, emergency call only",
        "emergency calls only", "emergency call only",
    ),
    40: ("network personalization PIN required",),
    41: ("network personalization PUK required",),
    42: ("network subset personalization PIN required",),
    43: ("network subset personalization PUK required",),
    44: ("service provider personalization PIN required",),
    45: ("service provider personalization PUK required",),
    46: ("corporate personalization PIN required",),
    47: ("corporate personalization PUK required",),
    48: ("hidden key required",),
    50: ("incorrect parameters", "invalid parameter", "invalid parameters", "invalid input value"),
    51: ("command implemented but currently disabled",),
    52: ("command aborted by user", "command aborted"),
    53: ("not attached to network due to MT functionality restrictions",),
    54: ("modem not allowed, MT restricted to emergency calls only",),
    55: ("operation not allowed because of MT functionality restrictions",),
    56: ("fixed dial number only allowed",),
    57: ("temporarily out of service due to other MT usage",),
    58: ("language/alphabet not supported",),
    60: ("system failure",),
    62: ("call barring",),
    100: ("unknown", "unknown error", "unspecified error"),
    103: ("illegal MS",),
    106: ("illegal ME",),
    111: ("PLMN not allowed",),
    112: ("location area not allowed",),
    113: ("roaming not allowed in this location area",),
}  # fmt: skip

_CMS: dict[int, tuple[str, ...]] = {
    # RP-cause and TP-FCS, by 3GPP TS 24.011 E-2 and TS 23.040 9.2.3.22; the stick itself, by TS 27.005 3.2.5.
    1: ("unassigned (unallocated) number", "unassigned number", "unallocated number"),
    8: ("operator determined barring",),
    10: ("call barred",),
    17: ("network failure",),
    21: ("short message transfer rejected", "message rejected"),
    22: ("congestion or memory capacity exceeded",),
    27: ("destination out of service", "destination out of order"),
    28: ("unidentified subscriber",),
    29: ("facility rejected",),
    30: ("unknown subscriber",),
    38: ("network out of order",),
    41: ("temporary failure",),
    42: ("congestion",),
    47: ("resources unavailable, unspecified", "resources unavailable"),
    50: ("requested facility not subscribed",),
    69: ("requested facility not implemented",),
    81: ("invalid short message transfer reference value", "invalid transaction identifier value"),
    95: ("invalid message, unspecified", "semantically incorrect message", "semantically incorrect"),
    96: ("invalid mandatory information",),
    97: ("message type non-existent or not implemented", "message type not implemented"),
    98: (
        "message not compatible with short message protocol state",
        "message not compatible with protocol state",
    ),
    99: ("information element non-existent or not implemented", "information element not implemented"),
    111: ("protocol error, unspecified", "protocol error"),
    127: ("interworking, unspecified", "interworking unspecified"),
    128: ("telematic interworking not supported", "telematic interworking unsupported"),
    129: ("short message type 0 not supported", "short message type 0 unsupported"),
    130: ("cannot replace short message",),
    143: ("unspecified TP-PID error",),
    144: ("data coding scheme (alphabet) not supported", "alphabet not supported"),
    145: ("message class not supported",),
    159: ("unspecified TP-DCS error",),
    160: ("command cannot be actioned",),
    161: ("command unsupported",),
    175: ("unspecified TP-command error",),
    176: ("TPDU not supported",),
    192: ("SC busy", "service centre busy", "service center busy"),
    193: ("no SC subscription",),
    194: ("SC system failure",),
    195: ("invalid SME address",),
    196: ("destination SME barred",),
    197: ("SM rejected duplicate SM",),
    198: ("TP-VPF not supported",),
    199: ("TP-VP not supported",),
    208: ("SIM SMS storage full",),
    209: ("no SMS storage capability in SIM",),
    210: ("error in MS",),
    211: ("memory capacity exceeded",),
    212: ("SIM application toolkit busy",),
    213: ("SIM data download error",),
    255: ("unspecified error cause",),
    301: ("SMS service of ME reserved", "SMS ME reserved"),
    304: ("invalid PDU mode parameter", "invalid character in PDU", "invalid length"),
    305: ("invalid text mode parameter",),
    322: ("storage full",),
    330: (
        "SMSC address unknown", "SMSC unknown", "SCA unknown", "service centre address unknown",
        "service center address unknown", "unknown SMSC address", "no SMSC address",
    ),
    340: ("no +CNMA acknowledgement expected", "CNMA acknowledgement expected"),
}  # fmt: skip

_CMS_OF_CME = {
    0: 300, 3: 302, 4: 303, 5: 312, 10: 310, 11: 311, 12: 316, 13: 313, 14: 314, 15: 315, 17: 317, 18: 318, 20: 322,
    21: 321, 23: 320, 30: 331, 31: 332, 50: 305, 100: 500,
}  # fmt: skip
"""The same trouble in both families: many sticks use the words of either in the other."""


def _plain(words: str) -> str:
    words = words.lower().replace("(u)sim", "sim").replace("usim", "sim").replace("necessary", "required")
    return " ".join(re.findall(r"[a-z0-9]+", words))


def _by_words(table: dict[int, tuple[str, ...]]) -> dict[str, int]:
    return {_plain(words): code for code, spellings in table.items() for words in spellings}


_CME_CODES = _by_words(_CME)
_CMS_CODES = {
    **{words: _CMS_OF_CME[code] for words, code in _CME_CODES.items() if code in _CMS_OF_CME},
    **_by_words(_CMS),
}


def cme_code(words: str) -> int | None:
    """The number of a ``+CME ERROR`` that was told in words; None for unknown words.

    >>> cme_code("(U)SIM not inserted")
    10
    """
    return _CME_CODES.get(_plain(words))


def cms_code(words: str) -> int | None:
    """The number of a ``+CMS ERROR`` that was told in words; None for unknown words.

    >>> cms_code("SIM busy")
    314
    """
    return _CMS_CODES.get(_plain(words))
