"""``[consent]``: whose agreement marketing needs, how it is asked for, and how long the proof is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from gateway.model.consent import MARKETING
from gateway.policy.rules.consent import Consent
from gateway.policy.rules.first_message import FirstMessage
from gateway.settings.forms import BadValue, Flag, Form, Text, parse_name, show
from gateway.settings.retention import DAY_S, Keep

LEAST_KEPT_S = 155 * DAY_S
"""Five months."""
_NEEDED_IN = frozenset({"CN"})
"""Regions whose law asks for consent before marketing, and for the proof of it."""


def parse_required(value: object) -> bool | Literal["auto"]:
    """``true``, ``false`` or ``"auto"``."""
    if value == "auto":
        return "auto"
    if isinstance(value, bool):
        return value
    raise BadValue(f'{show(value)} will not do; write true, false or "auto"')


class ConsentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[consent]``: see `docs/consent.md`.

    Args:
        required: whether marketing needs consent; ``auto``: where ``numbers.region`` is CN.
        purpose: of the consent that marketing needs, and of one that names no other.
        first_message_marketing: false: the first message to a new contact can't be marketing.
        double_opt_in: a consent that comes over the API or from a file is only asked for: the person has to confirm it.
        question: what the person is asked then.
        valid_for_s: how long a consent holds that has no expiry of its own; 0 is for ever.
        keep_s: how long it is kept what once held, after something else took its place; 0 is for ever.
    """

    required: Annotated[bool | Literal["auto"], Form(parse_required)] = "auto"
    purpose: Annotated[str, Form(parse_name)] = MARKETING
    first_message_marketing: Flag = True
    double_opt_in: Flag = False
    question: Text = "回复YES同意接收我们的优惠信息,回复TD拒绝。"
    valid_for_s: Keep = msgspec.field(default=0.0, name="valid_for")
    keep_s: Keep = msgspec.field(default=5 * 366 * DAY_S, name="keep")

    def faults(self) -> Iterator[tuple[str, str]]:
        """Proof is kept long enough, and a question asks something."""
        if 0 < self.keep_s < LEAST_KEPT_S:
            yield "keep", 'is less than five months; write "155d" or more, or "never" to keep it for ever'
        if self.double_opt_in and not self.question.strip():
            yield "question", "is empty, and double_opt_in asks it; write what a person is asked"

    def is_required(self, region: str) -> bool:
        """Whether marketing needs consent."""
        return region in _NEEDED_IN if self.required == "auto" else self.required

    def rules(self, region: str) -> Iterator[Consent | FirstMessage]:
        """Those that ask for anything."""
        if self.is_required(region):
            yield Consent(purpose=self.purpose)
        if not self.first_message_marketing:
            yield FirstMessage()
