"""Breaking things on purpose: what there is to break, and who has switched it.

There is something only where nothing is real: the queue is in this process, and whoever is outside
is simulated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from conveyor.adapters.faults import Breakable, Fault
from conveyor.core.actor import Actor
from conveyor.core.operator_actions import noting
from conveyor.core.transaction import Tx
from conveyor.extension.ports import SIMULATED, Port
from conveyor.settings import EMBEDDED
from conveyor.system.composition import App
from conveyor.system.named_ports import named

ON, OFF = "faults.on", "faults.off"
"""What the log of operators calls it."""


def faults_of(app: App) -> tuple[Fault, ...]:
    """Give what can be broken; nothing where anything is real."""
    ports = [port for it in app.installed.extensions for port in it.ports if port.setting]
    is_embedded = app.settings.queue_url.startswith(EMBEDDED)
    if not is_embedded or not all(_is_simulated(app, port) for port in ports):
        return ()
    outside = (it for port in ports for it in app.ports.bound(port).by_name.values())
    return tuple(_faults([*outside, app.parts.queues]))


def _is_simulated(app: App, port: Port[object]) -> bool:
    who = named(port, app.settings)
    return not who.others and who.default in {"", SIMULATED}


def _faults(them: Iterable[object]) -> Iterator[Fault]:
    for it in them:
        if isinstance(it, Breakable):
            yield from it.faults


async def switch(app: App, faults: Iterable[Fault], *, on: bool, by: Actor) -> None:
    """Switch these on or off, and write who does.

    Written first: nothing is broken that nobody has broken. While messages are befallen, each step
    comes from its queue. Raises what the database raises.
    """
    for fault in faults:
        if fault.is_on != on:
            now, action = app.engine.ambient.now_ms(), ON if on else OFF
            write = noting(_nothing_else, by, action, now, subject=fault.name)
            await app.engine.database.run(write)
            fault.switch(on=on)
    queues = app.parts.queues
    if isinstance(queues, Breakable):  # what befalls messages befalls no order that rides on
        app.engine.relay.lets_ride = not any(it.is_on for it in queues.faults)


def _nothing_else(_tx: Tx) -> None:
    pass
