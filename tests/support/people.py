"""Who does what in tests."""

from __future__ import annotations

from gateway.model.actor import Actor, ActorKind

OPERATOR = Actor(ActorKind.KEY, "operator")
