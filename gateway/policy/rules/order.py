"""Order: the one list of all rules, in which they are asked; a rule that is not configured is not asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.policy.chain import Chain, PersonRule, TextRule
from gateway.policy.rules.class_lock import ClassLock
from gateway.policy.rules.consent import Consent
from gateway.policy.rules.content import ContactDetails, ExpiryDate, Links, SegmentLimit, TemplateRequired
from gateway.policy.rules.first_message import FirstMessage
from gateway.policy.rules.frequency import Frequency
from gateway.policy.rules.hours import HoursRule
from gateway.policy.rules.number_limits import NumberLimits
from gateway.policy.rules.numbers import DeadNumbers, Numbers, Sandbox
from gateway.policy.rules.opt_out import OptOut
from gateway.policy.rules.opt_out_line import OptOutLineAtEnd
from gateway.policy.rules.punctuation import Punctuation
from gateway.policy.rules.repeats import Repeats
from gateway.policy.rules.signature import SignatureFiled, SignatureInFront
from gateway.policy.rules.words import Words

TEXT_RULES: Final[tuple[type[TextRule], ...]] = (
    TemplateRequired,
    SignatureInFront,
    Links,
    ContactDetails,
    ExpiryDate,
    OptOutLineAtEnd,
    SegmentLimit,
    Words,
    Punctuation,
    ClassLock,
)
"""What looks at texts."""
PERSON_RULES: Final[tuple[type[PersonRule], ...]] = (
    OptOut,
    Sandbox,
    Numbers,
    DeadNumbers,
    Consent,
    FirstMessage,
    SignatureFiled,
    Repeats,
    Frequency,
    HoursRule,
    NumberLimits,
)
"""What looks at recipients and at the time."""
FIXED: Final[Mapping[str, bool]] = {rule.name: rule.fixed for rule in (*TEXT_RULES, *PERSON_RULES)}
"""Name -> whether no setting switches it."""


def opt_out_of(chain: Chain) -> OptOut:
    """The rule of opt-outs, which is in every chain."""
    return next((rule for rule in chain.persons if isinstance(rule, OptOut)), OptOut())


ALWAYS: Final = Chain(persons=(OptOut(),))
"""What is asked whatever the config says."""
