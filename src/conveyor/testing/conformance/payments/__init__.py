"""What every payment provider promises: subclass it, give a fixture `kind`, and run pytest.

class TestOurBank(PaymentProviderConformance):
@pytest.fixture
def kind(self) -> ProviderUnderTest:
return OurBank()
"""

from __future__ import annotations

from conveyor.testing.conformance.payments.amounts import Amounts
from conveyor.testing.conformance.payments.keys import Keys
from conveyor.testing.conformance.payments.under_test import ProviderUnderTest, authorization

__all__ = ["PaymentProviderConformance", "ProviderUnderTest", "authorization"]


class PaymentProviderConformance(Keys, Amounts):
    """The tests; `kind` is a fixture of the subclass."""
