"""What every queue service promises: subclass it, give a fixture `queues`, and run pytest.

@pytest.fixture(scope="session")
def queues() -> QueuesUnderTest:
    return QueuesUnderTest(lambda: OurQueues("localhost"))

class TestOurQueues(QueueConformance):
    '''All of it.'''

The tests are coroutines, which the plugin runs that comes with anyio.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from conveyor.testing.conformance.queues.groups import Groups
from conveyor.testing.conformance.queues.leases import Leases
from conveyor.testing.conformance.queues.messages import Messages
from conveyor.testing.conformance.queues.redrive import Redrive
from conveyor.testing.conformance.queues.under_test import Deployment, QueuesUnderTest

__all__ = ["Deployment", "QueueConformance", "QueuesUnderTest"]


@pytest.mark.anyio
class QueueConformance(Leases, Messages, Groups, Redrive):
    """The tests; `queues` is a fixture that lives as long as the class, or longer."""

    @pytest.fixture(scope="class")
    @classmethod
    def anyio_backend(cls) -> str:
        """One event loop for all of them, so that a client is made once."""
        return "asyncio"

    @pytest.fixture(scope="class")
    @classmethod
    async def deployment(cls, queues: QueuesUnderTest) -> AsyncIterator[Deployment]:
        """Open the service."""
        async with queues.deployed() as deployment:
            yield deployment
