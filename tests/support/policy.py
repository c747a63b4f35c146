"""Rules that say what a test wants, and how they come into a rig."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

import msgspec

from gateway.ids import KeyId
from gateway.model.message import ApiKey, Category, Message, Scope
from gateway.model.request import MessageRequest
from gateway.pipeline.intake.drafts import AcceptedMessage
from gateway.policy.chain import Chain, PersonRule, Switch, TextRule
from gateway.policy.decision import ALLOW, Decision
from gateway.policy.rules.opt_out import OptOut
from gateway.policy.subject import Facts, Need, Subject
from gateway.store.keys import hash_secret, save_key
from tests.support.gateway import PHONE, START, Rig

SHOP = ApiKey(id=KeyId("key-shop"), name="shop", scopes=frozenset({Scope.SEND}), created_at=START)


@dataclass
class Says:
    """A rule of persons that says what it is told to.

    Args:
        at_first: when the message comes in.
        again: right before the wire; None for the same.
    """

    at_first: Callable[[Subject], Decision] = lambda _subject: ALLOW
    again_: Callable[[Subject], Decision] | None = None
    asked: list[tuple[Subject, datetime]] = field(default_factory=list)
    name: ClassVar[str] = "says"
    needs: ClassVar[frozenset[Need]] = frozenset()
    again: ClassVar[bool] = True
    fixed: ClassVar[bool] = False

    def concerns(self, category: Category) -> bool:
        return category is not Category.EMERGENCY

    def decide(self, subject: Subject, facts: Facts, now: datetime) -> Decision:
        first = not any(one.message_id == subject.message_id for one, _ in self.asked)
        self.asked.append((subject, now))
        return (self.at_first if first or self.again_ is None else self.again_)(subject)


@dataclass
class Writes:
    """A rule of texts that says what it is told to."""

    says: Callable[[Subject], Decision]
    asked: list[Subject] = field(default_factory=list)
    name: ClassVar[str] = "writes"
    fixed: ClassVar[bool] = False

    def concerns(self, category: Category) -> bool:
        return category is not Category.EMERGENCY

    def decide(self, subject: Subject) -> Decision:
        self.asked.append(subject)
        return self.says(subject)


async def put_rules(
    rig: Rig, *persons: PersonRule, texts: Sequence[TextRule] = (), switches: Sequence[Switch] = ()
) -> None:
    """Have these asked, after the opt-out list, of the messages of `SHOP` among others."""
    chain = Chain(texts=texts, persons=[OptOut(), *persons], switches=switches)
    rig.intake.adopt(rig.intake.settings._replace(chain=chain, brands={"shop": ["acme", "beta"]}))
    rig.scheduler.chain = chain
    await rig.store.write(lambda tx: save_key(tx, SHOP, hash_secret("s")))


async def send_as_shop(rig: Rig, to: str = PHONE, text: str = "hello", **fields: object) -> Message:
    """Accept one message of `SHOP`."""
    request = msgspec.convert({"to": to, "text": text, **fields}, MessageRequest)
    accepted = await rig.intake.accept(request, key=SHOP)
    assert isinstance(accepted, AcceptedMessage)
    return accepted.message
