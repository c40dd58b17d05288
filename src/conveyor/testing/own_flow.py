"""A flow of a package that extends us, as the simulator plays it: its slip, lives and ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conveyor.core.errors import ConveyorError
from conveyor.core.routing_slip import Flow, service_of
from conveyor.extension import Extension, Port
from conveyor.system.built_in import built_in
from conveyor.system.extension_loading import running
from conveyor.testing.calls import calls_of
from conveyor.testing.plot import Subject
from conveyor.testing.story import FLOWS

if TYPE_CHECKING:
    from conveyor.system.installation import Installation
    from conveyor.testing.proving import Life


class UnknownFlowError(ConveyorError):
    """No such flow is installed; `known` are those that are."""

    def __init__(self, flow: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no flow {flow!r} is installed; there are {', '.join(known)}")
        self.flow = flow
        self.known = known


class UnplayableFlowError(ConveyorError):
    """A flow does not say what its orders go through, or says it wrongly."""

    def __init__(self, flow: str, cause: str) -> None:
        super().__init__(f"the flow {flow} cannot be simulated: {cause}")
        self.flow = flow
        self.cause = cause


@dataclass(frozen=True, slots=True)
class OwnFlow:
    """What its stories are about, and the lives that its orders have."""

    flow: Flow
    subject: Subject
    lives: Mapping[str, Life]
    external: frozenset[str]
    """Queues that somebody else's program reads."""

    @property
    def settings(self) -> dict[str, Any]:
        """Give those that its lives want."""
        return {name: value for it in self.lives.values() for name, value in it.settings.items()}


def own_flow(installed: Installation, name: str) -> OwnFlow | None:
    """Find the flow of this name; None: it is ours, or `all` of ours.

    Raises `UnknownFlowError`, `UnplayableFlowError` and `ExtensionError`.
    """
    if name in {*FLOWS, "all"}:
        return None
    extension = installed.of_flow(name)
    if extension is None:
        known = dict.fromkeys(flow.name for flow in installed.flows)
        raise UnknownFlowError(name, (*known, "all"))
    flow = max((it for it in extension.flows if it.name == name), key=lambda it: it.version)
    lives = _lives(extension, name)
    named = {service_of(it) for step in flow.steps for it in (step.name, step.undo) if it}
    external = frozenset(installed.external)
    calls = calls_of(flow, [port.name for port in _ports(extension)])
    queues = (*sorted(named - external), "intake")
    subject = Subject((name,), {name: calls}, queues, tuple(_meeting(lives)))
    return OwnFlow(flow, subject, lives, external)


def _lives(extension: Extension, flow: str) -> Mapping[str, Life]:
    from conveyor.testing.proving import Life

    if flow not in extension.lives:
        cause = f"the extension {extension.name} gives no `lives` of it"
        raise UnplayableFlowError(flow, f"{cause}: see docs/prove-your-flow.md")
    lives: Mapping[str, object] = running(extension.name, extension.lives[flow])
    found: dict[str, Life] = {}
    for name, life in lives.items():
        if not isinstance(life, Life):
            raise UnplayableFlowError(flow, f"its life {name!r} is of type {type(life).__name__}")
        bound = life.ports()
        for port in _ports(extension):
            if port not in bound:
                cause = f"its life {name!r} binds nobody to the port {port.name!r}"
                raise UnplayableFlowError(flow, cause)
        found[name] = life
    if not found:
        raise UnplayableFlowError(flow, f"the extension {extension.name} gives no life of it")
    return found


def _ports(extension: Extension) -> list[Port[Any]]:
    """Give those of its own: who stands behind ours is simulated for all flows."""
    ours = {port for it in built_in() for port in it.ports}
    return [port for port in extension.ports if port not in ours]


def _meeting(lives: Mapping[str, Life]) -> Iterator[tuple[str, ...]]:
    """Give the lives that may meet in one story: those whose ports are the same."""
    for ports in dict.fromkeys(life.ports for life in lives.values()):
        yield tuple(name for name, life in lives.items() if life.ports == ports)
