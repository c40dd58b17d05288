"""Our payment providers, and the example's, keep what every payment provider promises."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from examples import http_provider
from tests.conformance.database_fixtures import open_database
from tests.examples.bank import running_bank
from tests.servers.postgres import Postgres
from tests.unit.payment_driver import ambient

from conveyor.adapters.simulated.payments import SimulatedPaymentProvider
from conveyor.commerce.payments.ports import Approved, PaymentProvider
from conveyor.settings import Settings
from conveyor.testing.conformance.payments import (
    PaymentProviderConformance,
    ProviderUnderTest,
    authorization,
)

STARTERS = 8


@dataclass(frozen=True)
class Kind(ProviderUnderTest):
    """The simulated one, on a database."""

    url: str = ""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[PaymentProvider]:
        database = open_database(self.url, inline=False)
        provider = SimulatedPaymentProvider(database, ambient())
        await provider.open()
        try:
            yield provider
        finally:
            await provider.close()
            await database.close()


@dataclass(frozen=True)
class OverHttp(Kind):
    """The example of docs/your-provider.md; `url` is the bank's."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[PaymentProvider]:
        os.environ["BANK_URL"] = self.url
        async with http_provider.bank(Settings(), ambient()) as provider:
            yield provider


@pytest.fixture
def over_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderUnderTest]:
    # A machine on which other tests run may be slower than a bank is allowed to be.
    monkeypatch.setattr(http_provider, "CONNECT_SECONDS", http_provider.ANSWER_SECONDS)
    with running_bank(tmp_path / "bank.db") as it:
        yield OverHttp(url=it.url)


SIMULATED = ("simulated-sqlite", "simulated-postgresql")


@pytest.fixture(params=SIMULATED)
def simulated(request: pytest.FixtureRequest, tmp_path: Path) -> ProviderUnderTest:
    return _simulated(request, tmp_path)


@pytest.fixture(params=[*SIMULATED, "over-http"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> ProviderUnderTest:
    if request.param == "over-http":
        made: ProviderUnderTest = request.getfixturevalue("over_http")
        return made
    return _simulated(request, tmp_path)


def _simulated(request: pytest.FixtureRequest, tmp_path: Path) -> ProviderUnderTest:
    if request.param == "simulated-sqlite":
        return Kind(shared=False, url=f"sqlite:///{tmp_path / 'provider.db'}")
    server: Postgres = request.getfixturevalue("postgres")
    return Kind(url=server.fresh_database())


class TestEach(PaymentProviderConformance):
    """All of it, for each of them."""


def test_processes_may_make_the_ledger_at_the_same_time(postgres: Postgres) -> None:
    async def main() -> None:
        kind = Kind(url=postgres.fresh_database())
        databases = [open_database(kind.url, inline=False) for _ in range(STARTERS)]
        for database in databases:  # connected already, so that they start together
            await database.read(lambda _tx: None)
        providers = [SimulatedPaymentProvider(database, ambient()) for database in databases]
        await asyncio.gather(*(provider.open() for provider in providers))
        answer = await providers[-1].authorize(authorization(kind), "authorize")
        assert isinstance(answer, Approved)
        for database in databases:
            await database.close()

    asyncio.run(main())


def test_lookup_finds_what_is_still_under_way(simulated: ProviderUnderTest) -> None:
    # Over a network a request that was sent first may come in second: the engine asks only once no
    # call with the key can still be under way.
    async def story(provider: PaymentProvider) -> None:
        sent = asyncio.ensure_future(provider.authorize(authorization(simulated), "authorize"))
        await asyncio.sleep(0)  # it is sent, and nobody has answered
        found = await provider.lookup("authorize")
        assert found is not None
        assert found == await sent

    simulated.play(story)
