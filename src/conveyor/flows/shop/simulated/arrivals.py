"""How the simulated carrier tells of arrivals: by a signed webhook, until it is heard."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from conveyor.adapters.faults import Fault
from conveyor.core.ambient import Ambient
from conveyor.core.errors import CommitUnknownError, DatabaseUnavailableError
from conveyor.core.outage import Outage
from conveyor.core.transaction import Database
from conveyor.flows.shop.shipping.messages import Delivered, write_confirmation
from conveyor.flows.shop.shipping.webhooks import WebhookKey
from conveyor.flows.shop.simulated import carrier_ledger as ledger
from conveyor.flows.shop.simulated.carrier_ledger import Entry, Told

log = logging.getLogger(__name__)

MAX_POSTS = 100
"""Webhooks under way at the same time."""
POST_SECONDS = 15.0
CLAIM_SECONDS = 8.0
"""How long a claimed arrival is left to the process that claimed it, without another word of it."""
OUTAGE_SECONDS = 1.0
BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 300.0
MAX_TRIES = 20
SUCCESS = range(200, 300)
OUTAGES = (DatabaseUnavailableError, CommitUnknownError)

Post = Callable[[Mapping[str, str], bytes], Awaitable[int]]


class Wake:
    """Ends a rest early, for what is due before the rest would end."""

    def __init__(self) -> None:
        """Nobody rests."""
        self._rung = asyncio.Event()
        self._at = math.inf

    def begin(self) -> None:
        """Begin to look what is due: whatever comes from now on ends the rest."""
        self._rung.clear()
        self._at = math.inf

    def until(self, at: float) -> None:
        """Rest until this time, in milliseconds: what is due later ends no rest."""
        self._at = at

    def by(self, due: Iterable[int | None]) -> None:
        """End the rest for what is due at one of these times."""
        if any(at is not None and at < self._at for at in due):
            self.ring()

    def ring(self) -> None:
        """End the rest."""
        self._rung.set()

    async def rest(self, seconds: float) -> None:
        """Rest so long, or until it is ended."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), None if seconds == math.inf else seconds)


class Arrivals:
    """Tells of what has arrived as it becomes due."""

    def __init__(
        self,
        database: Database,
        ambient: Ambient,
        wake: Wake,
        *,
        silent: Fault,
        look_seconds: float,
        key: WebhookKey,
        post: Post,
    ) -> None:
        """Take a ledger, and what ends a rest: whatever is dispatched here meanwhile.

        While it is `silent` nothing is told.
        """
        self._database = database
        self._ambient = ambient
        self._wake = wake
        self._silent = silent
        self._look_seconds = look_seconds
        self._key = key
        self._post = post
        self._outage = Outage("the simulated carrier's ledger", "nobody hears of arrivals")

    async def run(self, stop: asyncio.Event) -> None:
        """Tell of arrivals as they become due, until `stop` is set; any number may run at once."""
        stopper = asyncio.create_task(stop.wait())
        stopper.add_done_callback(lambda _: self._wake.ring())
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
                claimed = await self._claim(told, 0 if self._silent.is_on else MAX_POSTS)
                told = []
                return await self._tell_all(claimed)
        except OUTAGES as error:
            self._outage.begin(error)
            self._wake.begin()
            rest = OUTAGE_SECONDS
        else:
            self._outage.end()
        await self._wake.rest(rest)
        return told

    async def _rest_seconds(self) -> float:
        self._wake.begin()
        if self._silent.is_on:  # whoever switches it off ends the rest
            return math.inf
        due = await self._database.read(ledger.next_telling)
        now = self._ambient.now_ms()
        rest = min(math.inf if due is None else (due - now) / 1000, self._look_seconds)
        self._wake.until(now + rest * 1000)
        return max(rest, 0.0)

    async def _claim(self, told: Sequence[Told], count: int) -> list[Entry]:
        if not told and not count:
            return []
        now = self._ambient.now_ms()
        until = now + round(CLAIM_SECONDS * 1000)
        return await self._database.run(
            lambda tx: ledger.note_and_claim(tx, told, now, until, count)
        )

    async def _tell_all(self, entries: Sequence[Entry]) -> list[Told]:
        keeping = asyncio.create_task(self._keep([entry.key for entry in entries]))
        try:
            told = await asyncio.gather(*map(self._tell, entries))
        finally:
            keeping.cancel()
        unheard = sum(one.told_at is None for one in told)
        if unheard:
            log.warning("%d of %d webhooks were not heard", unheard, len(told))
        return told

    async def _keep(self, keys: Sequence[str]) -> None:
        """Put off the end of a claim for as long as its posts are under way."""
        while True:
            await asyncio.sleep(CLAIM_SECONDS / 2)
            until = self._ambient.now_ms() + round(CLAIM_SECONDS * 1000)
            with suppress(*OUTAGES):  # then another process may tell of them too
                await self._database.run(partial(ledger.keep, keys=keys, until_ms=until))

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
