"""Who came in, and what they may do: one form for API keys, accounts of other doors, and people who signed in. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gateway.access.permissions import OF_ROLE, OF_SCOPE, Permission
from gateway.model.actor import Actor, ActorKind, actor_of
from gateway.model.message import ApiKey
from gateway.model.user import User


class Allowance(NamedTuple):
    """Permissions, for one brand.

    Args:
        brand: None for all brands, and for what belongs to none.
    """

    permissions: frozenset[Permission]
    brand: str | None = None


class Principal(NamedTuple):
    """Who came in.

    Args:
        actor: as whom they act, on the timeline and in the audit trail.
        id: of the key or the user.
    """

    actor: Actor
    id: str
    allowances: tuple[Allowance, ...]

    def may(self, permission: Permission, brand: str | None = None) -> bool:
        """Whether they may do something to what belongs to a brand; None: to what belongs to none."""
        return any(permission in one.permissions and one.brand in {None, brand} for one in self.allowances)

    def may_somewhere(self, permission: Permission) -> bool:
        """Whether they may do something for any brand at all."""
        return any(permission in one.permissions for one in self.allowances)

    def brands(self, permission: Permission) -> frozenset[str] | None:
        """The brands for which they may do something; None for all of them."""
        allowed = [one.brand for one in self.allowances if permission in one.permissions]
        return None if None in allowed else frozenset(brand for brand in allowed if brand is not None)


def principal_of_user(user: User, origin: str) -> Principal:
    """Somebody who signed in.

    Args:
        origin: from where, as `gateway.model.actor.Actor.origin` has it.
    """
    allowances = tuple(Allowance(OF_ROLE[grant.role], grant.brand) for grant in user.grants)
    return Principal(Actor(ActorKind.USER, user.name, origin), user.id, allowances)


def principal_of_key(key: ApiKey, origin: str) -> Principal:
    """A program, or somebody, with an API key."""
    allowed = _join(OF_SCOPE[scope] for scope in key.scopes)
    return Principal(actor_of(key, origin), key.id, (Allowance(allowed),))


def _join(parts: Iterable[frozenset[Permission]]) -> frozenset[Permission]:
    return frozenset().union(*parts)
