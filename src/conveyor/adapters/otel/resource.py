"""Who we are to a collector, unless the variables say so."""

from __future__ import annotations

from importlib.metadata import version
from uuid import uuid4

from opentelemetry.sdk.resources import (
    SERVICE_INSTANCE_ID,
    SERVICE_NAME,
    SERVICE_VERSION,
    OTELResourceDetector,
    Resource,
)

OURS = "conveyor"
INSTANCE = str(uuid4())
"""Tells processes apart, each of which counts for itself."""


def resource() -> Resource:
    """Give what stands with all that this process tells."""
    ours = {
        SERVICE_NAME: OURS,
        SERVICE_VERSION: version(OURS),
        SERVICE_INSTANCE_ID: INSTANCE,
    }
    return Resource.create().merge(Resource(ours)).merge(OTELResourceDetector().detect())
