"""Routing as it is put together: the rules, who is out of service, whose numbers are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from gateway.clock import Clock
from gateway.pipeline.intake.route import Router
from gateway.pipeline.operator.carriers import CarrierLearner
from gateway.pipeline.sending.lane import Lane
from gateway.pipeline.sending.switch import Switch
from gateway.routing.routes.fitness import Fitness
from gateway.routing.routes.table import Routes
from gateway.runtime.policies import make_price_list
from gateway.settings.config import Settings
from gateway.settings.routes import make_routes
from gateway.store.ports import Store

ROUTING = ("routing", "routes", "carriers", "prices")
"""The tables that `RoutingSide.adopt` takes over, beside those of channels."""


class RoutingSide:
    """Who holds the rules, and goes by them.

    Args:
        lanes: every channel; may come and go.
        wake: called when a channel serves something that it did not before.

    Attributes:
        router: decides on new messages.
        switch: decides which channels serve which ways.
        learner: of delivery reports.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        clock: Clock,
        lanes: Collection[Lane],
        wake: Callable[[], None],
    ) -> None:
        routes = make_route_table(settings, lanes)
        times = settings.routing
        self._fitness = Fitness(times.failover_after_s, times.failback_after_s)
        self.router = Router(routes)
        self.switch = Switch(store, clock, lanes, routes.members, self._fitness, wake)
        self.learner = CarrierLearner(store, clock, routes.carriers)
        store.on_claimable(self.switch.note)

    def sticky(self) -> Mapping[str, float]:
        """The rules that remember the channel of each recipient, and for how many seconds."""
        return self.router.routes.sticky

    def adopt(self, settings: Settings, lanes: Collection[Lane]) -> None:
        """Go by another config from now on; what waits keeps its way.

        Args:
            lanes: of the channels that the config has.
        """
        routes = make_route_table(settings, lanes)
        self.router.adopt(routes)
        self.learner.adopt(routes.carriers)
        self._fitness.adopt(settings.routing.failover_after_s, settings.routing.failback_after_s)
        self.switch.adopt(routes.members)


def make_route_table(settings: Settings, lanes: Collection[Lane]) -> Routes:
    """The rules, compiled; ``lanes`` are those of the channels that the settings have."""
    channels = {lane.name: lane.groups for lane in lanes if lane.driver.capacity}
    price_of = make_price_list(settings).price_of
    return make_routes(settings.routes, channels, settings.carriers.load(), price_of)
