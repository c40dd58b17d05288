"""A flow of your own: an order of 500.00 or more waits two days at most for a person's yes."""

from pydantic import BaseModel

from conveyor import extension as ext

LARGE = 50_000  # minor units
TWO_DAYS = 2 * 86_400  # seconds


class Decision(BaseModel):
    approved: bool
    by: str


def begin(tx: ext.Tx, order: ext.Order, now: ext.Now) -> ext.Outcome:
    return ext.Awaiting("a person's decision", TWO_DAYS) if order.total >= LARGE else ext.Done()


def decide(tx: ext.Tx, order: ext.Order, decision: Decision, now: ext.Now) -> ext.Outcome:
    if decision.approved:
        return ext.Done({"by": decision.by})
    return ext.Refused(f"turned down by {decision.by}")


def expire(tx: ext.Tx, order: ext.Order, now: ext.Now) -> ext.Outcome:
    return ext.Refused("nobody decided in time")


REVIEWED = ext.Flow(
    name="reviewed",
    version=1,
    steps=(
        ext.Step("payments.authorize", undo="payments.void"),
        ext.Step("review.decide"),
        ext.Step("payments.capture", undo="payments.refund"),
        ext.Step("orders.complete"),
    ),
    cancel_until="payments.capture",
)
STEPS = {"review.decide": ext.AwaitingStep(begin, decide, answer=Decision, overdue=expire)}
REVIEW = ext.Service("review", STEPS)
EXTENSION = ext.Extension("reviewed", flows=(REVIEWED,), services=(REVIEW,))
