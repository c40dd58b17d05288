"""All tables: importing this makes every service declare its own."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from conveyor import services
from conveyor.messaging.tables import metadata

__all__ = ["metadata"]

for _service in iter_modules(services.__path__, f"{services.__name__}."):
    import_module(f"{_service.name}.store")
