"""Chain: the one list of rules, asked where a message comes in and again right before the wire. Pure.

Rules of texts come first: what they write is planned, counted and previewed. Rules of persons are asked in the
transaction that stores the message, with what the store knows then; those of them whose answer may change are asked
again in the transaction that claims it. A refusal ends the asking; of several pauses the longest counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final, NamedTuple, Protocol

from gateway.model.message import Category
from gateway.policy.decision import (
    ALLOW,
    Allow,
    Decision,
    Finding,
    Later,
    Refuse,
    Review,
    Rewrite,
    Warn,
    finding_of,
)
from gateway.policy.subject import Facts, Need, Subject


class Rule(Protocol):
    """What all rules have.

    Attributes:
        name: in the config and in findings.
        fixed: no setting switches it off.
    """

    name: ClassVar[str]
    fixed: ClassVar[bool]

    def concerns(self, category: Category) -> bool:
        """Whether it may say anything of messages of this category; the store is not asked for others."""
        ...


class TextRule(Rule, Protocol):
    """Looks at what stands in the request, and may write another text; asked once."""

    def decide(self, subject: Subject) -> Decision:
        """What it says of a message, whose text is as the rules before it left it."""
        ...


class PersonRule(Rule, Protocol):
    """Looks at what is known of the recipient, or at the time.

    Attributes:
        needs: what `decide` looks for in the facts.
    """

    needs: ClassVar[frozenset[Need]]

    @property
    def again(self) -> bool:
        """Whether it is asked right before the wire, too: its answer may be another one by then."""
        ...

    def decide(self, subject: Subject, facts: Facts, now: datetime) -> Decision:
        """What it says of a message.

        Args:
            now: when it is asked; ``subject.at`` is when the message may go at the earliest.
        """
        ...


class Action(StrEnum):
    """What becomes of a rule's objection where a ``[[policy]]`` table says so."""

    OFF = "off"
    WARN = "warn"
    REVIEW = "review"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One ``[[policy]]`` table. Empty conditions are met by all.

    Args:
        rule: whose name it is.
        action: what becomes of its objections.
    """

    rule: str
    action: Action
    category: frozenset[Category] = frozenset()
    key: frozenset[str] = frozenset()
    brand: frozenset[str] = frozenset()

    def meets(self, rule: str, subject: Subject) -> bool:
        """Whether it is for this rule and this message."""
        return (
            rule == self.rule
            and (not self.category or subject.category in self.category)
            and (not self.key or not self.key.isdisjoint(subject.key))
            and (not self.brand or subject.brand in self.brand)
        )


Verdict = Allow | Later | Review | Refuse


class Judgement(NamedTuple):
    """What the rules say together.

    Args:
        verdict: the gravest; a warning is none.
        text: as the message goes out.
        findings: what was said beside plain consent, in the order of the rules.
    """

    verdict: Verdict
    text: str | None
    findings: tuple[Finding, ...] = ()


class _Asked(NamedTuple):
    """The rules that messages of one kind are asked about, each with what becomes of its objections."""

    texts: tuple[tuple[TextRule, Action | None], ...]
    persons: tuple[tuple[PersonRule, Action | None], ...]
    again: tuple[tuple[PersonRule, Action | None], ...]
    needs: frozenset[Need]
    needs_again: frozenset[Need]


_MOST_KINDS: Final = 10_000
"""Of category, key and brand that are remembered; more keys than that there are hardly ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """All rules of an installation.

    Args:
        texts, persons: the rules, in the order in which they are asked.
        switches: the first that meets a rule and a message counts.
    """

    texts: Sequence[TextRule] = ()
    persons: Sequence[PersonRule] = ()
    switches: Sequence[Switch] = ()
    _kinds: dict[tuple[object, ...], _Asked] = field(default_factory=dict, repr=False, compare=False)

    def judge_text(self, subject: Subject) -> Judgement:
        """What the rules of texts say, and the text as they leave it."""
        if not self.texts:
            return Judgement(ALLOW, subject.text)
        text, findings = subject.text, []
        verdict: Verdict = ALLOW
        for rule, action in self._asked(subject).texts:
            decision = _switched(rule.decide(subject), action)
            if isinstance(decision, Allow):
                continue
            findings.append(finding_of(rule.name, decision))
            if isinstance(decision, Rewrite):
                text = decision.text
                subject = subject._replace(text=text)
            verdict = gravest(verdict, decision)
            if isinstance(verdict, Refuse):
                break
        return Judgement(verdict, text, tuple(findings))

    def judge_person(
        self, subject: Subject, facts: Facts, now: datetime, *, again: bool = False
    ) -> Judgement:
        """What the rules of persons say.

        Args:
            facts: at least what `needs` names.
            again: right before the wire.
        """
        asked = self._asked(subject)
        findings = []
        verdict: Verdict = ALLOW
        for rule, action in asked.again if again else asked.persons:
            decision = _switched(rule.decide(subject, facts, now), action)
            if isinstance(decision, Allow):
                continue
            findings.append(finding_of(rule.name, decision))
            verdict = gravest(verdict, decision)
            if isinstance(verdict, Refuse):
                break
        return Judgement(verdict, subject.text, tuple(findings))

    def explain(self, subject: Subject, facts: Facts, now: datetime) -> list[Finding]:
        """What every rule says, consent included, as if none before it had refused."""
        findings = []
        for rule, action in self._asked(subject).texts:
            decision = _switched(rule.decide(subject), action)
            if isinstance(decision, Rewrite):
                subject = subject.with_text(decision.text)
            findings.append(finding_of(rule.name, decision))
        for person, action in self._asked(subject).persons:
            decision = _switched(person.decide(subject, facts, now), action)
            findings.append(finding_of(person.name, decision))
        return findings

    def needs(self, subject: Subject, *, again: bool = False) -> frozenset[Need]:
        """What the store must be asked for before `judge_person`."""
        asked = self._asked(subject)
        return asked.needs_again if again else asked.needs

    def asks_again(self, category: Category) -> bool:
        """Whether anything may be said right before the wire of messages of a category."""
        return any(rule.again and rule.concerns(category) for rule in self.persons)

    def is_silent(self, subject: Subject) -> bool:
        """Whether no rule of persons is asked about such a message."""
        return not self._asked(subject).persons

    def _asked(self, subject: Subject) -> _Asked:
        kind = (subject.category, subject.key, subject.brand)
        found = self._kinds.get(kind)
        if found is None:
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            found = self._kinds[kind] = self._choose(subject)
        return found

    def _choose(self, subject: Subject) -> _Asked:
        texts = [(rule, self._action(rule, subject)) for rule in self.texts if _is_asked(rule, subject)]
        persons = [(rule, self._action(rule, subject)) for rule in self.persons if _is_asked(rule, subject)]
        texts = [(rule, action) for rule, action in texts if action is not Action.OFF]
        persons = [(rule, action) for rule, action in persons if action is not Action.OFF]
        again = [(rule, action) for rule, action in persons if rule.again]
        return _Asked(tuple(texts), tuple(persons), tuple(again), _needs(persons), _needs(again))

    def _action(self, rule: Rule, subject: Subject) -> Action | None:
        if rule.fixed:
            return None
        return next((s.action for s in self.switches if s.meets(rule.name, subject)), None)


