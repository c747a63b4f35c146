"""From the config to the chain of rules: which are asked, and how they are switched."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.model.msisdn import parse_address
from gateway.policy.chain import Chain, PersonRule, TextRule
from gateway.policy.rules.opt_out import OptOut
from gateway.policy.rules.order import PERSON_RULES, TEXT_RULES
from gateway.policy.rules.words import Words
from gateway.runtime.content_rules import CONTENT, content_rules, number_rules
from gateway.settings.caps import make_frequency, make_repeats
from gateway.settings.config import Settings
from gateway.settings.hours import make_hours

RULES = (
    "policy",
    "brands",
    "words",
    "punctuation",
    "class_lock",
    "hours",
    "caps",
    "repeats",
    "routes",
    "consent",
    *CONTENT,
)
"""The tables of the config that `make_chain` reads."""


def make_chain(settings: Settings) -> Chain:
    """All rules that the config asks for, in the order of `gateway.policy.rules.order`."""
    texts, persons = list(_text_rules(settings)), list(_person_rules(settings))
    return Chain(
        texts=sorted(texts, key=lambda rule: TEXT_RULES.index(type(rule))),
        persons=sorted(persons, key=lambda rule: PERSON_RULES.index(type(rule))),
        switches=[table.switch() for table in settings.policy],
    )


def _text_rules(settings: Settings) -> Iterator[TextRule]:
    yield from content_rules(settings)
    if settings.words:
        yield Words.of([table.word_list() for table in settings.words])
    for rule in (settings.punctuation.rule(), settings.class_lock.rule()):
        if rule is not None:
            yield rule


def _person_rules(settings: Settings) -> Iterator[PersonRule]:
    yield make_opt_out(settings)
    yield from settings.consent.rules(settings.numbers.region)
    if settings.repeats:
        yield make_repeats(settings.repeats)
    if settings.caps:
        yield make_frequency(settings.caps)
    if settings.hours:
        yield make_hours(settings.hours, settings.numbers.region)
    yield from number_rules(settings)


def make_opt_out(settings: Settings) -> OptOut:
    """The rule of opt-outs. With rules of routing a message may come from anywhere, whatever group it names."""
    return OptOut({} if settings.routes else find_own_numbers(settings))


def find_own_numbers(settings: Settings) -> dict[str, frozenset[str]]:
    """Channel group -> the numbers of its channels, as inbound messages name them."""
    found: dict[str, set[str]] = {}
    for channel in settings.channels:
        number = channel.own_number
        for group in channel.groups if number else ():
            found.setdefault(group, set()).add(parse_address(number, settings.numbers.region))
    return {group: frozenset(numbers) for group, numbers in found.items()}
