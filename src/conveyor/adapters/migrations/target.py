"""The tables that every flow shares: importing this makes all of them known."""

from conveyor.access import store as _access
from conveyor.commerce.orders import store as _orders
from conveyor.commerce.payments import store as _payments
from conveyor.core.tables import metadata

__all__ = ["metadata"]

_DECLARED = (_access, _orders, _payments)
