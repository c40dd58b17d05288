"""Each flow as a line of stations: what stands at each of its steps, and how fast it passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from conveyor.core.registry import Registry
from conveyor.core.routing_slip import Flow
from conveyor.operations.overview.open_orders import Standers, Standing

FORWARD = (Standing.WAITING, Standing.WORKING)
MOVING = (*FORWARD, Standing.UNDOING)
"""What goes on by itself."""
MINUTE_MS = 60_000
STUCK_MS = 75_000
"""The last whole minute of which something is known, and what that is late."""


@dataclass(slots=True)
class Station:
    """A step of a flow. `a_minute`: how many have got past it in the last one; None: not known yet.

    `oldest_ms`: for how long the first of those that go on by themselves has been here.
    """

    step: str
    undo: str
    counts: Counter[Standing] = field(default_factory=Counter)
    a_minute: int | None = None
    oldest_ms: int | None = None

    @property
    def backlog(self) -> int:
        """Give how many go forward from here by themselves."""
        return sum(self.counts[kind] for kind in FORWARD)

    @property
    def is_stuck(self) -> bool:
        """Whether some have waited here for a whole minute, and none has got past."""
        waited = self.oldest_ms is not None and self.oldest_ms > STUCK_MS
        return waited and self.backlog > 0 and self.a_minute == 0

    def count(self, standing: str) -> int:
        """Give how many stand so here."""
        return self.counts[Standing(standing)]


@dataclass(slots=True)
class FlowLine:
    """A flow and its stations; `ends_a_minute`: how many of its orders have ended."""

    name: str
    version: int
    stations: list[Station]
    ends_a_minute: int | None = None

    @property
    def open(self) -> int:
        """Give how many orders are on it, the parked ones apart."""
        return sum(it.counts.total() for it in self.stations) - self.parked

    @property
    def parked(self) -> int:
        """Give how many of its orders wait for an operator."""
        return sum(it.counts[Standing.PARKED] for it in self.stations)

    @property
    def backlog(self) -> int:
        """Give how many go forward by themselves."""
        return sum(it.backlog for it in self.stations)

    @property
    def stuck(self) -> Station | None:
        """Give the first station that some have waited at for long, and none has got past."""
        return next((it for it in self.stations if it.is_stuck), None)

    @property
    def cleared_in_ms(self) -> int | None:
        """Give how long the backlog takes to get past where it stands, at the present rates.

        None: it is not known, for nothing has got past some of it yet.
        """
        behind, longest = 0, 0.0
        for it in self.stations:
            behind += it.backlog
            if it.backlog:
                if not it.a_minute:
                    return None
                longest = max(longest, behind / it.a_minute * MINUTE_MS)
        return round(longest)


@dataclass(frozen=True, slots=True)
class Rates:
    """Of one viewer's orders in the last minute: by flow the steps that were done, and the ends."""

    steps: Mapping[tuple[str, str], int]
    ends: Mapping[str, int]


def lines_of(
    registry: Registry, found: Iterable[Standers], rates: Rates | None, now_ms: int
) -> tuple[list[FlowLine], dict[str, int]]:
    """Give the lines of all installed flows, and how many orders are of a flow that is not.

    An older version has a line of its own while some of its orders are open. Without `rates` they
    are not known yet.
    """
    lines = {key: _line(flow, rates) for key, flow in registry.flows.items()}
    missing: Counter[str] = Counter()
    for some in found:
        line = lines.get(some.flow)
        if line is None:
            missing[some.flow] += some.count
            continue
        station = line.stations[min(max(some.position, 0), len(line.stations) - 1)]
        station.counts[some.standing] += some.count
        if some.standing in MOVING:
            station.oldest_ms = max(station.oldest_ms or 0, now_ms - some.oldest)
    newest = {registry.newest(flow.name).key for flow in registry.flows.values()}
    shown = [it for key, it in lines.items() if key in newest or it.open or it.parked]
    return shown, dict(missing)


def _line(flow: Flow, rates: Rates | None) -> FlowLine:
    stations = [Station(it.name, it.undo) for it in flow.steps]
    line = FlowLine(flow.name, flow.version, stations)
    if rates is not None:
        line.ends_a_minute = rates.ends.get(flow.name, 0)
        for it in stations:
            it.a_minute = rates.steps.get((flow.name, it.step), 0)
    return line
