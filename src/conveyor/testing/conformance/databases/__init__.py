"""What every database promises: subclass it, give a fixture `place`, and run pytest.

class TestOurDatabase(DatabaseConformance):
    @pytest.fixture
    def place(self) -> DatabaseUnderTest:
        return OurDatabase(fresh_url())
"""

from __future__ import annotations

from conveyor.testing.conformance.databases.durability import Durability
from conveyor.testing.conformance.databases.races import Races
from conveyor.testing.conformance.databases.reads import ReadsBesideWrites
from conveyor.testing.conformance.databases.transactions import Transactions
from conveyor.testing.conformance.databases.under_test import DatabaseUnderTest

__all__ = ["DatabaseConformance", "DatabaseUnderTest", "InlineDatabaseConformance"]


class InlineDatabaseConformance(Transactions, Races, Durability):
    """The tests for a database that does all in the event loop's own thread, one after the other.

    `place` is a fixture of the subclass.
    """


class DatabaseConformance(InlineDatabaseConformance, ReadsBesideWrites):
    """The tests for one that lets reads and writes run side by side."""
