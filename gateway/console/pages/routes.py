"""Routes: the rules in their order, and why a message would go where."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
from aiohttp import web

from gateway.access.permissions import Permission
from gateway.console.page import Page, Visit
from gateway.errors import Conflict, InvalidRequest
from gateway.model.message import Category
from gateway.model.request import RouteRequest
from gateway.pipeline.intake.rehearse import rehearse
from gateway.routing.routes.conditions import Conditions
from gateway.routing.routes.explain import RouteExplanation
from gateway.routing.routes.table import Rule

_ASKED: Final = ("to", "text", "category", "key", "tag", "sender")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class ShownRule(NamedTuple):
    """A rule, as the page has it.

    Args:
        steps: groups and channels of each step, with weights where there are several.
    """

    name: str
    conditions: str
    steps: tuple[str, ...]
    by_cost: bool
    n_taken: int


async def show_routes(visit: Visit) -> web.StreamResponse:
    """The rules; and the answer to a question, where the address asks one. Nothing is sent."""
    router, t = visit.product.intake.router, visit.t
    asked = {name: visit.query.get(name, "").strip() for name in _ASKED}
    fault, answer = "", None
    if asked["to"]:
        try:
            answer = await _ask(visit, asked)
        except (InvalidRequest, Conflict) as error:
            fault = str(error)
        except msgspec.ValidationError as error:
            fault = str(error)
    taken = router.turns.taken()
    return visit.render(
        "routes.html",
        rules=[_show(rule, taken.get(rule.name, 0)) for rule in router.routes.rules],
        asked=asked,
        fault=fault,
        answer=answer,
        categories=[("", t("as usual")), *((one.value, one.value) for one in Category)],
    )


async def _ask(visit: Visit, asked: dict[str, str]) -> RouteExplanation:
    fields: dict[str, object] = {name: value for name, value in asked.items() if value and name != "tag"}
    if asked["tag"]:
        fields["tags"] = [asked["tag"]]
    product = visit.product
    return await rehearse(
        product.store,
        product.clock,
        product.intake,
        product.channels.standings(),
        msgspec.convert(fields, RouteRequest),
        key=None,
    )


def _show(rule: Rule, n_taken: int) -> ShownRule:
    steps = tuple(
        " + ".join(f"{one.place} ×{one.weight}" if len(step) > 1 else one.place for one in step)
        for step in rule.steps
    )
    return ShownRule(rule.name, describe_conditions(rule.conditions), steps, rule.by_cost, n_taken)


def describe_conditions(conditions: Conditions) -> str:
    """What a rule asks for, as the config says it; empty for whatever there is.

    >>> describe_conditions(Conditions(prefix=("+86",), weekdays=frozenset({0, 4})))
    'prefix = +86; weekdays = Mon, Fri'
    """
    said = {
        name: ", ".join(map(str, values if isinstance(values, tuple) else sorted(values)))
        for name in ("prefix", "carrier", "category", "key", "tag", "sender", "encoding", "hours")
        if (values := getattr(conditions, name))
    }
    if conditions.weekdays:
        said["weekdays"] = ", ".join(_DAYS[day] for day in sorted(conditions.weekdays))
    return "; ".join(f"{name} = {value}" for name, value in said.items())


PAGES: Final = (Page(path="/routes", handler=show_routes, permission=Permission.ROUTES_READ, menu="routes"),)
