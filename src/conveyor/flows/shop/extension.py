"""The shop flow: inventory, and shipping by a carrier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from conveyor.core.rfc3339 import iso
from conveyor.core.step import StepHandler
from conveyor.extension import (
    Check,
    Comparison,
    Demo,
    Dependencies,
    Examination,
    Extension,
    Fact,
    Order,
    PageCheck,
    Routes,
    Running,
    Service,
    Tx,
)
from conveyor.flows import SHOP
from conveyor.flows.shop.archiving import ARCHIVING
from conveyor.flows.shop.carrier import CARRIER, SERVICE, WEBHOOK, loops
from conveyor.flows.shop.inventory.steps import STEPS as INVENTORY_STEPS
from conveyor.flows.shop.inventory.store import reservations, reserved_for, skus_from
from conveyor.flows.shop.shipping.steps import shipping_steps
from conveyor.flows.shop.shipping.store import shipment_of, shipments
from conveyor.flows.shop.tables import metadata


def _shipping(given: Dependencies) -> Mapping[str, StepHandler]:
    deadline = given.settings.delivery_deadline_seconds
    return shipping_steps(given.ports[CARRIER], delivery_seconds=deadline)


def _checks() -> Iterable[Check]:
    from conveyor.flows.shop.checks import CHECKS

    return CHECKS


def _page_checks(examination: Examination) -> Iterable[PageCheck]:
    from conveyor.flows.shop.checks_goods import GoodsAsOrdered

    yield GoodsAsOrdered(examination)


def _comparisons(running: Running, examination: Examination) -> Iterable[Comparison]:
    from conveyor.flows.shop.checks_parcels import ShipmentsAndParcels

    bound, now = running.ports.bound(CARRIER), examination.now
    yield ShipmentsAndParcels(bound, running.engine.providers.called_by(SERVICE).services, now)


def _facts(tx: Tx, order: Order) -> Iterable[Fact]:
    if lines := reserved_for(tx, order.id):
        units = ", ".join(f"{it.quantity} {it.sku} {it.state}" for it in lines)
        yield Fact("stock", f"Stock: {units}.", {"lines": [it._asdict() for it in lines]})
    if shipment := shipment_of(tx, order.id):
        tracking = f" {shipment.tracking}" if shipment.tracking else ""
        data = {
            "state": shipment.state,
            "tracking": shipment.tracking,
            "enquiries": shipment.enquiries,
            "requested_at": iso(shipment.requested_at),
            "delivered_at": None if shipment.delivered_at is None else iso(shipment.delivered_at),
        }
        yield Fact("shipment", f"Shipment{tracking}: {shipment.state}.", data)


def _routes() -> Iterable[Routes]:
    from conveyor.flows.shop import http, http_webhook, schemas

    yield Routes(http.router, {"stock": "What there is to sell."}, schemas.BODIES)
    yield Routes(http_webhook.router, {"webhooks": "What the carrier tells us."})


def _commands() -> Iterable[Any]:
    from conveyor.flows.shop.cli import COMMANDS

    return COMMANDS


def _demo() -> Demo:
    from conveyor.flows.shop.demo import ShopDemo

    return ShopDemo()


EXTENSION = Extension(
    name="shop",
    tables=metadata,
    migrations="conveyor.flows.shop:migrations",
    flows=(SHOP,),
    services=(
        Service("inventory", INVENTORY_STEPS),
        Service(SERVICE, _shipping, needs_address=True, calls=CARRIER),
    ),
    ports=(CARRIER, WEBHOOK),
    loops=loops,
    facts=_facts,
    skus=skus_from,
    belongings=(reservations, shipments),
    archiving=ARCHIVING,
    checks=_checks,
    page_checks=_page_checks,
    comparisons=_comparisons,
    routes=_routes,
    commands=_commands,
    demo=_demo,
)
