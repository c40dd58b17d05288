"""The carrier as the shop's steps, its webhook and its books need it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from conveyor.core.ambient import Ambient
from conveyor.core.supervision import Loop
from conveyor.extension import Port, Running
from conveyor.flows.shop.shipping.confirmations import Confirmations
from conveyor.flows.shop.shipping.ports import Carrier
from conveyor.flows.shop.shipping.webhooks import WebhookKey, WebhookSecretError, write_secret
from conveyor.settings import SettingError, Settings

SERVICE = "shipping"
SECRET_BYTES = 32
NO_CONTENT = 204


def _simulated(settings: Settings, ambient: Ambient) -> AbstractAsyncContextManager[Carrier]:
    from conveyor.flows.shop.simulated.opening import open_carrier

    return open_carrier(settings, ambient)


@asynccontextmanager
async def _key(settings: Settings, _ambient: Ambient) -> AsyncIterator[WebhookKey]:
    yield webhook_key(settings)


CARRIER: Port[Carrier] = Port("carrier", _simulated, "CONVEYOR_CARRIER")
WEBHOOK: Port[WebhookKey] = Port("key of the carrier's webhooks", _key)


def webhook_key(settings: Settings) -> WebhookKey:
    """Give what webhooks are verified with: made up where none is set, and so known to nobody.

    Raises `SettingError`, which shows no secret.
    """
    given = settings.webhook_secret.replace(",", " ").split()
    try:
        return WebhookKey(given or [write_secret(secrets.token_bytes(SECRET_BYTES))])
    except WebhookSecretError as error:
        cause = f'{error} This makes one: echo "whsec_$(openssl rand -base64 32)"'
        raise SettingError("CONVEYOR_WEBHOOK_SECRET", cause) from error


def confirmations_of(running: Running) -> Confirmations:
    """Give what takes the carrier's webhooks."""
    return Confirmations(running.answers, running.ports[WEBHOOK], running.engine.ambient)


def loops(running: Running, services: Collection[str]) -> Iterable[tuple[str, Loop]]:
    """Let the simulated carrier, if it is that, tell of arrivals: straight into this process."""
    if SERVICE not in services:
        return
    from conveyor.flows.shop.simulated.carrier import SimulatedCarrier

    carrier = running.ports[CARRIER]
    if isinstance(carrier, SimulatedCarrier):
        confirmations = confirmations_of(running)

        async def post(headers: Mapping[str, str], body: bytes) -> int:
            await confirmations.receive(headers, body)
            return NO_CONTENT

        yield "simulated carrier", carrier.arrivals(running.ports[WEBHOOK], post).run
