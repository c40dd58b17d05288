"""A merchant has a carrier of its own, which ships its orders, and which they wait for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.flows.machines import only
from tests.flows.test_calls import assert_clean
from tests.flows.test_providers_of_merchants import MINUTE, place, statuses

from conveyor.adapters.sqlite import SqliteDatabase
from conveyor.core.errors import NotAppliedError
from conveyor.extension import Ambient
from conveyor.flows.shop.carrier import CARRIER, confirmations_of
from conveyor.flows.shop.shipping.messages import Delivered, write_confirmation
from conveyor.flows.shop.shipping.ports import CarrierAnswer, Parcel
from conveyor.flows.shop.shipping.store import shipment_of
from conveyor.flows.shop.shipping.webhooks import WebhookKey, WebhookRejectedError, write_secret
from conveyor.flows.shop.simulated.carrier import SimulatedCarrier
from conveyor.operations.audit import run_audit
from conveyor.operations.explain import explain, sentences
from conveyor.settings import Settings
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine

POST = "tests.flows.test_carriers_of_merchants:acme_post"
DAY = 86_400.0
OURS, THEIRS = write_secret(b"o" * 32), write_secret(b"t" * 32)
NAMED = {"carrier": f"simulated, acme={POST}", "webhook_secret": f"{OURS}, {POST}={THEIRS}"}
LATER = {"delivery_delay_seconds": 3_600.0}


class AcmePost(SimulatedCarrier):
    """A carrier of one merchant, which can be out."""

    is_out = False
    call_seconds = 7.0
    books: SqliteDatabase
    """Of the one that was opened last: a machine's death leaves them to their owner."""

    async def dispatch(self, parcel: Parcel, key: str) -> CarrierAnswer:
        if self.is_out:
            raise NotAppliedError("it is out")
        return await super().dispatch(parcel, key)


@asynccontextmanager
async def acme_post(settings: Settings, ambient: Ambient) -> AsyncIterator[AcmePost]:
    AcmePost.books = SqliteDatabase(settings.directory / "acme_post.db", inline=True)
    after = settings.delivery_delay_seconds
    post = AcmePost(AcmePost.books, ambient, deliver_after_seconds=after)
    await post.open()
    yield post
    await post.close()
    await AcmePost.books.close()


async def parcels(app: App, name: str) -> set[str]:
    """Give the orders of which one who is bound has a parcel."""
    carrier = app.ports.bound(CARRIER).by_name[name]
    assert isinstance(carrier, SimulatedCarrier)
    return {it.order_id for it in await carrier.parcels_after("")}


async def confirm(app: App, secret: str, order_id: str, tracking: str = "") -> str:
    """Let whoever has this secret confirm that an order's parcel has arrived."""
    shipment = await app.parts.database.read(lambda tx: shipment_of(tx, order_id))
    known = shipment.tracking if shipment else ""
    now = app.engine.ambient.now_ms()
    body = write_confirmation(Delivered(order_id, tracking or known), now)
    headers = WebhookKey([secret]).sign("msg_1", body, now)
    return await confirmations_of(app.running).receive(headers, body)


def test_each_is_shipped_by_its_own_and_the_audit_asks_each(tmp_path: Path) -> None:
    async def life(app: App) -> None:
        ours, acmes = await place(app, "default"), await place(app, "acme")
        await asyncio.sleep(MINUTE)
        assert await statuses(app, [ours, acmes]) == {"completed"}
        assert await parcels(app, "simulated") == {ours}
        assert await parcels(app, POST) == {acmes}
        await assert_clean(app)
        counts = {it.name: it.examined for it in (await run_audit(app)).findings}
        assert (counts["completed_has_arrived"], counts["shipped_once"]) == (2, 2)
        providers = app.engine.providers
        assert providers.of("shipping", "acme").call_seconds == AcmePost.call_seconds
        assert providers.of("shipping", "default").call_seconds == 30.0

    Machine(tmp_path, NAMED).run(life)


def test_a_parcel_that_its_carrier_does_not_have_is_found(tmp_path: Path) -> None:
    async def life(app: App) -> None:
        acmes = await place(app, "acme")
        await asyncio.sleep(MINUTE)
        await AcmePost.books.run(lambda tx: tx.connection.exec_driver_sql(LOSE_ALL))
        wrong = {it.name: it.examples for it in (await run_audit(app)).findings if it.violations}
        assert wrong == {"completed_has_arrived": [acmes]}

    Machine(tmp_path, NAMED).run(life)


