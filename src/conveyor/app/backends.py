"""Two URLs choose the backends: the database and the queues, embedded or on many machines."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from conveyor.adapters.migrations import HEAD, current_revision, is_current, migrate
from conveyor.adapters.private_files import make_private_directory
from conveyor.messaging.ambient import Ambient
from conveyor.messaging.errors import ConveyorError
from conveyor.messaging.printable import without_secrets
from conveyor.messaging.queue import Queues, QueueSpec
from conveyor.messaging.transaction import Database
from conveyor.services.shipping.webhooks import WebhookKey, WebhookSecretError, write_secret
from conveyor.settings import EMBEDDED, Settings

QUEUE_FILE = "queue.db"
LEDGER_FILE = "provider.db"
POSTGRES_SCHEMES = ("postgresql://", "postgres://")
LEDGER_CONNECTIONS = 3
SECRET_BYTES = 32


class SettingError(ConveyorError):
    """A setting that cannot be used; `name` is the environment variable.

    The cause says what can.
    """

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(f"{name}: {cause}")
        self.name = name
        self.cause = cause


class SchemaNotCurrentError(ConveyorError):
    """The database is not at the revision that this code needs; its operator decides when it is."""

    def __init__(self, revision: str | None, needed: str = HEAD, of: str = "") -> None:
        at = f"at revision {revision}" if revision else "empty"
        whose = f", for {of}," if of else ""
        super().__init__(
            f"the database is{whose} {at}, this version needs {needed}: run `conveyor migrate`"
        )
        self.revision = revision
        self.needed = needed
        self.of = of


def open_database(settings: Settings) -> Database:
    """Open the database that the settings name. Raises `SettingError`."""
    path = settings.database_path
    if path is not None:
        from conveyor.adapters.sqlite.database import SqliteDatabase

        make_private_directory(path.parent)
        return SqliteDatabase(path)
    if settings.database_url.startswith(POSTGRES_SCHEMES):
        return _postgres(settings, settings.database_connections)
    raise SettingError(
        "CONVEYOR_DATABASE_URL",
        f"{without_secrets(settings.database_url)!r} is neither sqlite:///FILE nor "
        "postgresql://USER@HOST/NAME",
    )


async def bring_up_to_date(database: Database) -> None:
    """Migrate an embedded database. Raises `SchemaNotCurrentError` for another that is behind."""
    if database.dialect == "sqlite":
        await migrate(database)
    elif not await is_current(database):
        raise SchemaNotCurrentError(await current_revision(database))


def open_ledger(settings: Settings) -> Database:
    """Open the database of the simulated provider and carrier: theirs, not ours."""
    if settings.database_path is not None:
        from conveyor.adapters.sqlite.database import SqliteDatabase

        return SqliteDatabase(settings.directory / LEDGER_FILE)
    return _postgres(settings, min(LEDGER_CONNECTIONS, settings.database_connections))


def _postgres(settings: Settings, connections: int) -> Database:
    from conveyor.adapters.postgres.database import PostgresDatabase

    return PostgresDatabase(
        settings.database_url, connections=connections, pooled=settings.database_pooled
    )


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


def webhook_key(settings: Settings) -> WebhookKey:
    """Give what webhooks are signed with. Raises `SettingError`, which shows no secret."""
    given = webhook_secrets(settings)
    try:
        return WebhookKey(given)
    except WebhookSecretError as error:
        raise SettingError(
            "CONVEYOR_WEBHOOK_SECRET",
            f'{error} This makes one: echo "whsec_$(openssl rand -base64 32)"',
        ) from error


def webhook_secrets(settings: Settings) -> list[str]:
    """Give the secrets shared with the carrier, the newest first.

    One process alone may make one up. Raises `SettingError`.
    """
    if given := settings.webhook_secret.replace(",", " ").split():
        return given
    made_up = write_secret(secrets.token_bytes(SECRET_BYTES))
    if settings.webhook_url:
        raise SettingError(
            "CONVEYOR_WEBHOOK_SECRET",
            "is needed with CONVEYOR_WEBHOOK_URL, the same in every process; "
            f"here is a new one: {made_up}",
        )
    return [made_up]
