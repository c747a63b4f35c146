"""From the config to the rules of signatures, content and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from gateway.policy.chain import PersonRule, TextRule
from gateway.policy.rules.number_limits import NumberLimits
from gateway.policy.rules.numbers import DeadNumbers, Sandbox
from gateway.policy.rules.opt_out_line import OptOutLineAtEnd
from gateway.policy.rules.signature import CarrierOf, SignatureFiled, SignatureInFront
from gateway.routing.routes.carriers import Carriers, Known
from gateway.settings.config import Settings
from gateway.settings.number_rules import NumberSettings, test_numbers_of
from gateway.settings.reader import known_keys
from gateway.settings.signatures import signatures_of

CONTENT: Final = (
    "signatures",
    "opt_out_lines",
    "content",
    "number_limits",
    "sandbox",
    *(f"numbers.{key}" for key in known_keys(NumberSettings) if key != "region"),
    "carriers",
)
"""The tables of the config that are read here; `[text]`, too."""


ADDED: Final = ("text", "brands", "signatures", "opt_out_lines", "carriers")
"""The tables that `added_rules` and what it adds to depend on."""


def added_rules(settings: Settings) -> Iterator[TextRule]:
    """What is added to texts."""
    if settings.signatures:
        yield SignatureInFront(signatures=signatures_of(settings.signatures))
    if settings.opt_out_lines:
        yield OptOutLineAtEnd(lines=tuple(table.line() for table in settings.opt_out_lines))


def content_rules(settings: Settings) -> Iterator[TextRule]:
    """What is added to texts, and what may be in them."""
    yield from added_rules(settings)
    yield from settings.content.rules(settings.numbers.region, settings.text.rules())


def number_rules(settings: Settings) -> Iterator[PersonRule]:
    """To which numbers anything goes, and whose carriers have filed what."""
    numbers = settings.numbers
    if settings.sandbox:
        yield Sandbox(numbers=test_numbers_of(settings.sandbox, numbers.region))
    if (rule := numbers.rule()) is not None:
        yield rule
    if numbers.dead_after:
        yield DeadNumbers(after=numbers.dead_after, retry_after=timedelta(seconds=numbers.retry_after_s))
    if settings.number_limits:
        yield NumberLimits(limits=tuple(table.number_limit() for table in settings.number_limits))
    if filed := tuple(one for one in signatures_of(settings.signatures) if one.filings):
        yield SignatureFiled(signatures=filed, carrier_of=_carrier_of(settings.carriers.load()))


def _carrier_of(carriers: Carriers) -> CarrierOf:
    def carrier_of(number: str, known: tuple[str, str] | None) -> str | None:
        return carriers.name_of(number, None if known is None else Known(*known))

    return carrier_of
