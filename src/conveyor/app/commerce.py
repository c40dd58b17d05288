"""What flows share: orders, and payments."""

from __future__ import annotations

from collections.abc import Mapping

from conveyor.extension import Extension, Given, Service
from conveyor.messaging.step import AnyStep
from conveyor.services.orders.steps import STEPS as ORDER_STEPS
from conveyor.services.payments.steps import payment_steps
from conveyor.services.payments.store import payments


def _payments(given: Given) -> Mapping[str, AnyStep]:
    return payment_steps(given.provider, given.payers)


EXTENSION = Extension(
    name="commerce",
    services=(Service("orders", ORDER_STEPS), Service("payments", _payments)),
    belongings=(payments,),
)
