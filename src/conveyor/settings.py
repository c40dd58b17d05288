"""Settings: environment variables that begin with `CONVEYOR_`, each with a sane default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from conveyor.commerce.orders.model import Currency
from conveyor.core.errors import ConveyorError
from conveyor.core.queue import MAX_VISIBILITY_SECONDS
from conveyor.core.time_limits import MAX_CALL_SECONDS, MIN_VISIBILITY_SECONDS

DEFAULT_DATA = Path("conveyor-data")
DATABASE_FILE = "conveyor.db"
EMBEDDED = "embedded:"
PREFIX = "CONVEYOR_"
TRACE_ID = "{trace_id}"


class SettingError(ConveyorError):
    """A setting that cannot be used; `name` is the environment variable.

    The cause says what can.
    """

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(f"{name}: {cause}")
        self.name = name
        self.cause = cause


class Settings(BaseModel):
    """What a deployment chooses. `--help` of each command says which of these it overrides.

    What is not given is read from the environment.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    data: Path = Field(DEFAULT_DATA, description="Directory of the embedded files.")
    database_url: str = Field(
        "", description="sqlite:///FILE or postgresql://...; default: a file in the data directory."
    )
    database_connections: int = Field(
        8, ge=1, description="Connections to PostgreSQL, for each process; a function has one."
    )
    database_pooled: bool = Field(
        default=False,
        description="A pooler is before PostgreSQL, such as RDS Proxy or PgBouncer, which lends a "
        "session for one transaction: prepare no statement, set nothing beyond it.",
    )
    database_read_url: str = Field(
        "",
        description="postgresql://... of a replica, for what may be somewhat older: lists, "
        "summaries, `explain` and the audit; default: all is read where it is written.",
    )
    queue_url: str = Field(
        EMBEDDED, description="embedded: or sqs://REGION/PREFIX?endpoint_url=..."
    )
    queue_kms_key: str = Field(
        "",
        description="Customer's key of AWS KMS for the queues: id, ARN or alias/NAME; default: a "
        "key of SQS's own.",
    )
    extensions: str = Field(
        "", description="package.module:NAME of an Extension; several with commas between."
    )
    default_currency: Currency = "USD"
    address_optional: bool = Field(
        default=False, description="Take orders that ship nowhere: for goods that need no address."
    )
    intake_merchant: str = Field("default", description="Whose orders come in through the queue.")
    intake_method: str = Field("card_ok", description="Payment method of the plain intake form.")
    webhook_secret: str = Field(
        "",
        description="whsec_... shared with the carrier; two, the newer first, while one replaces "
        "the other. Of another carrier: `NAME=whsec_...`.",
    )
    payment_provider: str = Field(
        "",
        description="Who takes the money: `simulated`, package.module:NAME, or a name that an "
        "extension gives; default: simulated, with an embedded database only. For merchants with "
        "another: `bank, acme=other`; for orders that have called one before: `new, =old`.",
    )
    carrier: str = Field(
        "", description="Who carries the goods, named likewise, also for some merchants."
    )
    simulated_database_url: str = Field(
        "",
        description="postgresql://... where those who are simulated keep their books; default: a "
        "database NAME_simulated beside ours, made where it is missing.",
    )
    delivery_delay_seconds: float = Field(
        0.0, ge=0, description="How long the simulated carrier takes to deliver."
    )
    delivery_deadline_seconds: float = Field(7 * 86_400.0, gt=0)
    payment_latency_seconds: float = Field(0.0, ge=0)
    call_timeout_seconds: float = Field(
        30.0,
        gt=0,
        le=MAX_CALL_SECONDS,
        description="How long a provider may take to answer; at most an hour.",
    )
    calls_at_once: int = Field(
        200, ge=1, description="Calls to one provider under way at once, in a process."
    )
    visibility_seconds: int = Field(
        30,
        ge=MIN_VISIBILITY_SECONDS,
        le=MAX_VISIBILITY_SECONDS,
        description="For how long a received message is hidden from others.",
    )
    max_receives: int = Field(8, ge=1, le=100)
    backoff_base_seconds: float = Field(1.0, gt=0)
    backoff_cap_seconds: float = Field(300.0, gt=0)
    booking_hold_seconds: float = Field(
        900.0, gt=0, description="How long seats and rooms are held for who has not paid."
    )
    booking_wait_seconds: float = Field(
        3_600.0, gt=0, description="How long a booking waits where there is no room."
    )
    restaurant_deadline_seconds: float = Field(
        300.0, gt=0, description="How long a restaurant has to accept or reject."
    )
    offer_deadline_seconds: float = Field(
        45.0, gt=0, description="How long a rider has to accept or decline."
    )
    rider_silence_seconds: float = Field(
        600.0, gt=0, description="How long a rider with an order may give no sign of life."
    )
    food_pace_seconds: float = Field(
        1.0, ge=0, description="How long simulated restaurants and riders take for each thing."
    )
    renewal_scan_seconds: float = Field(
        60.0, ge=0, description="How often what is due is looked for and renewed; 0: by hand only."
    )
    ride_on: bool = Field(
        default=True,
        description="Take an order's next step without a message where the process that took the "
        "last one serves it too; 0: each step comes from its queue.",
    )
    group_size: int = Field(200, ge=1, le=1_000)
    in_flight: int = Field(1_000, ge=1)
    grace_seconds: float = Field(25.0, ge=0, description="How long a clean stop may take.")
    patience_seconds: float = Field(
        0.5, gt=0, description="How long a request may wait before further ones are sent away."
    )
    connections: int = Field(
        4_000,
        ge=1,
        description="Connections at a time, and never more than there are descriptors; a further "
        "one takes the place of one that is idle.",
    )
    connections_by_address: int = Field(
        2_000, ge=1, description="Connections from one address, so that none takes all."
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses or networks, with commas between, whose `X-Forwarded-For` names the "
        "client; anybody could write it.",
    )
    failed_keys_a_minute: int = Field(
        60, ge=1, description="API keys from one address that may fail; then only known ones count."
    )
    requests_a_second: int = Field(
        5_000, ge=1, description="Requests with one API key: more than one process answers."
    )
    streams: int = Field(100, ge=1, description="Streams of events with one API key at a time.")
    url_bytes: int = Field(8_192, ge=256, description="Far longer than any URL of the API.")
    header_bytes: int = Field(
        32_768, ge=1_024, description="All headers of a request: what proxies and browsers add."
    )
    unfinished_bytes: int = Field(
        64 * 1024 * 1024,
        ge=2 * 1024 * 1024,
        description="What all unanswered requests may hold together; the largest that is "
        "unfinished is given up for the others.",
    )
    header_seconds: float = Field(
        10.0, gt=0, description="From a request's first byte to the end of its headers."
    )
    body_seconds: float = Field(
        30.0, gt=0, description="For a body: a mebibyte over the slowest of lines."
    )
    answer_seconds: float = Field(
        30.0, gt=0, description="How long a client may leave its answer where it is."
    )
    idle_seconds: int = Field(
        75, ge=1, description="How long a connection may rest: longer than load balancers keep it."
    )
    archive: str = Field(
        "", description="Directory of orders that `conveyor archive` took out of the database."
    )
    log_level: str = Field(
        "",
        description="As Python's logging names them; default: WARNING, and of Conveyor itself INFO "
        "where the log is JSON.",
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="Of the log's lines; default: text at a terminal, else JSON."
    )
    trace_url: str = Field(
        "",
        description="https://.../{trace_id}, where whoever keeps your traces shows one: a link for "
        "the console.",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_environment(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        named = {name.upper(): value for name, value in os.environ.items()}
        names = {field: f"{PREFIX}{field}".upper() for field in cls.model_fields}
        return {field: named[it] for field, it in names.items() if it in named} | {**given}

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        for network in _listed(text):
            ip_network(network)
        return text

    @field_validator("trace_url")
    @classmethod
    def _names_a_trace(cls, text: str) -> str:
        if text and not (text.startswith(("https://", "http://")) and TRACE_ID in text):
            raise ValueError(f"needs to be https://... with {TRACE_ID} in it")
        return text

    def trace_page(self, trace_id: str) -> str:
        """Give the page of a trace; '' where the settings name none."""
        return self.trace_url.replace(TRACE_ID, trace_id)

    @property
    def proxies(self) -> tuple[str, ...]:
        """The networks of `trusted_proxies`."""
        return _listed(self.trusted_proxies)

    @property
    def webhook_secrets(self) -> dict[str, list[str]]:
        """The secrets of `webhook_secret` by their carrier's name; '' for that of everybody."""
        found: dict[str, list[str]] = {}
        for part in self.webhook_secret.replace(",", " ").split():
            carrier, _, secret = part.partition("=")
            of_one = bool(secret.strip("="))  # else that is how base64 ends
            found.setdefault(carrier if of_one else "", []).append(secret if of_one else part)
        return found

    @property
    def database_path(self) -> Path | None:
        """The SQLite file, or None on PostgreSQL."""
        if not self.database_url:
            return self.data / DATABASE_FILE
        if self.database_url.startswith("sqlite:///"):
            return Path(self.database_url.removeprefix("sqlite:///"))
        return None

    @property
    def directory(self) -> Path:
        """Where the embedded files are: beside the database."""
        path = self.database_path
        return path.parent if path else self.data


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
