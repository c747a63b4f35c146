"""Plan: what a message's content comes to on the wire, or why it can't be sent."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.base import Encoding
from drivers.codec.segment import Plan, PlannedSegment
from drivers.codec.udh import decode_udh
from drivers.errors import DecodeError, EncodeError
from gateway.errors import FieldError
from gateway.model.request import CommonFields
from gateway.pipeline.intake.judge import Judged, judge_text
from gateway.policy.chain import Chain, Judgement
from gateway.policy.subject import Subject
from gateway.policy.text import (
    BINARY_OCTETS,
    Preview,
    TextRules,
    most_chars,
    plan_text,
    preview_plan,
    preview_text,
)

_MOST_TEXTS = 1_000
"""Judgements that are remembered within a request: a batch may have as many texts as messages."""


def plan_request(request: CommonFields, rules: TextRules, errors: list[FieldError]) -> Plan | None:
    """The plan of a message.

    Args:
        errors: gets what is wrong; then the answer is None.
    """
    if len({tag.lower() for tag in request.smpp_tlvs}) < len(request.smpp_tlvs):
        detail = "give each tag once; small and large letters are the same"
        errors.append(FieldError("/smpp_tlvs", "given_twice", detail))
        return None
    if request.data is not None:
        return _plan_binary(request, errors)
    text = _read_text(request, rules, errors)
    if text is None:
        return None
    try:
        plan = plan_text(text, request.encoding, rules, smart=request.smart)
    except EncodeError as exc:
        errors.append(FieldError("/text", "text_not_encodable", exc.reason))
        return None
    return plan if fits(plan, rules, errors) else None


def fits(plan: Plan, rules: TextRules, errors: list[FieldError]) -> bool:
    """Whether a plan has no more segments than a message may have.

    Args:
        errors: gets the fault if it has.
    """
    n = len(plan.segments)
    if n > rules.max_segments:
        errors.append(_too_long(f"needs {n} segments", rules))
    return n <= rules.max_segments


class Planner:
    """Plans the messages of one request: the same content is judged and planned once, however many get it."""

    def __init__(self, rules: TextRules) -> None:
        self._judged: dict[Subject, Judgement] = {}
        self._rules = rules
        self._last: tuple[tuple[object, ...], Plan | None, list[FieldError]] | None = None

    def judge(self, chain: Chain, subject: Subject) -> Judged:
        """See `judge_text`."""
        if len(self._judged) > _MOST_TEXTS:
            self._judged.clear()
        return judge_text(chain, subject, self._judged)

    def plan(self, request: CommonFields, errors: list[FieldError]) -> Plan | None:
        """See `plan_request`."""
        content = (
            request.text,
            request.encoding,
            request.smart,
            request.data,
            request.udh,
            request.smpp_tlvs,
        )
        if self._last is None or self._last[0] != content:
            faults: list[FieldError] = []
            self._last = content, plan_request(request, self._rules, faults), faults
        errors += self._last[2]
        return self._last[1]


def _too_long(what: str, rules: TextRules) -> FieldError:
    allowed = f"a message may have {rules.max_segments} here"
    detail = f"{what}, {allowed}; write a shorter text, or raise max_segments of [text] in the config"
    return FieldError("/text", "text_too_long", detail)


def name_share(errors: Sequence[FieldError], came: str | None, goes: str | None) -> Sequence[FieldError]:
    """What is wrong with a text, and how much of it the rules have added where it is too long.

    Args:
        came: the text as its sender wrote it.
        goes: the same as it would go out.
    """
    if came == goes or came is None or goes is None:
        return errors
    added = len(goes) - len(came)
    return [
        error._replace(
            detail=f"{error.detail}; {added} of its {len(goes)} characters are what the gateway adds:"
            " the signature, and how to opt out"
        )
        if error.code == "text_too_long" and added > 0
        else error
        for error in errors
    ]


def preview_request(request: CommonFields, rules: TextRules, errors: list[FieldError]) -> Preview | None:
    """The same as `plan_request`, for people."""
    plan = plan_request(request, rules, errors)
    if plan is None:
        return None
    if request.text is None:
        return preview_plan(plan, header_octets=len(request.udh or "") // 2)
    return preview_text(request.text, request.encoding, rules, smart=request.smart)


def _read_text(request: CommonFields, rules: TextRules, errors: list[FieldError]) -> str | None:
    if not request.text:
        errors.append(FieldError("/text", "empty_text", "write a text, or data for a binary message"))
    elif request.udh is not None:
        errors.append(FieldError("/udh", "needs_data", "udh goes with data; texts get their own header"))
    elif len(request.text) > most_chars(rules, smart=request.smart):
        errors.append(_too_long(f"{len(request.text)} characters are more segments than that", rules))
    else:
        return request.text
    return None


def _plan_binary(request: CommonFields, errors: list[FieldError]) -> Plan | None:
    data, udh = bytes.fromhex(request.data or ""), bytes.fromhex(request.udh or "")
    if request.text is not None:
        errors.append(FieldError("/data", "text_and_data", "send either text or data"))
    elif not data and not udh:
        errors.append(FieldError("/data", "empty_data", "write at least one octet in hex"))
    elif len(data) + len(udh) > BINARY_OCTETS:
        errors.append(
            FieldError("/data", "data_too_long", f"udh and data together hold {BINARY_OCTETS} octets")
        )
    elif fault := _find_udh_fault(udh):
        errors.append(FieldError("/udh", "bad_udh", f"not a user data header: {fault}"))
    else:
        return Plan(encoding=Encoding.BINARY, segments=(PlannedSegment(text="", payload=data),))
    return None


def _find_udh_fault(udh: bytes) -> str:
    """What is wrong with a header; empty if nothing, or if there is none."""
    if not udh:
        return ""
    try:
        decode_udh(udh)
    except DecodeError as exc:
        return exc.reason
    if len(udh) != udh[0] + 1:
        return f"announces {udh[0]} octets, {len(udh) - 1} are there; what follows it goes into data"
    return ""
