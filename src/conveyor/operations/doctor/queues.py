"""The queues on SQS: there, as provisioning makes them, and with somebody who takes from them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from conveyor.adapters.sqs import SqsQueues, parse_sqs_url
from conveyor.adapters.sqs.attributes import Difference, all_attributes, differences
from conveyor.adapters.sqs.provisioning import attributes_of
from conveyor.adapters.sqs.queue import DEPTH_ATTRIBUTES, SqsQueue
from conveyor.adapters.steady_clock import MachineClock, since_boot_seconds
from conveyor.core.errors import QueueUnavailableError
from conveyor.core.queue import DEAD_LETTER_SUFFIX
from conveyor.operations.doctor.findings import Finding, Status, failure, fine, warning
from conveyor.operations.doctor.permissions import refusals
from conveyor.operations.doctor.skew import judged as judged_skew
from conveyor.settings import Settings
from conveyor.system.installation import installation
from conveyor.system.opening import ambient_of

CHECK = "queues"
WATCH_SECONDS = 3.0
"""How long a queue with messages is watched for somebody who takes from it."""
SECOND_MS = 1000
DATE_SECONDS = 2.0
"""A `Date` is told to the second, and servers may tell it for another one."""

Depths = Mapping[str, tuple[int, int]]


@dataclass(slots=True)
class Seen:
    """What the look at the queues leaves for others: their ARNs, by the names of their specs."""

    arns: dict[str, str] = field(default_factory=dict)


async def check(settings: Settings, seen: Seen, now_ms: Callable[[], int]) -> list[Finding]:
    """Look at all queues. Raises what cannot be looked at."""
    specs = installation(settings).queues
    address = parse_sqs_url(settings.queue_url)
    queues = SqsQueues(address, specs, ambient_of(MachineClock()))
    await queues.open()
    try:
        clock = await _clock(queues, now_ms)
        names = [name for it in specs for name in (it.name, it.dead_letters().name)]
        every = [queues.queue(name) for name in names]
        looks = await asyncio.gather(*(look(queues, it, settings) for it in every))
        there = [it for it, (actual, _) in zip(every, looks, strict=True) if actual]
        seen.arns |= {
            it.spec.name: a["QueueArn"] for it, (a, _) in zip(every, looks, strict=True) if a
        }
        found = [finding for _, findings in looks for finding in findings]
        if not there:
            return [clock, *found]
        rights = await refusals(queues, there, is_amazons=address.endpoint_url is None)
        return [clock, *_summed_up(found, len(there)), *rights, *await _drained(queues, there)]
    finally:
        await queues.close()


async def _clock(queues: SqsQueues, now_ms: Callable[[], int]) -> Finding:
    """Compare our clock with the `Date` of an answer, which is told to the second."""
    begun, ours = since_boot_seconds(), now_ms()
    answer = await queues.ask("any", "get_queue_url", QueueName="conveyor-doctor-asks-for-the-time")
    half = (since_boot_seconds() - begun) / 2
    if answer.date_ms is None:
        says = "the queue service does not say what time it is"
        return warning("clock", "queue service", says, "compare it by hand")
    middle = answer.date_ms + DATE_SECONDS / 2 * SECOND_MS
    skew = (middle - ours) / SECOND_MS - half
    todo = "put this machine's clock right, with NTP: SQS refuses what was signed minutes ago"
    return judged_skew("queue service", skew, half + DATE_SECONDS / 2, todo)


async def look(
    queues: SqsQueues, queue: SqsQueue, settings: Settings
) -> tuple[dict[str, str] | None, list[Finding]]:
    """Give a queue's attributes, None where it is not to be seen, and what is wrong with it."""
    try:
        actual = await attributes_of(queues, queue)
    except QueueUnavailableError as error:
        todo = "see credentials, rights and network"
        return None, [failure(CHECK, queue.name, f"it cannot be looked at: {error.cause}", todo)]
    if actual is None:
        return None, [failure(CHECK, queue.name, "there is no such queue", PROVISION)]
    base = queue.spec.name.removesuffix(DEAD_LETTER_SUFFIX)
    dead_letters = queues.queue(base + DEAD_LETTER_SUFFIX).name
    wanted = all_attributes(queue.spec, actual, dead_letters, settings.queue_kms_key)
    return actual, [_told(queue, it) for it in differences(wanted, actual)]


def _told(queue: SqsQueue, difference: Difference) -> Finding:
    found = difference.found or "not set"
    says = f"{difference.attribute} is {found}, not {difference.expected}"
    if difference.attribute == "Policy":
        says = "its policy takes requests without TLS"
    facts = (difference.expected, difference.found)
    return Finding(CHECK, queue.name, Status.FAILURE, says, PROVISION, *facts)


def _summed_up(found: Sequence[Finding], there: int) -> Sequence[Finding]:
    if found:
        return found
    return [fine(CHECK, f"{there} queues", "all are there, each as `queues provision` makes it")]


async def _drained(queues: SqsQueues, there: Sequence[SqsQueue]) -> list[Finding]:
    """Watch the queues that hold messages: does anybody take them?"""
    before = await _depths(queues, there)
    if any(visible for visible, _ in before.values()):
        await asyncio.sleep(WATCH_SECONDS)
    after = await _depths(queues, there)
    found = [it for queue in there for it in _judged(queue, before, after)]
    return found or [fine("workers", "queues", "no message waits for anybody")]


async def _depths(queues: SqsQueues, there: Sequence[SqsQueue]) -> dict[str, tuple[int, int]]:
    depths = await asyncio.gather(*(_depth(queues, it) for it in there))
    return {it.name: depth for it, depth in zip(there, depths, strict=True) if depth}


async def _depth(queues: SqsQueues, queue: SqsQueue) -> tuple[int, int] | None:
    url = await queue.url()
    answer = await queues.ask(
        queue.name, "get_queue_attributes", QueueUrl=url, AttributeNames=DEPTH_ATTRIBUTES
    )
    attributes = answer.body.get("Attributes")
    if attributes is None:
        return None
    visible, in_flight, _ = (int(attributes.get(name, 0)) for name in DEPTH_ATTRIBUTES)
    return visible, in_flight


def _judged(queue: SqsQueue, before: Depths, after: Depths) -> Iterator[Finding]:
    visible, in_flight = after.get(queue.name, (0, 0))
    had, had_in_flight = before.get(queue.name, (0, 0))
    if not visible:
        return
    if not queue.spec.max_receives:
        todo = "`conveyor dead-letters list` shows them"
        yield warning("workers", queue.name, f"{visible:,} dead letters wait for an operator", todo)
    elif in_flight or had_in_flight or visible < had:
        says = f"{visible:,} messages wait, {in_flight:,} are being handled"
        yield fine("workers", queue.name, says)
    else:
        says = f"{visible:,} messages wait, and nobody takes them"
        todo = f"run `conveyor work {queue.spec.name}`, or enable its function's event source"
        if queue.spec.durable:
            todo = "run `conveyor work orders`, or enable its function's event source"
        yield warning("workers", queue.name, says, todo)


PROVISION = "run `conveyor queues provision` (first with --dry-run)"
