"""All faults of sticks and SMSCs at random, each kind often enough to matter and seldom enough to go on."""

from __future__ import annotations

from typing import Any

from simulators.faults import ModemFault, Point, SmscFault

M, S = ModemFault, SmscFault

MODEM_WEATHER: tuple[dict[str, Any], ...] = (
    {"kind": M.ECHO_STUCK, "probability": 0.005, "lasts_s": 10},
    {"kind": M.SPLIT, "probability": 0.01, "lasts_s": 5},
    {"kind": M.INTERLEAVE, "probability": 0.03, "text": "+CREG: 1"},
    {"kind": M.NO_PROMPT, "probability": 0.01},
    {"kind": M.BARE_PROMPT, "probability": 0.05},
    {"kind": M.LATE_OK, "probability": 0.02, "delay_s": 1.5},
    {"kind": M.LATE_OK, "probability": 0.003, "delay_s": 4.5},
    {"kind": M.TWO_FINALS, "probability": 0.01},
    {"kind": M.CMS_ERROR, "probability": 0.02, "code": 38},
    {"kind": M.CMS_ERROR, "every": 60, "burst": 3, "code": 42},
    # Not in answer to AT+CPIN: a PIN that brought an error is never entered again, and that ends a stick's day.
    {"kind": M.CME_ERROR, "probability": 0.01, "code": 100, "match": "+CREG"},
    {"kind": M.CME_ERROR, "probability": 0.002, "code": 100, "match": "+CMG"},
    {"kind": M.CME_ERROR, "probability": 0.01, "code": 100, "match": "+CPMS"},
    {"kind": M.BUSY, "probability": 0.005, "lasts_s": 3},
    {"kind": M.PIN_LOCK, "probability": 0.003, "text": "1234"},
    {"kind": M.DEREGISTERED, "probability": 0.01, "lasts_s": 5},
    {"kind": M.STORAGE_FULL, "probability": 0.01, "lasts_s": 5},
    {"kind": M.STORAGE_FILLED, "probability": 0.003},
    {"kind": M.RECEIPT_LOST, "probability": 0.01},
    {"kind": M.RECEIPT_TWICE, "probability": 0.02},
    {"kind": M.RECEIPT_LATE, "probability": 0.05, "delay_s": 4},
    {"kind": M.PARTS_SWAPPED, "probability": 0.1},
    {"kind": M.MESSAGE_TWICE, "probability": 0.05},
    {"kind": M.HANG, "probability": 0.002, "lasts_s": 8},
    {"kind": M.HANG, "probability": 0.003, "at": Point.PROMPT, "lasts_s": 8},
    {"kind": M.HANG, "probability": 0.003, "at": Point.PDU, "lasts_s": 8},
    {"kind": M.HANG, "probability": 0.003, "at": Point.ANSWER, "lasts_s": 8},
    {"kind": M.REBOOT, "probability": 0.003},
    {"kind": M.REBOOT, "probability": 0.002, "at": Point.PDU},
    {"kind": M.DISAPPEAR, "probability": 0.003},
    {"kind": M.DISAPPEAR, "probability": 0.002, "at": Point.ANSWER},
    {"kind": M.REENUMERATE, "probability": 0.003},
    {"kind": M.GARBAGE, "probability": 0.01},
    {"kind": M.GARBLE, "probability": 0.001},
    {"kind": M.SLOW_LINE, "probability": 0.005, "lasts_s": 5, "count": 19_200},
    {"kind": M.LATENCY, "probability": 0.01, "lasts_s": 5, "delay_s": 1},
    {"kind": M.MR_JUMP, "probability": 0.003, "code": 250},
)
"""Per stick: probabilities are of a second, a segment, a command or whatever the occasion is."""

SMSC_WEATHER: tuple[dict[str, Any], ...] = (
    {"kind": S.REFUSE_BIND, "probability": 0.3},
    {"kind": S.THROTTLE, "every": 80, "burst": 4},
    {"kind": S.SUBMIT_ERROR, "probability": 0.01, "code": 8},
    {"kind": S.SMALL_WINDOW, "probability": 0.01, "lasts_s": 4, "count": 2},
    {"kind": S.RESPONSE_LATE, "probability": 0.02, "delay_s": 1},
    {"kind": S.RESPONSE_LATE, "probability": 0.003, "delay_s": 4},
    {"kind": S.RESPONSE_LOST, "probability": 0.005},
    {"kind": S.RESPONSE_TWICE, "probability": 0.01},
    {"kind": S.WRONG_SEQUENCE, "probability": 0.003},
    {"kind": S.REORDER, "probability": 0.05},
    {"kind": S.RECEIPT_EARLY, "probability": 0.05},
    {"kind": S.RECEIPT_LATE, "probability": 0.05, "delay_s": 4},
    {"kind": S.RECEIPT_TWICE, "probability": 0.03},
    {"kind": S.RECEIPT_LOST, "probability": 0.01},
    {"kind": S.RECEIPT_DIALECT, "probability": 0.1, "text": "hex"},
    {"kind": S.RECEIPT_DIALECT, "probability": 0.05, "text": "upper+capitals"},
    {"kind": S.RECEIPT_DIALECT, "probability": 0.05, "text": "padded+comma+no_tlv"},
    {"kind": S.UNKNOWN_TLV, "probability": 0.05},
    {"kind": S.OVERSIZE, "probability": 0.001},
    {"kind": S.GARBAGE, "probability": 0.001},
    {"kind": S.ENQUIRE_IGNORED, "probability": 0.005, "lasts_s": 12},
    {"kind": S.HALF_OPEN, "probability": 0.004, "lasts_s": 6},
    {"kind": S.DISCONNECT, "probability": 0.01},
    {"kind": S.UNBIND, "probability": 0.01},
    {"kind": S.MO_FLOOD, "probability": 0.01, "count": 20},
)
"""For the SMSC."""
