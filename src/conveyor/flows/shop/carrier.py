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
from conveyor.flows.shop.shipping.webhooks import (
    WebhookKey,
    WebhookKeys,
    WebhookSecretError,
    write_secret,
)
from conveyor.settings import SettingError, Settings
from conveyor.system.named_ports import bound_by

SERVICE = "shipping"
SECRET_BYTES = 32
NO_CONTENT = 204
WEBHOOK_SECRET = "CONVEYOR_WEBHOOK_SECRET"  # noqa: S105 - the setting's name


def _simulated(settings: Settings, ambient: Ambient) -> AbstractAsyncContextManager[Carrier]:
    from conveyor.flows.shop.simulated.opening import open_carrier

    return open_carrier(settings, ambient)


@asynccontextmanager
async def _keys(settings: Settings, _ambient: Ambient) -> AsyncIterator[WebhookKeys]:
    yield webhook_keys(settings)


CARRIER: Port[Carrier] = Port("carrier", _simulated, "CONVEYOR_CARRIER", by_merchant=True)
WEBHOOK: Port[WebhookKeys] = Port("keys of the carriers' webhooks", _keys)


def webhook_keys(settings: Settings) -> WebhookKeys:
    """Give what the carriers' webhooks are verified with, each by the name that binds it.

    Where none is set it is made up, and so known to nobody. Raises `SettingError`, which shows no
    secret.
    """
    bound, given = bound_by(CARRIER, settings), settings.webhook_secrets
    if strangers := given.keys() - bound.by_name.keys() - {""}:
        cause = f"{CARRIER.setting} does not name {', '.join(sorted(strangers))}"
        raise SettingError(WEBHOOK_SECRET, cause)
    secrets_of = {name: list(given.get(name, ())) for name in bound.by_name}
    secrets_of[bound.default] += given.get("", ())
    try:
        return WebhookKeys(
            {name: WebhookKey(its or _made_up()) for name, its in secrets_of.items()}
        )
    except WebhookSecretError as error:
        cause = f'{error} This makes one: echo "whsec_$(openssl rand -base64 32)"'
        raise SettingError(WEBHOOK_SECRET, cause) from error


def _made_up() -> list[str]:
    return [write_secret(secrets.token_bytes(SECRET_BYTES))]


def confirmations_of(running: Running) -> Confirmations:
    """Give what takes the carriers' webhooks."""
    return Confirmations(running.answers, running.ports[WEBHOOK], running.engine.ambient)


def loops(running: Running, services: Collection[str]) -> Iterable[tuple[str, Loop]]:
    """Let each carrier that is simulated tell of arrivals: straight into this process."""
    if SERVICE not in services:
        return
    from conveyor.flows.shop.simulated.carrier import SimulatedCarrier

    confirmations, keys = confirmations_of(running), running.ports[WEBHOOK]

    async def post(headers: Mapping[str, str], body: bytes) -> int:
        await confirmations.receive(headers, body)
        return NO_CONTENT

    for name, carrier in running.ports.bound(CARRIER).by_name.items():
        if isinstance(carrier, SimulatedCarrier):
            yield f"arrivals of carrier {name}", carrier.arrivals(keys[name], post).run
