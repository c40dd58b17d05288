"""What the API reports of the system whole."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from conveyor.entrypoints.http.schemas import Counts


class Latency(BaseModel):
    """Milliseconds from placed to settled; null while nothing is settled."""

    p50: int | None
    p99: int | None


class SummaryView(BaseModel):
    """How orders stand. While some are open, all but `open` may be a little older."""

    placed: int = Field(description="Those in the archive, here and below, left out.")
    open: int = Field(description="Neither at their end nor parked.")
    archived: int = Field(description="In the archive, beside those that were placed.")
    by_status: Counts = Field(examples=[{"completed": 1000}])
    captured: Counts = Field(description="Minor units by currency.", examples=[{"USD": 2354000}])
    refunded: Counts
    refused_because: Counts = Field(description="The most frequent reasons.")
    latency_ms: Latency
    sqs_requests: int | None = Field(
        default=None, description="Requests made to SQS by all processes, ever; null: embedded."
    )


class Health(BaseModel):
    """What answers."""

    status: Literal["ok"] = "ok"


class Audit(BaseModel):
    """Each invariant, and what breaks it."""

    model_config = ConfigDict(extra="allow")

    clean: bool
    violations: int
    checks: list[dict[str, Any]]


class Program(BaseModel):
    """What answers here, and where the rest of it is."""

    name: Literal["conveyor"] = "conveyor"
    version: str
    documentation: Literal["/docs"] = "/docs"
    openapi: Literal["/openapi.json"] = "/openapi.json"
    orders: Literal["/v1/orders"] = Field("/v1/orders", description="With an API key.")
    health: Literal["/healthz"] = "/healthz"
    readiness: Literal["/readyz"] = "/readyz"
    metrics: Literal["/metrics"] = "/metrics"
