"""What the API says of a whole system in one look."""

from __future__ import annotations

from pydantic import BaseModel, Field

from conveyor.entrypoints.http.report_schemas import Latency
from conveyor.entrypoints.http.schemas import Time
from conveyor.entrypoints.http.services import PauseView
from conveyor.operations.status import NeedKind

NOT_TOLD = "Null: told to keys that have the scope `audit` too."


class NeedView(BaseModel):
    """Something that needs somebody."""

    kind: NeedKind
    subject: str
    says: str
    todo: str


class StationView(BaseModel):
    """A step of a flow, and how many orders stand at it, by how they do."""

    step: str
    waiting: int
    working: int = Field(description="Their provider was called, and has not answered.")
    outside: int = Field(description="They await an answer from somebody outside.")
    undoing: int
    parked: int
    a_minute: int | None = Field(description="How many got past it in the last minute.")
    oldest_ms: int | None = Field(description="How long the first has been here that moves.")


class LineView(BaseModel):
    """A flow, as a line of its steps."""

    flow: str
    version: int
    open: int
    parked: int
    ends_a_minute: int | None
    stuck_at: str | None = Field(description="The step that nothing gets past.")
    cleared_in_ms: int | None = Field(
        description="How long what waits takes at the present rates; null: not known."
    )
    stations: list[StationView]


class DepthView(BaseModel):
    """How many messages a queue has."""

    visible: int
    in_flight: int
    delayed: int


class QueueView(BaseModel):
    """A queue; `depth` and `dead` are null while it does not answer."""

    name: str
    depth: DepthView | None
    dead: int | None = Field(description="Dead letters, drained ones among them.")
    orders: int = Field(description="Orders that are owed a step of its service.")
    oldest_ms: int | None


class ProviderView(BaseModel):
    """Somebody outside."""

    name: str
    paused: bool = Field(description="By the process that answers: it is called no more.")
    orders: int = Field(description="Orders that wait until it answers again.")


class WorkerView(BaseModel):
    """A process that has said that it lives."""

    host: str
    pid: int
    version: str
    services: list[str]
    in_hand: int
    started_at: Time
    seen_at: Time
    alive: bool


class OverviewView(BaseModel):
    """How a system stands; what happened is null while it is still read."""

    at: Time
    ok: bool = Field(description="Nothing needs somebody.")
    needs: list[NeedView]
    open: int
    parked: int
    placed_a_minute: int | None
    ended_a_minute: int | None
    latency_ms: Latency
    flows: list[LineView]
    missing_flows: dict[str, int] = Field(description="Open orders, by a flow that is not there.")
    paused_services: list[PauseView]
    queues: list[QueueView] | None = Field(description=NOT_TOLD)
    providers: list[ProviderView] | None = Field(description=NOT_TOLD)
    workers: list[WorkerView] | None = Field(description=NOT_TOLD)
