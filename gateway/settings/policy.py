"""``[[policy]]``: which rules are switched off, or otherwise obeyed, for whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal

import msgspec

from gateway.model.message import Category
from gateway.policy.chain import Action, Switch
from gateway.settings.forms import Filled, Form, list_of, one_of, parse_filled

_CATEGORIES = tuple(category.value for category in Category)
Categories = Annotated[tuple[str, ...], Form(list_of(one_of(*_CATEGORIES)))]
"""Some of the categories of messages."""
Names = Annotated[tuple[str, ...], Form(list_of(parse_filled))]
_ACTIONS = tuple(action.value for action in Action)


class PolicySettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[policy]]``: of the tables that meet a rule and a message the first counts.

    Args:
        rule: its name, as `hongyan check-message` shows it.
        action: ``off``, or what becomes of the rule's objections: ``warn``, ``review`` or ``refuse``.
        category: of the messages; empty for all.
        key: who sends them: names of API keys, ``smpp:NAME`` or ``kannel:NAME`` of accounts; empty for all.
        brand: in whose name they go; empty for all.
    """

    rule: Filled
    action: Annotated[Literal["off", "warn", "review", "refuse"], Form(one_of(*_ACTIONS))]
    category: Categories = ()
    key: Names = ()
    brand: Names = ()

    def switch(self) -> Switch:
        """The same as the chain has it."""
        return Switch(
            rule=self.rule,
            action=Action(self.action),
            category=frozenset(map(Category, self.category)),
            key=frozenset(self.key),
            brand=frozenset(self.brand),
        )


def policy_faults(tables: Iterable[PolicySettings], rules: Mapping[str, bool]) -> Iterator[tuple[str, str]]:
    """A rule that there is not, or that no setting changes.

    Args:
        rules: name -> whether it is fixed.
    """
    for i, table in enumerate(tables):
        if table.rule not in rules:
            known = ", ".join(sorted(name for name, fixed in rules.items() if not fixed))
            yield f"policy[{i}].rule", f'there is no rule "{table.rule}"; known: {known}'
        elif rules[table.rule]:
            yield f"policy[{i}].rule", f"{table.rule} holds for all; no setting changes it"
