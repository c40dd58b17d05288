"""An extension to measure with: the same five steps on a standard queue, and on a FIFO queue.

Nothing is done in a step, so that what is left is the cost of getting from one to the next.
"""

from conveyor import extension as ext

STANDARD, FIFO = "standard", "fifo"
STEPS = ("one", "two", "three", "four", "five")


def _pass(_tx: ext.Tx, _order: ext.Order, _now: ext.Now) -> ext.Outcome:
    return ext.Done()


def _service(name: str) -> ext.Service:
    steps = {f"{name}.{step}": ext.LocalStep(_pass) for step in STEPS}
    return ext.Service(name, steps, fifo=name == FIFO)


def _flow(name: str) -> ext.Flow:
    steps = (*(ext.Step(f"{name}.{step}") for step in STEPS), ext.Step("orders.complete"))
    return ext.Flow(name=name, version=1, steps=steps, cancel_until=f"{name}.one")


EXTENSION = ext.Extension(
    "lines",
    flows=(_flow(STANDARD), _flow(FIFO)),
    services=(_service(STANDARD), _service(FIFO)),
)
