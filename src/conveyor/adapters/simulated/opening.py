"""Opens what is simulated, each with books of its own: in a file, or in a database beside ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from conveyor.adapters.private_files import make_private_directory
from conveyor.adapters.simulated.payments import SimulatedPaymentProvider
from conveyor.core.ambient import Ambient
from conveyor.core.transaction import Database
from conveyor.settings import SettingError, Settings

PAYMENTS_FILE = "provider.db"
CONNECTIONS = 2
"""To the books of one who is simulated: ours are what a server's connections are for."""


@asynccontextmanager
async def open_payments(
    settings: Settings, ambient: Ambient
) -> AsyncIterator[SimulatedPaymentProvider]:
    """Open the payment provider on its own ledger."""
    async with open_ledger(settings, PAYMENTS_FILE) as ledger:
        latency = settings.payment_latency_seconds
        provider = SimulatedPaymentProvider(ledger, ambient, latency_seconds=latency)
        await provider.open()
        yield provider
        await provider.close()


@asynccontextmanager
async def open_ledger(settings: Settings, file: str) -> AsyncIterator[Database]:
    """Open the books of one who is simulated: with embedded files a `file` of the directory.

    On PostgreSQL they are in a database of their own, which is made where it is missing: what a
    provider has on record survives whatever befalls our books. Raises `SettingError`.
    """
    ledger = await _open(settings, file)
    try:
        yield ledger
    finally:
        await ledger.close()


async def _open(settings: Settings, file: str) -> Database:
    if settings.database_path is not None:
        from conveyor.adapters.sqlite.database import SqliteDatabase

        make_private_directory(settings.directory)
        return SqliteDatabase(settings.directory / file)
    from conveyor.adapters.postgres.creation import CannotCreateError, beside, create_missing
    from conveyor.adapters.postgres.database import PostgresDatabase

    url = settings.simulated_database_url
    if not url:
        url = beside(settings.database_url, "_simulated")
        try:
            await asyncio.to_thread(create_missing, url, settings.database_url)
        except CannotCreateError as error:
            cause = f"{error}. Make it, or name another"
            raise SettingError("CONVEYOR_SIMULATED_DATABASE_URL", cause) from error
    connections = min(CONNECTIONS, settings.database_connections)
    return PostgresDatabase(url, connections=connections, pooled=settings.database_pooled)
