"""The food flow: restaurants, riders, and simulated ones of both."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.rfc3339 import iso
from conveyor.core.step import StepHandler
from conveyor.core.supervision import Loop
from conveyor.core.transaction import Tx
from conveyor.extension import Check, Demo, Dependencies, Extension, Fact, Routes, Running, Service
from conveyor.flows import FOOD
from conveyor.flows.food.archiving import ARCHIVING
from conveyor.flows.food.body import FoodBody
from conveyor.flows.food.restaurants import store as restaurants
from conveyor.flows.food.restaurants.counter import Counter
from conveyor.flows.food.restaurants.model import TicketState
from conveyor.flows.food.restaurants.steps import name_of, restaurant_steps
from conveyor.flows.food.riders import store as riders
from conveyor.flows.food.riders.dispatch import Dispatch
from conveyor.flows.food.riders.model import OfferState, Point
from conveyor.flows.food.riders.steps import rider_steps
from conveyor.flows.food.simulated.restaurants import SimulatedRestaurants
from conveyor.flows.food.simulated.riders import SimulatedRiders
from conveyor.flows.food.tables import metadata

RESTAURANTS = "restaurants"
RIDERS = "riders"


class Kitchens:
    """What riders need to know of restaurants: see the port."""

    def pickup_of(self, tx: Tx, order: Order) -> Point | None:
        """Give where the order's restaurant is."""
        found = restaurants.find(tx, order.merchant, name_of(order))
        return Point(found.latitude, found.longitude) if found else None

    def collected(self, tx: Tx, order: Order) -> None:
        """The ticket is done with, whether or not the restaurant ever said that it was ready."""
        restaurants.end(tx, order.id, TicketState.COLLECTED)


def _restaurants(given: Dependencies) -> Mapping[str, StepHandler]:
    return restaurant_steps(given.settings.restaurant_deadline_seconds)


def _riders(given: Dependencies) -> Mapping[str, StepHandler]:
    chosen = given.settings
    return rider_steps(Kitchens(), chosen.offer_deadline_seconds, chosen.rider_silence_seconds)


def _glimpse(tx: Tx, order: Order) -> Mapping[str, Any]:
    """Show where the rider is who has accepted the order."""
    if order.status != OrderStatus.AWAITING:
        return {}
    offer = riders.standing(tx, order.id)
    rider = riders.find(tx, offer.merchant, offer.rider) if offer else None
    if (
        offer is None
        or rider is None
        or offer.state not in {OfferState.ACCEPTED, OfferState.PICKED_UP}
    ):
        return {}
    place = {"latitude": rider.latitude, "longitude": rider.longitude}
    return {"rider": rider.id, "state": offer.state, "at": iso(rider.heard_at), **place}


def _loops(running: Running, services: Collection[str]) -> Iterable[tuple[str, Loop]]:
    """Let simulated restaurants and riders answer."""
    if RESTAURANTS in services:
        yield "simulated restaurants", simulated_restaurants(running).run
    if RIDERS in services:
        yield "simulated riders", simulated_riders(running).run


def simulated_restaurants(running: Running) -> SimulatedRestaurants:
    """Give those of this system."""
    engine, settings = running.engine, running.settings
    return SimulatedRestaurants(
        engine.database,
        engine.ambient,
        Counter(engine, running.answers),
        pace_seconds=settings.food_pace_seconds,
        deadline_seconds=settings.restaurant_deadline_seconds,
    )


def simulated_riders(running: Running) -> SimulatedRiders:
    """Give those of this system."""
    engine, settings = running.engine, running.settings
    return SimulatedRiders(
        engine.database,
        engine.ambient,
        Dispatch(engine, running.answers),
        pace_seconds=settings.food_pace_seconds,
        deadline_seconds=settings.offer_deadline_seconds,
    )


def _facts(tx: Tx, order: Order) -> Iterable[Fact]:
    ticket, offer = restaurants.ticket_of(tx, order.id), riders.standing(tx, order.id)
    if ticket is not None:
        at = {"restaurant": ticket.restaurant, "state": ticket.state}
        yield Fact("kitchen", f"Kitchen: {ticket.restaurant}, {ticket.state}.", at)
    if offer is not None:
        by = {"rider": offer.rider, "state": offer.state}
        yield Fact("rider", f"Rider: {offer.rider}, {offer.state}.", by)


def _checks() -> Iterable[Check]:
    from conveyor.flows.food.checks import CHECKS

    return CHECKS


def _routes() -> Iterable[Routes]:
    from conveyor.flows.food import codes, http_restaurants, http_riders, schemas

    kitchens = {"restaurants": "Who prepares meals."}
    yield Routes(http_restaurants.router, kitchens, schemas.BODIES, codes.FoodCode)
    yield Routes(http_riders.router, {"riders": "Who brings them."})


def _commands() -> Iterable[Any]:
    from conveyor.flows.food.cli import COMMANDS

    return COMMANDS


def _demo() -> Demo:
    from conveyor.flows.food.demo import FoodDemo

    return FoodDemo()


EXTENSION = Extension(
    name="food",
    tables=metadata,
    migrations="conveyor.flows.food:migrations",
    flows=(FOOD,),
    services=(Service(RESTAURANTS, _restaurants), Service(RIDERS, _riders)),
    bodies={FOOD.name: FoodBody},
    loops=_loops,
    glimpse=_glimpse,
    facts=_facts,
    belongings=(restaurants.tickets, riders.offers),
    archiving=ARCHIVING,
    checks=_checks,
    routes=_routes,
    commands=_commands,
    demo=_demo,
)
