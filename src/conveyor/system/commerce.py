"""What flows share: orders, and payments."""

from __future__ import annotations

from collections.abc import Mapping

from conveyor.commerce.orders.steps import STEPS as ORDER_STEPS
from conveyor.commerce.payments.steps import payment_steps
from conveyor.commerce.payments.store import payments
from conveyor.core.step import StepHandler
from conveyor.extension import PAYMENTS, Dependencies, Extension, Service


def _payments(given: Dependencies) -> Mapping[str, StepHandler]:
    return payment_steps(given.ports[PAYMENTS], given.payers)


EXTENSION = Extension(
    name="commerce",
    services=(Service("orders", ORDER_STEPS), Service("payments", _payments, calls=PAYMENTS)),
    belongings=(payments,),
    ports=(PAYMENTS,),
)
