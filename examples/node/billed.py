"""A flow whose payment service is a program in another language, which serves its own queue."""

from pydantic import BaseModel, ConfigDict

from conveyor import extension as ext

ONE_HOUR = 3_600  # seconds


class Charged(BaseModel):
    """What the payment service says of `billing.charge`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    charged: bool
    reference: ext.SingleLine = ""
    reason: ext.SingleLine = ""


class Refunded(BaseModel):
    """What it says of `billing.refund`; '' where nothing had been charged."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reference: ext.SingleLine = ""


def charged(tx: ext.Tx, order: ext.Order, answer: Charged, now: ext.Now) -> ext.Outcome:
    if answer.charged:
        return ext.Done({"reference": answer.reference})
    return ext.Refused(answer.reason or "declined")


def refunded(tx: ext.Tx, order: ext.Order, answer: Refunded, now: ext.Now) -> ext.Outcome:
    return ext.Done({"reference": answer.reference})


BILLED = ext.Flow(
    name="billed",
    version=1,
    steps=(
        ext.Step("billing.charge", undo="billing.refund"),
        ext.Step("inventory.reserve", undo="inventory.release"),
        ext.Step("orders.complete", also=("inventory.sell",)),
    ),
    cancel_until="inventory.reserve",
)
# Without `overdue`, an order that nobody answers for in time is parked.
STEPS: dict[str, ext.StepHandler] = {
    "billing.charge": ext.ExternalStep(charged, answer=Charged, seconds=ONE_HOUR),
    "billing.refund": ext.ExternalStep(refunded, answer=Refunded, seconds=ONE_HOUR),
}
BILLING = ext.Service("billing", STEPS, external=True)
EXTENSION = ext.Extension("billed", flows=(BILLED,), services=(BILLING,))
