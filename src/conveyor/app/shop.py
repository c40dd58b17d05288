"""The shop flow: inventory, and shipping by a carrier."""

from __future__ import annotations

from collections.abc import Mapping

from conveyor.extension import Extension, Given, Service
from conveyor.flows import SHOP
from conveyor.messaging.step import AnyStep
from conveyor.services.inventory.steps import STEPS as INVENTORY_STEPS
from conveyor.services.shipping.steps import shipping_steps


def _shipping(given: Given) -> Mapping[str, AnyStep]:
    deadline = given.settings.delivery_deadline_seconds
    return shipping_steps(given.carrier, delivery_seconds=deadline)


EXTENSION = Extension(
    name="shop",
    flows=(SHOP,),
    services=(Service("inventory", INVENTORY_STEPS), Service("shipping", _shipping)),
)
