"""Four ways to carry the same orders: as functions, as workers, naively, and by Step Functions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from conveyor.core.routing_slip import Flow
from conveyor.operations.cost import assumptions as given
from conveyor.operations.cost.items import Bill, Item, Line
from conveyor.operations.cost.measured import Measured, PerOrder


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be carried: orders a month and a second, and what each asks for."""

    flow: Flow
    orders: float
    rate: float
    each: PerOrder
    measured: Measured
    queues: Mapping[bool, int]
    """How many queues there are that are FIFO, and that are not."""
    fifo_share: float
    """Of the flow's steps, those that are taken from a FIFO queue."""


def functions(bill: Bill, load: Load) -> list[Line]:
    """Conveyor as Lambda functions."""
    polls = given.LAMBDA_POLLERS * given.POLLS_A_MINUTE * given.MINUTES_A_MONTH
    invocations = load.orders * load.each.messages / load.each.batch
    return [
        Line("queues", (*_requests(bill, load), *_idle(bill, load, polls))),
        Line("compute", (*_step_time(bill, load, invocations), *_api_time(bill, load))),
        Line("orchestration"),
        Line("tick", _tick(bill)),
        *_shared(bill, load),
    ]


def workers(bill: Bill, load: Load) -> list[Line]:
    """Conveyor as workers, on Fargate."""
    polls = given.WORKERS * given.POLLS_A_MINUTE * given.MINUTES_A_MONTH
    least = (given.WORKERS + given.API_TASKS) * given.TASK_VCPU
    vcpus = max(least, load.rate * load.each.worker_cpu_seconds / given.BUSY)
    return [
        Line("queues", (*_requests(bill, load), *_idle(bill, load, polls))),
        Line("compute", _tasks(bill, vcpus)),
        Line("orchestration"),
        Line("tick"),
        *_shared(bill, load),
    ]


def naive(bill: Bill, load: Load) -> list[Line]:
    """The way of the text that the project grew from."""
    steps = Counter(step.service for step in load.flow.steps)
    a_second = given.NAIVE_A_POLL / given.NAIVE_POLL_SECONDS
    consumers = sum(max(1, math.ceil(load.rate * count / a_second)) for count in steps.values())
    receives = consumers * given.MINUTES_A_MONTH * 60 / given.NAIVE_POLL_SECONDS
    alone = 2 * load.orders * len(load.flow.steps)
    vcpus = (consumers + given.API_TASKS) * given.TASK_VCPU
    return [
        Line(
            "queues",
            (
                bill.item("sends and deletes, each alone", alone, "requests", "sqs_standard"),
                bill.item(f"receives of {consumers}", receives, "requests", "sqs_standard"),
            ),
        ),
        Line("compute", _tasks(bill, vcpus)),
        Line("orchestration"),
        Line("tick"),
        *_shared(bill, load),
    ]


def step_functions(bill: Bill, load: Load) -> list[Line]:
    """A state machine of Step Functions, with a function for each step."""
    steps = load.orders * len(load.flow.steps)
    states = bill.item("state transitions", steps, "transitions", "step_functions_standard")
    return [
        Line("queues"),
        Line("compute", (*_step_time(bill, load, steps, batch=1.0), *_api_time(bill, load))),
        Line("orchestration", (states,)),
        Line("tick"),
        *_shared(bill, load),
    ]


WAYS: Mapping[str, Callable[[Bill, Load], list[Line]]] = {
    "functions": functions,
    "workers": workers,
    "naive": naive,
    "step_functions": step_functions,
}


def _requests(bill: Bill, load: Load) -> tuple[Item, ...]:
    every = load.orders * load.each.requests
    fifo = every * load.fifo_share
    plain = every - fifo
    items = [bill.item("requests for orders", plain, "requests", "sqs_standard")]
    if fifo:
        items.append(bill.item("requests for orders, FIFO", fifo, "requests", "sqs_fifo"))
    return tuple(items)


def _idle(bill: Bill, load: Load, polls: float) -> tuple[Item, ...]:
    kinds = {False: ("standard", "sqs_standard"), True: ("FIFO", "sqs_fifo")}
    return tuple(
        bill.item(
            f"idle polls, {count} {kinds[fifo][0]}", polls * count, "requests", kinds[fifo][1]
        )
        for fifo, count in load.queues.items()
        if count
    )


def _step_time(
    bill: Bill, load: Load, invocations: float, batch: float | None = None
) -> tuple[Item, ...]:
    each = load.each
    working = each.messages * load.measured.cpu_seconds_a_message
    working /= given.QUEUE_MEMORY_GB / given.VCPU_MEMORY_GB
    waiting = each.calls * given.CALL_SECONDS / (batch or each.batch)
    seconds = load.orders * (working + waiting)
    return _invoked(bill, "steps", invocations, seconds * given.QUEUE_MEMORY_GB)


def _api_time(bill: Bill, load: Load) -> tuple[Item, ...]:
    requests = load.orders * (1 + given.LOOKS_AN_ORDER)
    share = min(1.0, given.API_MEMORY_GB / given.VCPU_MEMORY_GB)
    seconds = requests * load.measured.cpu_seconds_an_order_placed / share
    return _invoked(bill, "API", requests, seconds * given.API_MEMORY_GB)


def _tick(bill: Bill) -> tuple[Item, ...]:
    ticks = given.MINUTES_A_MONTH
    seconds = ticks * given.TICK_SECONDS * given.TICK_MEMORY_GB
    return (
        *_invoked(bill, "tick", ticks, seconds),
        bill.item("schedule", ticks, "invocations", "scheduler"),
    )


def _invoked(bill: Bill, what: str, invocations: float, gb_seconds: float) -> tuple[Item, ...]:
    return (
        bill.item(f"{what}: invocations", invocations, "invocations", "lambda_requests"),
        bill.item(f"{what}: time", gb_seconds, "GB-seconds", "lambda_gb_seconds"),
    )


def _tasks(bill: Bill, vcpus: float) -> tuple[Item, ...]:
    hours = vcpus * given.HOURS_A_MONTH
    memory = hours * given.TASK_GB / given.TASK_VCPU
    return (
        bill.item("tasks: processors", hours, "vCPU-hours", "fargate_vcpu_hours"),
        bill.item("tasks: memory", memory, "GB-hours", "fargate_gb_hours"),
    )


def _shared(bill: Bill, load: Load) -> tuple[Line, Line]:
    """Give what each way needs in the same manner: the database, and what goes to and fro."""
    each, orders = load.each, load.orders
    acu = max(given.LEAST_ACU, load.rate * each.database_cpu_seconds * given.ACU_A_VCPU)
    kept = orders * given.KEPT_MONTHS * each.database_held_bytes / given.GB
    writes = orders * each.database_log_bytes / given.WRITE_BYTES
    out = orders * given.OUT_BYTES_AN_ORDER / given.GB
    across = orders * each.database_transfer_bytes / 2 * 2 / given.GB
    hours = given.ENDPOINTS * given.ZONES * given.HOURS_A_MONTH
    database = (
        bill.item("capacity", acu * given.HOURS_A_MONTH, "ACU-hours", "aurora_acu_hours"),
        bill.item("storage", kept, "GB-months", "aurora_gb_months"),
        bill.item("writes", writes, "requests", "aurora_requests"),
    )
    transfer = (
        bill.item("to clients", out, "GB", "transfer_out_gb"),
        bill.item("between zones", across, "GB", "transfer_zone_gb"),
        bill.item("endpoints", hours, "hours", "endpoint_hours"),
    )
    return Line("database", database), Line("data transfer", transfer)
