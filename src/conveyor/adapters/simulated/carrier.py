"""A carrier for development, tests and demos, steered by the address.

It keeps a ledger of its own, and tells of each arrival by a signed webhook until it is heard.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

from conveyor.adapters.simulated import carrier_ledger as ledger
from conveyor.adapters.simulated.carrier_ledger import Entry, Told
from conveyor.messaging.ambient import Ambient
from conveyor.messaging.batching import Batcher
from conveyor.messaging.errors import (
    CommitUnknownError,
    DatabaseUnavailableError,
    UnansweredError,
)
from conveyor.messaging.transaction import Database
from conveyor.services.shipping.messages import Delivered, write_confirmation
from conveyor.services.shipping.ports import CarrierAnswer, Dispatched, Parcel, Rejected
from conveyor.services.shipping.webhooks import WebhookKey

log = logging.getLogger(__name__)

# What the address decides. Any other is delivered, and confirmed, in good time.
UNSERVED_COUNTRY = "XX"  # rejected
LOSING_CITY = "Nowhere"  # whatever goes there is lost
LIMBO_CITY = "Limbo"  # the first parcel is lost, the one that replaces it arrives
MUTE_CITY = "Mute"  # it arrives, and the carrier never says so unless it is asked
SILENT_CITY = "Silence"  # the parcel is taken, and the call is never answered

MAX_GROUP = 256
MAX_POSTS = 100
"""Webhooks under way at the same time."""
POST_SECONDS = 15.0
CLAIM_SECONDS = 30.0
"""How long a claimed arrival is left to the process that claimed it: more than a post may take."""
IDLE_SECONDS = 1.0
"""How often a ledger that processes share is looked at for what another has left in it."""
BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 300.0
MAX_TRIES = 20
SUCCESS = range(200, 300)
OUTAGES = (DatabaseUnavailableError, CommitUnknownError)

Post = Callable[[Mapping[str, str], bytes], Awaitable[int]]


class SimulatedCarrier:
    """The `Carrier` port on a ledger; parcels that wait at once share a transaction."""

    def __init__(
        self,
        database: Database,
        ambient: Ambient,
        *,
        post: Post,
        key: WebhookKey,
        deliver_after_seconds: float,
        look_seconds: float | None = None,
    ) -> None:
        """`post` sends headers and body to our webhook and gives the status of the answer.

        `look_seconds` is how often the ledger is looked at for what other processes left in it;
        by default `IDLE_SECONDS`, but never on SQLite, which belongs to one process.
        """
        self._database = database
        self._ambient = ambient
        self._post = post
        self._key = key
        self._alone = database.dialect == "sqlite" and look_seconds is None
        self._look_seconds = math.inf if self._alone else look_seconds or IDLE_SECONDS
        self._deliver_after_ms = round(deliver_after_seconds * 1000)
        self._groups: Batcher[Entry, CarrierAnswer] = Batcher(self._take, MAX_GROUP)
        self._wake = asyncio.Event()
        self._wakes_at = math.inf

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

    async def shipped_twice(self) -> list[str]:
        """For the audit: orders of which more than one parcel was not lost."""
        return await self._database.read(ledger.shipped_twice)

    async def run(self, stop: asyncio.Event) -> None:
        """Tell of arrivals as they become due, until `stop` is set; any number may run at once."""
        stopper = asyncio.create_task(stop.wait())
        stopper.add_done_callback(lambda _: self._wake.set())
        told: list[Told] = []
        try:
            while not stop.is_set():
                told = await self._turn(told)
            # What is told and not entered will be told again: confirmations are harmless twice.
            with suppress(*OUTAGES):
                await self._claim(told, 0)
        finally:
            stopper.cancel()

    async def _turn(self, told: list[Told]) -> list[Told]:
        """Enter what was told and tell what is due, or else rest; gives what has been told."""
        try:
            rest = 0.0 if told else await self._rest_seconds()
            if rest == 0.0:
                claimed = await self._claim(told, MAX_POSTS)
                told = []
                return await self._tell_all(claimed)
        except OUTAGES:
            log.exception("the ledger cannot be used now")
            self._wake.clear()
            rest = IDLE_SECONDS
        await self._pause(rest)
        return told

    async def _rest_seconds(self) -> float:
        self._wake.clear()
        self._wakes_at = math.inf  # whatever is dispatched while we look wakes us
        due = await self._database.read(ledger.next_telling)
        now = self._ambient.now_ms()
        rest = min(math.inf if due is None else (due - now) / 1000, self._look_seconds)
        self._wakes_at = now + rest * 1000
        return max(rest, 0.0)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), None if seconds == math.inf else seconds)
        except TimeoutError:
            return

    async def _claim(self, told: Sequence[Told], count: int) -> list[Entry]:
        if not told and not count:
            return []
        now = self._ambient.now_ms()
        until = now + round(CLAIM_SECONDS * 1000)
        return await self._database.run(
            lambda tx: ledger.note_and_claim(tx, told, now, until, count)
        )

    async def _tell_all(self, entries: Sequence[Entry]) -> list[Told]:
        told = await asyncio.gather(*map(self._tell, entries))
        unheard = sum(one.told_at is None for one in told)
        if unheard:
            log.warning("%d of %d webhooks were not heard", unheard, len(told))
        return told

    async def _tell(self, entry: Entry) -> Told:
        arrived_at = entry.arrives_at or entry.taken_at
        body = write_confirmation(Delivered(entry.order_id, entry.tracking), arrived_at)
        headers = self._key.sign(f"msg_{entry.tracking}", body, self._ambient.now_ms())
        try:
            async with asyncio.timeout(POST_SECONDS):
                status = await self._post(headers | {"content-type": "application/json"}, body)
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody has heard us
            status = 0
            log.debug("webhook of %s: %r", entry.tracking, error)
        return self._outcome(entry, heard=status in SUCCESS)

    def _outcome(self, entry: Entry, *, heard: bool) -> Told:
        now, tries = self._ambient.now_ms(), entry.tries + 1
        if heard:
            return Told(entry.key, tries, tell_at=None, told_at=now)
        if tries >= MAX_TRIES:  # an enquiry will still find it arrived
            return Told(entry.key, tries, tell_at=None, told_at=None)
        rest = min(BACKOFF_SECONDS * 2**entry.tries, MAX_BACKOFF_SECONDS)
        rest *= self._ambient.random.uniform(0.5, 1.0)
        return Told(entry.key, tries, tell_at=now + round(rest * 1000), told_at=None)

    def _entry(self, parcel: Parcel, key: str, city: object) -> Entry:
        now = self._ambient.now_ms()
        lost = city == LOSING_CITY or (city == LIMBO_CITY and not parcel.replaces)
        arrives_at = None if lost else now + self._deliver_after_ms
        tell_at = None if city == MUTE_CITY else arrives_at
        tracking = f"SIM{self._ambient.new_id()}"
        return Entry(key, parcel.order_id, tracking, now, arrives_at, tell_at)

    async def _take(self, group: list[Entry]) -> list[CarrierAnswer]:
        entries = await self._database.run(lambda tx: ledger.take(tx, group))
        if any(entry.tell_at is not None and entry.tell_at < self._wakes_at for entry in group):
            self._wake.set()
        # It has just been taken: where it is, and whether it is lost, only `status` can know.
        return [Dispatched(entries[entry.key].tracking) for entry in group]
