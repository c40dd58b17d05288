"""The tables that every flow shares: importing this makes all of them known."""

from conveyor.access import sessions as _sessions
from conveyor.access import store as _access
from conveyor.commerce.orders import saved_searches as _saved_searches
from conveyor.commerce.orders import skus as _skus
from conveyor.commerce.orders import store as _orders
from conveyor.commerce.payments import store as _payments
from conveyor.core import archived as _archived
from conveyor.core import dead_messages as _dead_messages
from conveyor.core import operator_actions as _operator_actions
from conveyor.core.tables import metadata

__all__ = ["metadata"]

_DECLARED = (
    _access,
    _archived,
    _dead_messages,
    _operator_actions,
    _orders,
    _payments,
    _saved_searches,
    _sessions,
    _skus,
)
