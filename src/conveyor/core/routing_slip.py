"""The routing slip: where an order goes next. Pure data and pure functions.

A place is a position on the slip and an ending. Going forward (`ending == ""`) the position is
the step that is owed; going back it is the step whose compensation is owed. An order that was
completed and is refunded goes back by one compensation, that which returns its money, to its end.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from conveyor.core.order_status import OrderStatus


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a slip.

    `undo` names the compensation. It runs once the step has begun, done or not: it must be harmless
    where there is nothing to undo. `also` names local steps that run in the transaction in which
    this one takes effect; they must be harmless when run twice. `each` names a list in the order's
    body: the step is taken once for each of its members, in turn, and undone by one `undo`.
    """

    name: str
    undo: str = ""
    also: tuple[str, ...] = ()
    each: str = ""

    @property
    def service(self) -> str:
        """The service that takes this step."""
        return service_of(self.name)


@dataclass(frozen=True, slots=True)
class Fee:
    """What a cancellation keeps of the order's total, once the step `after` is done."""

    after: str
    per_cent: int


@dataclass(frozen=True, slots=True)
class Flow:
    """A routing slip with a name and a version; orders in flight keep theirs.

    `cancel_until` names the step whose beginning makes it too late to cancel. Without a `fee`,
    cancelling is free as long as it is possible. `pivot` names a step that cannot be taken back
    once it is done, '' for none: what is refused after it parks the order instead of undoing it.
    """

    name: str
    version: int
    steps: tuple[Step, ...]
    cancel_until: str
    fee: Fee | None = None
    pivot: str = ""

    @property
    def key(self) -> str:
        """How orders name it: `shop@1`."""
        return f"{self.name}@{self.version}"

    @property
    def last_cancellable(self) -> int:
        """The last position at which a cancellation is accepted, while its step has not begun."""
        return self._position(self.cancel_until)

    def is_past_pivot(self, place: Place) -> bool:
        """Whether an order that goes forward has done the step that cannot be taken back."""
        if not self.pivot or place.ending:
            return False
        return place.position > self._position(self.pivot)

    def fee_of(self, place: Place, total: int) -> int:
        """What cancelling here keeps of this total, in minor units; rounded down."""
        if self.fee is None or place.position <= self._position(self.fee.after):
            return 0
        return total * self.fee.per_cent // 100

    def _position(self, name: str) -> int:
        return next(i for i, step in enumerate(self.steps) if step.name == name)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an order is on its slip; `stage` counts the members of `each` that are done.

    `begun`: the step that is owed was taken, and is not done. It may have an effect all the same.
    """

    position: int
    ending: str = ""
    stage: int = 0
    begun: bool = field(default=False, compare=False)  # it is the same place


def service_of(step: str) -> str:
    """`payments.authorize` is taken by `payments`."""
    return step.partition(".")[0]


def flow_name(key: str) -> str:
    """`shop@1` is a version of `shop`."""
    return key.partition("@")[0]


def step_at(flow: Flow, place: Place) -> str:
    """Name the step that is owed at this place; '' when there is none, the order is at its end."""
    return owed_at(flow, place.position, place.ending)


def owed_at(flow: Flow, position: int, ending: str) -> str:
    """Name the same by what of a place says it: groups ask for each of their orders."""
    if ending:
        return flow.steps[position].undo if position >= 0 else ""
    return flow.steps[position].name if position < len(flow.steps) else ""


def advance(flow: Flow, place: Place, members: int = 1) -> Place:
    """Give the place after the owed step is done; it is taken `members` times."""
    if place.ending:
        return turn_back(flow, place, place.ending)
    if place.stage + 1 < members:
        return Place(place.position, stage=place.stage + 1)
    return Place(place.position + 1)


def begin(place: Place) -> Place:
    """Give this place once its step was taken and was neither done nor refused."""
    return place if place.ending else replace(place, begun=True)


def turn_back(flow: Flow, place: Place, ending: str) -> Place:
    """Give the nearest begun step up to this place that has a compensation; -1: nothing is left."""
    if ending == OrderStatus.REFUNDED:
        return Place(-1, ending)  # its money was given back, and everything else of it stays
    position = _last_begun(place)
    while position >= 0 and not flow.steps[position].undo:
        position -= 1
    return Place(position, ending)


def refunding(flow: Flow, undo: str) -> Place | None:
    """Give where a completed order goes to have only this undone; None: its flow never does that.

    Of several lines that are undone by it, it is the last: once is for all of them.
    """
    lines = (at for at in reversed(range(len(flow.steps))) if flow.steps[at].undo == undo)
    position = next(lines, None)
    return None if position is None else Place(position, OrderStatus.REFUNDED)


def undone_by(flow: Flow, place: Place) -> tuple[str, ...]:
    """Name the compensations that an order is still to run, in order, that turns or goes back here.

    Of one that goes back that which is owed at this place is the first.
    """
    if place.ending == OrderStatus.REFUNDED:
        return (step_at(flow, place),) if place.position >= 0 else ()
    last = place.position if place.ending else _last_begun(place)
    return tuple(step.undo for step in reversed(flow.steps[: last + 1]) if step.undo)


def _last_begun(place: Place) -> int:
    # A step that was taken for some members of its list is undone as a whole.
    begun = (place.begun or place.stage > 0) and not place.ending
    return place.position if begun else place.position - 1
