"""Whom the orders of a flow call for what: which requests a story disturbs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from conveyor.core.errors import ConveyorError
from conveyor.core.routing_slip import Flow

ANY = ""
"""Whatever is asked for."""


@dataclass(frozen=True, slots=True)
class Calls:
    """What is asked for on the way of an order.

    `forward` is what brings it on, `in_doubt` that of it upon which people change their minds,
    `given_back` what was asked for and what gives it back, and `operations` all of it, and `ANY`.
    """

    operations: tuple[str, ...]
    forward: tuple[str, ...]
    in_doubt: tuple[str, ...]
    given_back: tuple[tuple[str, str], ...]


class UnknownVersionError(ConveyorError):
    """A version of a flow of which a table of the simulator's says nothing."""

    def __init__(self, key: str, table: str) -> None:
        super().__init__(f"the simulator knows nothing of {key}: {table} must say what it does")
        self.key = key


OURS: dict[str, Calls] = {
    "shop@1": Calls(
        ("authorize", "capture", "void", "refund", "lookup", "dispatch", "status", ANY),
        ("authorize", "capture", "dispatch"),
        ("authorize", "capture"),
        (("authorize", "void"), ("capture", "refund"), ("capture", "refund")),
    ),
    "food@1": Calls(
        ("authorize", "capture", "void", "lookup", ANY),
        ("authorize", "capture"),
        ("authorize", "capture"),
        (("authorize", "void"),),
    ),
    "travel@1": Calls(
        ("authorize", "capture", "void", "refund", "lookup", ANY),
        ("authorize", "capture"),
        ("authorize", "capture"),
        (("authorize", "void"), ("capture", "refund")),
    ),
    "renewal@1": Calls(
        ("charge", "refund", "lookup", ANY), ("charge",), ("charge",), (("charge", "refund"),)
    ),
}
_OF_STEPS = {
    "payments.authorize": "authorize",
    "payments.capture": "capture",
    "payments.charge": "charge",
    "payments.void": "void",
    "payments.refund": "refund",
    "shipping.ship": "dispatch",
}
_LOOKS = {"dispatch": "status"}


def of_ours(flow: Flow) -> Calls:
    """Give those of a flow of ours. Raises `UnknownVersionError`."""
    if flow.key not in OURS:
        raise UnknownVersionError(flow.key, f"{__name__}.OURS")
    return OURS[flow.key]


def calls_of(flow: Flow, ports: Collection[str]) -> Calls:
    """Give those of a flow with this slip, whose own steps call `ports`."""
    pairs = [(_OF_STEPS[it.name], it.undo) for it in flow.steps if it.name in _OF_STEPS]
    forward = [operation for operation, _ in pairs]
    given_back = [(taken, _OF_STEPS[undo]) for taken, undo in pairs if undo in _OF_STEPS]
    back = [operation for _, operation in given_back]
    looks = [_LOOKS.get(operation, "lookup") for operation in forward]
    operations = _once([*forward, *back, *looks, *ports, ANY])
    return Calls(operations, _once([*forward, *ports]), _once([*forward, *ports]), (*given_back,))


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
