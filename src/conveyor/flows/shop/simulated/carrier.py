"""A carrier for development, tests and demos, steered by the address.

It keeps a ledger of its own, and tells of each arrival by a signed webhook until it is heard.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from conveyor.adapters.faults import Breakable, Fault
from conveyor.core.ambient import Ambient
from conveyor.core.batching import Batcher
from conveyor.core.errors import UnansweredError
from conveyor.core.transaction import Database
from conveyor.flows.shop.shipping.ports import (
    CarrierAnswer,
    Dispatched,
    Parcel,
    ParcelOnRecord,
    Rejected,
)
from conveyor.flows.shop.shipping.webhooks import WebhookKey
from conveyor.flows.shop.simulated import carrier_ledger as ledger
from conveyor.flows.shop.simulated.arrivals import Arrivals, Post, Wake
from conveyor.flows.shop.simulated.carrier_ledger import Entry

# What the address decides. Any other is delivered, and confirmed, in good time.
UNSERVED_COUNTRY = "XX"  # rejected
LOSING_CITY = "Nowhere"  # whatever goes there is lost
LIMBO_CITY = "Limbo"  # the first parcel is lost, the one that replaces it arrives
MUTE_CITY = "Mute"  # it arrives, and the carrier never says so unless it is asked
SILENT_CITY = "Silence"  # the parcel is taken, and the call is never answered

MAX_GROUP = 256
IDLE_SECONDS = 1.0
"""How often a ledger that processes share is looked at for what another has left in it."""


class SimulatedCarrier(Breakable):
    """The `Carrier` port on a ledger; parcels that wait at once share a transaction."""

    def __init__(
        self,
        database: Database,
        ambient: Ambient,
        *,
        deliver_after_seconds: float,
        look_seconds: float | None = None,
    ) -> None:
        """`look_seconds` is how often the ledger is looked at for what other processes left in it.

        By default it is `IDLE_SECONDS`, but never on SQLite, which belongs to one process.
        """
        self._database = database
        self._ambient = ambient
        self._alone = database.dialect == "sqlite" and look_seconds is None
        self._look_seconds = math.inf if self._alone else look_seconds or IDLE_SECONDS
        self._deliver_after_ms = round(deliver_after_seconds * 1000)
        self._groups: Batcher[Entry, CarrierAnswer] = Batcher(self._take, MAX_GROUP)
        self._wake = Wake()
        self._silent = Fault(
            "carrier-silent",
            "The carrier is silent",
            does="It takes parcels, and tells of no arrival.",
            watch="Orders stay outside at ship. Once this is off, it tells of all that has arrived "
            "meanwhile.",
            switched=self._wake.ring,
        )
        self.faults = (self._silent,)

    async def open(self) -> None:
        """Create the ledger where it is missing; who is alone takes over what a crash left."""
        await self._database.run(ledger.create)
        if self._alone:
            await self._database.run(ledger.release)

    async def close(self) -> None:
        """Finish what was sent. The database stays open: it was handed in."""
        await self._groups.join()

    async def dispatch(self, parcel: Parcel, key: str) -> CarrierAnswer:
        """See `Carrier`."""
        country, city = parcel.address.get("country"), parcel.address.get("city")
        if country == UNSERVED_COUNTRY:
            return Rejected(f"{UNSERVED_COUNTRY} is not served")
        self._silent.strikes()
        answer = await self._groups.submit(self._entry(parcel, key, city))
        if city == SILENT_CITY:
            raise UnansweredError("the carrier did not answer")
        return answer

    async def status(self, key: str) -> CarrierAnswer | None:
        """See `Carrier`."""
        found = await self._database.read(lambda tx: ledger.find(tx, [key]))
        if not found:
            return None
        return Dispatched(found[key].tracking, found[key].state(self._ambient.now_ms()))

    async def statement(self, keys: Sequence[str]) -> Mapping[str, ParcelOnRecord]:
        """See `Statement`."""
        return await self._database.examine(lambda tx: ledger.recorded(tx, keys))

    async def parcels_after(self, key: str) -> Sequence[ParcelOnRecord]:
        """See `OpenLedger`."""
        return await self._database.examine(lambda tx: ledger.recorded_after(tx, key))

    def arrivals(self, key: WebhookKey, post: Post) -> Arrivals:
        """Give what tells of arrivals; any number may run at once.

        `post` sends headers and body, signed with `key`, to our webhook and gives the status of
        the answer.
        """
        return Arrivals(
            self._database,
            self._ambient,
            self._wake,
            silent=self._silent,
            look_seconds=self._look_seconds,
            key=key,
            post=post,
        )

    def _entry(self, parcel: Parcel, key: str, city: object) -> Entry:
        now = self._ambient.now_ms()
        lost = city == LOSING_CITY or (city == LIMBO_CITY and not parcel.replaces)
        arrives_at = None if lost else now + self._deliver_after_ms
        tell_at = None if city == MUTE_CITY else arrives_at
        tracking = f"SIM{self._ambient.new_id()}"
        return Entry(key, parcel.order_id, tracking, now, arrives_at, tell_at)

    async def _take(self, group: list[Entry]) -> list[CarrierAnswer]:
        entries = await self._database.run(lambda tx: ledger.take(tx, group))
        self._wake.by(entry.tell_at for entry in group)
        # It has just been taken: where it is, and whether it is lost, only `status` can know.
        return [Dispatched(entries[entry.key].tracking) for entry in group]
