"""Settings that nothing reads, and settings that do not go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from conveyor.adapters.loopback import is_loopback
from conveyor.core.queue import MAX_VISIBILITY_SECONDS
from conveyor.extension.ports import PAYMENTS, SIMULATED
from conveyor.operations.doctor.findings import Finding, failure, fine, warning
from conveyor.settings import EMBEDDED, Settings
from conveyor.system.named_ports import Named, named, read_named

CHECK = "settings"


async def check(settings: Settings, misspelt: Mapping[str, str]) -> list[Finding]:
    """Look at the settings alone; nothing is opened."""
    found = [*_unread(misspelt), *_backends(settings), *_times(settings), *_outside(settings)]
    return found or [fine(CHECK, "all", "they go together")]


def _unread(misspelt: Mapping[str, str]) -> Iterator[Finding]:
    for name, meant in misspelt.items():
        todo = f"did you mean {meant}?" if meant else "unset it"
        yield warning(CHECK, name, "is no setting of Conveyor, and has no effect", todo)


def _backends(settings: Settings) -> Iterator[Finding]:
    on_sqlite = settings.database_path is not None
    embedded = settings.queue_url.startswith(EMBEDDED)
    if embedded and not on_sqlite:
        yield warning(
            CHECK,
            "CONVEYOR_QUEUE_URL",
            "an embedded queue belongs to one process, and PostgreSQL to many",
            "name queues on SQS with sqs://..., or run `conveyor up` alone",
        )
    if on_sqlite and not embedded:
        yield warning(
            CHECK,
            "CONVEYOR_DATABASE_URL",
            "queues on SQS belong to many processes, and an embedded database to one",
            "name a PostgreSQL, or run `conveyor up` alone",
        )
    if on_sqlite and settings.database_read_url:
        yield failure(
            CHECK,
            "CONVEYOR_DATABASE_READ_URL",
            "an embedded database has no replica",
            "leave it out, or name a PostgreSQL in CONVEYOR_DATABASE_URL",
        )
    query = urlsplit(settings.queue_url).query
    endpoint = urlsplit(query.partition("endpoint_url=")[2])
    if endpoint.scheme == "http" and not is_loopback(endpoint.hostname):
        yield warning(
            CHECK,
            "CONVEYOR_QUEUE_URL",
            f"messages go to {endpoint.hostname} without TLS",
            "use https in its endpoint_url",
        )


def _times(settings: Settings) -> Iterator[Finding]:
    if settings.call_timeout_seconds > settings.visibility_seconds:
        yield warning(
            CHECK,
            "CONVEYOR_VISIBILITY_SECONDS",
            f"a call may take {settings.call_timeout_seconds:g} s, and its message is seen again "
            f"after {settings.visibility_seconds} s when its worker stands still",
            "set it to CONVEYOR_CALL_TIMEOUT_SECONDS or more (functions: six times their time-out)",
        )
    if settings.backoff_base_seconds > settings.backoff_cap_seconds:
        yield warning(
            CHECK,
            "CONVEYOR_BACKOFF_CAP_SECONDS",
            f"the longest rest, {settings.backoff_cap_seconds:g} s, is shorter than the first, "
            f"{settings.backoff_base_seconds:g} s",
            "set it higher than CONVEYOR_BACKOFF_BASE_SECONDS",
        )
    if settings.backoff_cap_seconds > MAX_VISIBILITY_SECONDS:
        yield warning(
            CHECK,
            "CONVEYOR_BACKOFF_CAP_SECONDS",
            f"no message of SQS rests longer than {MAX_VISIBILITY_SECONDS} s",
            f"set it to {MAX_VISIBILITY_SECONDS} or less",
        )


def _outside(settings: Settings) -> Iterator[Finding]:
    carriers = read_named(settings.carrier, "CONVEYOR_CARRIER")
    yield from _unheard(settings, carriers)
    simulated: list[str] = []
    for what, does, who in (
        ("payment provider", "takes the money", named(PAYMENTS, settings)),
        ("carrier", "carries the goods", carriers),
    ):
        simulated += [what] if who.default == SIMULATED else []
        for merchant, name in who.of_merchants.items():
            simulated += [f"{what} of {merchant}"] if name == SIMULATED else []
            yield fine(CHECK, f"{what} of {merchant}", f"{name} {does}")
    if settings.database_path is None and simulated:
        yield warning(
            CHECK,
            ", ".join(simulated),
            "simulated, on a PostgreSQL: no money moves or no parcel leaves",
            "for a trial that is right; do not take real orders with it",
        )


def _unheard(settings: Settings, carriers: Named) -> Iterator[Finding]:
    """Name the carriers without a secret of theirs."""
    secrets = settings.webhook_secrets
    todo = "set what you share with the carrier, the same for every process, unless it has none"
    if carriers.default not in {"", SIMULATED} and not secrets.keys() & {"", carriers.default}:
        says = "is not set: no webhook of the carrier's is taken"
        yield warning(CHECK, "CONVEYOR_WEBHOOK_SECRET", says, todo)
    for name in carriers.others:
        if name != SIMULATED and name not in secrets:
            says = f"has no {name}=whsec_...: no webhook of that carrier's is taken"
            yield warning(CHECK, "CONVEYOR_WEBHOOK_SECRET", says, todo)
