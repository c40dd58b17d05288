"""Pausing a service, and letting it go on: orders are taken all the while, its steps are not."""

from __future__ import annotations

from dataclasses import dataclass

from conveyor.core import paused_services
from conveyor.core.actor import Actor
from conveyor.core.durations import duration
from conveyor.core.errors import ConveyorError
from conveyor.core.operator_actions import noting
from conveyor.core.paused_services import PausedService
from conveyor.core.transaction import Tx
from conveyor.core.workers import listing as workers
from conveyor.system.composition import App

PAUSE, RESUME = "services.pause", "services.resume"


class UnknownServiceError(ConveyorError):
    """There is no service of this name here, or it is none that Conveyor runs."""

    def __init__(self, name: str, known: tuple[str, ...], *, external: bool) -> None:
        why = "is served by a process of yours: stop that" if external else "is no service here"
        super().__init__(f"{name} {why}. There are: {', '.join(known)}.")
        self.name = name
        self.known = known


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service: whether it is paused, and how many processes that live serve it."""

    name: str
    paused: PausedService | None
    workers: int


def for_long(it: PausedService, now_ms: int) -> str:
    """Say for how long a service is paused by now, where that is long; '' else."""
    return f" (for {duration(now_ms - it.since)} now)" if it.is_long(now_ms) else ""


def require_service(app: App, name: str) -> None:
    """Raise `UnknownServiceError` unless this is a service that Conveyor runs here."""
    installed = app.installed
    if name not in installed.services:
        external = name in installed.external
        raise UnknownServiceError(name, installed.services, external=external)


async def pause_service(app: App, name: str, by: Actor) -> bool:
    """Pause a service, for the reason that the actor gives; False: it is paused already.

    The processes that serve it see that within `pauses.LOOK_SECONDS`, this one at once. Raises
    `UnknownServiceError`.
    """
    require_service(app, name)
    engine = app.engine
    now = engine.ambient.now_ms()

    def work(tx: Tx) -> bool:
        return paused_services.pause(tx, name, by, now)

    whole = noting(work, by, PAUSE, now, subject=name, took=bool)
    took = await engine.database.run(whole)
    await engine.pauses.look()
    return took


async def resume_service(app: App, name: str, by: Actor) -> bool:
    """Let a service go on; False: it was not paused. Raises `UnknownServiceError`."""
    engine = app.engine

    def work(tx: Tx) -> bool:
        return paused_services.resume(tx, name)

    whole = noting(work, by, RESUME, engine.ambient.now_ms(), subject=name, took=bool)
    took = await engine.database.run(whole)
    if not took:  # one that was paused and is not installed here any more can go on all the same
        require_service(app, name)
    await engine.pauses.look()
    return took


async def paused_now(app: App) -> list[PausedService]:
    """List the services that are paused, by name."""
    return await app.engine.database.read(paused_services.paused)


async def service_states(app: App) -> list[ServiceState]:
    """Say how all services of this deployment are; one that is paused and not installed, too."""
    now = app.engine.ambient.now_ms()

    def read(tx: Tx) -> list[ServiceState]:
        paused = {it.service: it for it in paused_services.paused(tx)}
        served = [s for it in workers(tx) if not it.is_silent(now) for s in it.services]
        names = [*app.installed.services, *sorted(paused.keys() - {*app.installed.services})]
        return [ServiceState(name, paused.get(name), served.count(name)) for name in names]

    return await app.engine.database.read(read)
