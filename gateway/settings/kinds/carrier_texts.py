"""What a carrier wants texts to look like: the settings, and the same as the SMPP driver takes it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from drivers.smpp.alphabet import Alphabet, TextPlan
from gateway.settings.forms import Form, one_of, whole_number

_DataCoding = Annotated[int, Form(whole_number(0, 255))]


class CarrierTexts(msgspec.Struct, frozen=True, kw_only=True):
    """The part of ``[[smpp]]`` that is about texts.

    Args:
        alphabet: how texts in GSM-7 characters are written: gsm7 (a code an octet), gsm7-packed (eight codes in
            seven octets), latin1 or ascii.
        data_coding: the number sent with such texts; None for the one that belongs to the alphabet.
        ucs2_data_coding: the number sent with texts in UCS-2.
        binary_data_coding: the number sent with binary messages.
    """

    alphabet: Annotated[
        Literal["gsm7", "gsm7-packed", "latin1", "ascii"],
        Form(one_of("gsm7", "gsm7-packed", "latin1", "ascii")),
    ] = "gsm7"
    data_coding: _DataCoding | None = None
    ucs2_data_coding: _DataCoding = 8
    binary_data_coding: _DataCoding = 4


def make_text_plan(settings: CarrierTexts) -> TextPlan:
    """What the driver is told."""
    return TextPlan(
        alphabet=Alphabet(settings.alphabet),
        data_coding=settings.data_coding,
        ucs2_data_coding=settings.ucs2_data_coding,
        binary_data_coding=settings.binary_data_coding,
    )
