"""What a call is in the tables of routes."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from gateway.http.product import CallHandler
from gateway.http.query import NoQuery
from gateway.model.message import Scope

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One call.

    Args:
        handler: its name is the operation's id, its docstring the description.
        scope: what the key must allow; None for calls without a key.
        query: the shape of the query string; calls with a key refuse any other parameter.
        bodies: the shapes that the body may have; none for calls without a body.
        body_required: False when the body may be left out.
        answers: status -> shape of the JSON, or a media type, or None for no content.
        problems: statuses of the refusals that are particular to this call.
        headers: request headers with a meaning here -> what they are for.
        takes_basic: the key may come as the password of basic authentication.
    """

    method: str
    path: str
    handler: CallHandler
    group: str
    scope: Scope | None
    query: type[msgspec.Struct] = NoQuery
    bodies: tuple[type[msgspec.Struct], ...] = ()
    body_required: bool = True
    answers: dict[int, type[msgspec.Struct] | str | None]
    problems: tuple[int, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    takes_basic: bool = False

    @property
    def streams(self) -> bool:
        """Whether the answer has no end of its own."""
        return self.answers.get(200) == EVENT_STREAM


EVENT_STREAM = "text/event-stream"
IDEMPOTENCY = (("Idempotency-Key", "repeat a request safely: 1 to 255 printable characters, such as a UUID"),)
RESUME = (("Last-Event-ID", "the `id` of the last event that came"),)