LOSE_ALL = "DELETE FROM carrier_parcels"


def test_who_answers_nobody_is_paused_for_its_merchant_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def life(app: App) -> None:
        monkeypatch.setattr(AcmePost, "is_out", True)
        acmes = [await place(app, "acme") for _ in range(10)]
        ours = [await place(app, "default") for _ in range(10)]
        await asyncio.sleep(10 * MINUTE)
        assert await statuses(app, ours) == {"completed"}
        assert await statuses(app, acmes) == {"processing"}
        assert [it.name for it in app.engine.providers if it.breaker.is_paused] == [
            f"carrier {POST}"
        ]
        monkeypatch.setattr(AcmePost, "is_out", False)
        await asyncio.sleep(2 * MINUTE)
        assert await statuses(app, acmes) == {"completed"}

    Machine(tmp_path, NAMED).run(life)


def test_a_carrier_confirms_its_own_parcels_alone(tmp_path: Path) -> None:
    async def life(app: App) -> None:
        ours, acmes = await place(app, "default"), await place(app, "acme")
        await asyncio.sleep(MINUTE)
        assert await statuses(app, [ours, acmes]) == {"awaiting"}
        assert await confirm(app, THEIRS, ours) == "not_its_parcel"
        assert await confirm(app, OURS, acmes) == "not_its_parcel"
        with pytest.raises(WebhookRejectedError):
            await confirm(app, write_secret(b"x" * 32), ours)
        assert await statuses(app, [ours, acmes]) == {"awaiting"}
        assert await confirm(app, OURS, ours) == "taken"
        assert await confirm(app, THEIRS, acmes) == "taken"
        assert await confirm(app, OURS, acmes) == "not_its_parcel"
        assert await confirm(app, THEIRS, acmes) == "not_awaited"
        await asyncio.sleep(MINUTE)
        assert await statuses(app, [ours, acmes]) == {"completed"}

    Machine(tmp_path, NAMED | LATER).run(life)


def test_an_early_word_of_another_carrier_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def life(app: App) -> None:
        monkeypatch.setattr(AcmePost, "is_out", True)
        acmes = await place(app, "acme")
        await asyncio.sleep(1)
        assert await confirm(app, OURS, acmes, "T1") == "not_its_parcel"
        monkeypatch.setattr(AcmePost, "is_out", False)
        await asyncio.sleep(5 * MINUTE)
        assert await statuses(app, [acmes]) == {"awaiting"}
        await assert_clean(app)

    Machine(tmp_path, NAMED | LATER).run(life)


def rename(machine: Machine, carrier: str, secrets: str) -> None:
    AcmePost.books.abandon()
    said = {"carrier": carrier, "webhook_secret": secrets}
    machine.settings = Settings(data=machine.directory, **said, **LATER)


def test_an_order_keeps_to_the_carrier_that_has_its_parcel(tmp_path: Path) -> None:
    machine = Machine(tmp_path, NAMED | LATER, only())
    machine.paced = True
    ids: list[str] = []

    async def begins(app: App) -> None:
        ids.append(await place(app, "acme"))
        await asyncio.sleep(MINUTE)
        assert await statuses(app, ids) == {"awaiting"}

    async def waits(app: App) -> None:
        with pytest.raises(WebhookRejectedError):
            await confirm(app, THEIRS, ids[0])
        assert await confirm(app, OURS, ids[0]) == "not_its_parcel"
        await asyncio.sleep(7 * DAY)
        assert await statuses(app, ids) == {"processing"}
        told = await explain(app, ids[0], None)
        assert told is not None
        assert f"add `={POST}` to CONVEYOR_CARRIER" in "\n".join(sentences(told))

    async def ends(app: App) -> None:
        await asyncio.sleep(10 * MINUTE)
        assert await statuses(app, ids) == {"completed"}
        assert not await parcels(app, "simulated")
        assert await parcels(app, POST) == set(ids)
        await assert_clean(app)

    machine.run(begins)
    rename(machine, "simulated", OURS)
    machine.run(waits)
    rename(machine, f"simulated, ={POST}", f"{OURS} {POST}={THEIRS}")
    machine.run(ends)