def _is_asked(rule: Rule, subject: Subject) -> bool:
    """What the gateway itself writes, such as a confirmation, goes by what holds for all."""
    return rule.concerns(subject.category) and (rule.fixed or bool(subject.key))


def _needs(rules: Sequence[tuple[PersonRule, Action | None]]) -> frozenset[Need]:
    return frozenset[Need]().union(*(rule.needs for rule, _ in rules))


def _switched(decision: Decision, action: Action | None) -> Decision:
    """An objection as a ``[[policy]]`` table has it; what is no objection stays."""
    if action is None or isinstance(decision, Allow | Rewrite | Warn):
        return decision
    return _AS[action](decision.code, decision.detail)


_AS: Final[Mapping[Action, type[Warn | Review | Refuse]]] = {
    Action.WARN: Warn,
    Action.REVIEW: Review,
    Action.REFUSE: Refuse,
}


def gravest(verdict: Verdict, decision: Decision) -> Verdict:
    """The graver of two; of two pauses the longer one. A warning and another text are nothing."""
    match decision:
        case Refuse():
            return decision
        case Review():
            return verdict if isinstance(verdict, Refuse | Review) else decision
        case Later(until=until):
            if isinstance(verdict, Refuse | Review) or (
                isinstance(verdict, Later) and verdict.until >= until
            ):
                return verdict
            return decision
        case Allow() | Warn() | Rewrite():
            return verdict
