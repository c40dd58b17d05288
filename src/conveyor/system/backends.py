"""Two URLs choose the backends: the database and the queues, embedded or on many machines."""

from __future__ import annotations

from collections.abc import Sequence

from conveyor.adapters.private_files import make_private_directory
from conveyor.core.ambient import Ambient
from conveyor.core.printable import without_secrets
from conveyor.core.queue import Queues, QueueSpec
from conveyor.core.transaction import Database, ReadDatabase, Replica
from conveyor.settings import EMBEDDED, SettingError, Settings

QUEUE_FILE = "queue.db"
READ_URL = "CONVEYOR_DATABASE_READ_URL"
POSTGRES_SCHEMES = ("postgresql://", "postgres://")


def open_database(settings: Settings) -> Database:
    """Open the database that the settings name. Raises `SettingError`."""
    path = settings.database_path
    if path is not None:
        from conveyor.adapters.sqlite.database import SqliteDatabase

        make_private_directory(path.parent)
        return SqliteDatabase(path)
    if settings.database_url.startswith(POSTGRES_SCHEMES):
        from conveyor.adapters.postgres.database import PostgresDatabase

        connections, pooled = settings.database_connections, settings.database_pooled
        return PostgresDatabase(settings.database_url, connections=connections, pooled=pooled)
    raise SettingError(
        "CONVEYOR_DATABASE_URL",
        f"{without_secrets(settings.database_url)!r} is neither sqlite:///FILE nor "
        "postgresql://USER@HOST/NAME",
    )


def open_replica(settings: Settings) -> Replica | None:
    """Open the replica that the settings name, if they do. Raises `SettingError`."""
    url = settings.database_read_url
    if not url:
        return None
    if settings.database_path is not None:
        raise SettingError(
            READ_URL, "a replica is for PostgreSQL; leave it out with an embedded one"
        )
    if not url.startswith(POSTGRES_SCHEMES):
        raise SettingError(READ_URL, f"{without_secrets(url)!r} is not postgresql://USER@HOST/NAME")
    from conveyor.adapters.postgres.replica import PostgresReplica

    connections, pooled = settings.database_connections, settings.database_pooled
    return PostgresReplica(url, connections=connections, pooled=pooled)


def open_reading(settings: Settings) -> ReadDatabase:
    """Open what the settings name, for reading, beside the process that has it: a replica first."""
    path = settings.database_path
    if path is not None:
        from conveyor.adapters.sqlite.looking import SqliteReading

        return SqliteReading(path)
    alone = settings.model_copy(update={"database_connections": 1})
    return open_replica(alone) or open_database(alone)


def open_queues(settings: Settings, specs: Sequence[QueueSpec], ambient: Ambient) -> Queues:
    """Give the queues that the settings name, not yet connected. Raises `SettingError`."""
    if settings.queue_url.startswith(EMBEDDED):
        from conveyor.adapters.embedded_queue import EmbeddedQueues

        make_private_directory(settings.directory)
        return EmbeddedQueues(settings.directory / QUEUE_FILE, specs, ambient)
    if settings.queue_url.startswith("sqs:"):
        from conveyor.adapters.sqs import SqsQueues, parse_sqs_url

        return SqsQueues(parse_sqs_url(settings.queue_url), specs, ambient)
    raise SettingError(
        "CONVEYOR_QUEUE_URL",
        f"{without_secrets(settings.queue_url)!r} is neither embedded: nor sqs://REGION/PREFIX",
    )
