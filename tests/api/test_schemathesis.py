"""Schemathesis over the whole API: no 5xx, no drift between what is described and what is done."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from tests.api.serving import Server

EXAMPLES = 25

schema = schemathesis.pytest.from_fixture("api_schema")


@pytest.fixture(scope="module")
def api_schema(server: Server) -> Any:
    """What the running server says of itself."""
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_does_what_it_says(case: Case, server: Server) -> None:
    case.call_and_validate(headers={"authorization": f"Bearer {server.local_key}"})
