"""The calls on numbers that nobody has: a part of the table of `gateway.api.routes`."""

from __future__ import annotations

from typing import Final

from gateway.api.calls import numbers
from gateway.api.route import Route
from gateway.model.message import Scope
from gateway.views.numbers import DeadNumberPage

NUMBER_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        method="GET",
        path="/v1/numbers/dead",
        handler=numbers.get_dead_numbers,
        group="numbers",
        scope=Scope.READ,
        query=numbers.DeadNumberQuery,
        answers={200: DeadNumberPage},
    ),
    Route(
        method="DELETE",
        path="/v1/numbers/dead/{number}",
        handler=numbers.clear_dead_number,
        group="numbers",
        scope=Scope.MANAGE,
        answers={204: None},
        problems=(404,),
    ),
)
