"""The shop flow: inventory, and shipping by a carrier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from conveyor.extension import Check, Demo, Examination, Extension, Given, Look, Routes, Service
from conveyor.flows import SHOP
from conveyor.messaging.step import AnyStep
from conveyor.services.inventory.steps import STEPS as INVENTORY_STEPS
from conveyor.services.inventory.store import reservations
from conveyor.services.shipping.steps import shipping_steps
from conveyor.services.shipping.store import shipments


def _shipping(given: Given) -> Mapping[str, AnyStep]:
    deadline = given.settings.delivery_deadline_seconds
    return shipping_steps(given.carrier, delivery_seconds=deadline)


def _checks() -> Iterable[Check]:
    from conveyor.flows.shop.checks import CHECKS

    return CHECKS


def _looks(examination: Examination) -> Iterable[Look]:
    from conveyor.flows.shop.goods import GoodsAsOrdered

    yield GoodsAsOrdered(examination)


def _routes() -> Iterable[Routes]:
    from conveyor.flows.shop import http, schemas

    yield Routes(http.router, {"stock": "What there is to sell."}, schemas.BODIES)


def _commands() -> Iterable[Any]:
    from conveyor.flows.shop.cli import COMMANDS

    return COMMANDS


def _demo() -> Demo:
    from conveyor.flows.shop.demo import ShopDemo

    return ShopDemo()


EXTENSION = Extension(
    name="shop",
    flows=(SHOP,),
    services=(Service("inventory", INVENTORY_STEPS), Service("shipping", _shipping)),
    belongings=(reservations, shipments),
    checks=_checks,
    looks=_looks,
    routes=_routes,
    commands=_commands,
    demo=_demo,
)
