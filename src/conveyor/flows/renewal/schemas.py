"""What the API takes and gives of plans, subscriptions and renewals. Money is in minor units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from conveyor.commerce.orders.model import WHOLE, Currency, Method, UnitPrice, Word
from conveyor.entrypoints.http.schemas import Amount, Body, Counts, Time
from conveyor.flows.renewal.subscriptions.model import (
    GRACE_DAYS,
    RETRY_DAYS,
    SubscriptionStatus,
    well_ordered,
)

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$"
MAX_MONTHS = 120
MAX_DAYS = 366
MAX_RETRIES = 20
MAX_IMPORT = 10_000
MAX_RUN = 5_000
"""Renewals that one request starts at most: the next goes on."""
MAX_RUN_NUMBER = 2**53 - 1
MAX_PER_SECOND = 100_000.0

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
When = Annotated[str, StringConstraints(max_length=32)]
PerCent = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
PerSecond = Annotated[float, Field(gt=0, le=MAX_PER_SECOND, allow_inf_nan=False)]
Days = Annotated[int, Field(ge=0, le=MAX_DAYS), WHOLE]
if TYPE_CHECKING:
    Status = SubscriptionStatus
else:  # as with orders: the words stand in the API's description where they are used
    Status = Literal[*SubscriptionStatus]


class PlanBody(Body):
    """A plan: what a period costs, how long it is, and what follows a decline."""

    price: UnitPrice
    currency: Currency
    months: Annotated[int, Field(ge=1, le=MAX_MONTHS), WHOLE] = 1
    trial_days: Days = 0
    retry_days: list[Annotated[int, Field(ge=1, le=MAX_DAYS), WHOLE]] = Field(
        list(RETRY_DAYS),
        max_length=MAX_RETRIES,
        description="Days after the first decline on which a charge is tried again.",
    )
    grace_days: Days = Field(GRACE_DAYS, description="Days of access after the paid period.")
    afterwards: Literal["cancel", "suspend"] = Field(
        "cancel", description="How a subscription ends after the last retry."
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not well_ordered(self.retry_days):
            raise ValueError("retry_days: each is to be later than the one before")
        return self


class PlanView(BaseModel):
    """A plan."""

    id: str
    price: Amount
    currency: str
    months: int
    trial_days: int
    retry_days: list[int]
    grace_days: int
    afterwards: Literal["cancel", "suspend"]


class Plans(BaseModel):
    """A merchant's plans, by id."""

    plans: list[PlanView]


class SubscriptionBody(Body):
    """A subscription to begin. Times are wall-clock times in `zone`, or days (ISO 8601)."""

    id: Name
    customer: Word
    plan: Name
    card: Method
    zone: Annotated[str, StringConstraints(max_length=64)] = "UTC"
    starts: When = Field("", description="When the first period, or the trial, begins; '': now.")
    paid_until: When = Field("", description="The end of a period that another system charged.")


class SubscriptionImport(Body):
    """Many subscriptions; those whose id is taken stay as they are."""

    subscriptions: list[SubscriptionBody] = Field(max_length=MAX_IMPORT)


class SubscriptionsImported(BaseModel):
    """What became of an import."""

    added: int
    there_before: int


class CardBody(Body):
    """Another card."""

    card: Method


class PlanChoice(Body):
    """Another plan, from the next period on."""

    plan: Name


class SubscriptionView(BaseModel):
    """A subscription, and where it stands."""

    id: str
    customer: str
    plan: str
    next_plan: str | None = Field(description="Another plan, from the next period on.")
    card: str
    zone: str
    status: Status
    reason: str = Field(description="Why it is past due or has ended; else empty.")
    access: bool = Field(description="Whether the customer may use it now.")
    period: int = Field(description="The number of the next period to be paid.")
    paid_until: Time
    due_at: Time | None = Field(description="The next renewal; null while one is under way.")
    cancel_at_end: bool
    created_at: Time


class SubscriptionPage(BaseModel):
    """Subscriptions by id; `next` is the cursor of the next page."""

    subscriptions: list[SubscriptionView]
    next: str | None


BEHIND = "Subscriptions whose next period is practically over: only `catch_up` renews them."


class Dues(BaseModel):
    """What would be started now: how many, and what they cost."""

    due: int
    amounts: Counts = Field(examples=[{"USD": 99900}])
    behind: int = Field(description=BEHIND)
    first: list[SubscriptionView] = Field(description="The first of them.")


class RunBody(Body):
    """How much to start. `dry` only counts."""

    per_cent: PerCent = Field(100.0, description="Only the first so many per cent of all.")
    limit: Annotated[int, Field(ge=1, le=MAX_RUN), WHOLE] = MAX_RUN
    dry: bool = False
    catch_up: bool = Field(
        default=False,
        description="Also those whose next period is practically over, one period of each.",
    )
    run: Annotated[int, Field(ge=0, le=MAX_RUN_NUMBER), WHOLE] | None = Field(
        None, description="The run that this goes on with, as its answer says; null: a new one."
    )


class RunView(BaseModel):
    """What was started; `more` says that there is more to start, after `wait_seconds`."""

    started: int
    ended: int = Field(description="Subscriptions that were to be cancelled now, and are.")
    paused: bool
    more: bool
    wait_seconds: float
    due: int | None = Field(None, description="With `dry`: what would be started.")
    run: int = Field(description="The number of the run: no subscription is renewed twice in one.")


class ResumeBody(Body):
    """What may start from now on, and how fast; null for no limit."""

    per_cent: PerCent = 100.0
    per_second: PerSecond | None = None


class ControlView(BaseModel):
    """What an operator decided."""

    paused: bool
    per_cent: float
    per_second: float | None


class RenewalsView(ControlView):
    """How renewals stand."""

    due: int
    amounts: Counts
    behind: int = Field(description=BEHIND)
    subscriptions: Counts = Field(description="By status.", examples=[{"active": 100}])
    renewals: Counts = Field(description="By state.", examples=[{"open": 3, "extended": 97}])


BODIES: tuple[type[BaseModel], ...] = (
    PlanBody,
    SubscriptionBody,
    SubscriptionImport,
    CardBody,
    PlanChoice,
    RunBody,
    ResumeBody,
)
