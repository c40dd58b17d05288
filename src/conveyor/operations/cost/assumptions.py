"""What is assumed where nothing is measured or priced; `conveyor cost` says all of it."""

from __future__ import annotations

HOURS_A_MONTH = 730.0
DAYS_A_MONTH = HOURS_A_MONTH / 24
MINUTES_A_MONTH = HOURS_A_MONTH * 60
SECONDS_A_DAY = 86_400
GB = 1e9

QUEUE_MEMORY_GB = 0.5
API_MEMORY_GB = 1.0
TICK_MEMORY_GB = 0.5
TICK_SECONDS = 20.0
VCPU_MEMORY_GB = 1.769
"""So much memory brings a function one whole processor (AWS's documentation)."""
CALL_SECONDS = 0.3
"""How long a provider takes to answer; a function is paid for while it waits."""
LOOKS_AN_ORDER = 2
"""Requests to the API for each order that was placed."""
OUT_BYTES_AN_ORDER = 4_096
"""To the client: the answer to its order, and to its looks."""

COLLECT_SECONDS = 0.1
"""What comes to a queue within it shares its requests."""
LAMBDA_POLLERS = 5
"""Long polls that Lambda holds open at every queue, at the least."""
POLLS_A_MINUTE = 3
"""Of one long poll, of 20 s, at an idle queue."""
WORKERS = 2
API_TASKS = 2
TASK_VCPU = 0.25
TASK_GB = 0.5
BUSY = 0.5
"""Of the processors of workers, how much is used on average."""

ACU_A_VCPU = 4
"""Aurora capacity units that go with one busy processor (AWS's own rule of thumb)."""
LEAST_ACU = 0.5
KEPT_MONTHS = 12
WRITE_BYTES = 4_096
"""Of the log, that Aurora counts as one write."""
ZONES = 2
ENDPOINTS = 2
"""Of the network of functions and tasks: to SQS and to Secrets Manager."""

NAIVE_A_POLL = 5
NAIVE_POLL_SECONDS = 10

SAID = (
    "every message is one request unit: tokens are far below 64 KB",
    (
        "every step comes from its queue: so it is in functions; where workers serve all services, "
        "orders ride on, and the shop's ask for a third of these requests"
    ),
    f"messages that come to a queue within {COLLECT_SECONDS:g} s share their requests, up to ten",
    (
        "idle polls are counted in full, also while there is work, so they are an upper bound: "
        f"Lambda {LAMBDA_POLLERS} long polls at each queue, {WORKERS} workers one each"
    ),
    f"tick: once a minute, {TICK_SECONDS:g} s at {TICK_MEMORY_GB:g} GB; workers need none",
    (
        f"functions: {QUEUE_MEMORY_GB:g} GB (queues) and {API_MEMORY_GB:g} GB (API) on x86, their "
        f"processor time measured, and {CALL_SECONDS:g} s of waiting for each call to a provider"
    ),
    f"each order is looked at {LOOKS_AN_ORDER} times over the API",
    (
        f"workers: {API_TASKS} tasks for the API and {WORKERS} for all services, each of "
        f"{TASK_VCPU:g} vCPU and {TASK_GB:g} GB, or what keeps processors at {BUSY:.0%}"
    ),
    (
        f"database: Aurora Serverless v2, {LEAST_ACU:g} ACU at the least and {ACU_A_VCPU} for each "
        f"busy processor, one writer, orders kept for {KEPT_MONTHS} months; the same for all four"
    ),
    (
        f"orders come evenly over the day; {OUT_BYTES_AN_ORDER:,} bytes go out for each; half of "
        "the traffic with the database crosses zones, and is paid for in both"
    ),
    f"in the network are {ENDPOINTS} endpoints (SQS, Secrets Manager) in {ZONES} zones",
    (
        f"naive: a queue for each service, one message a step, {NAIVE_A_POLL} messages every "
        f"{NAIVE_POLL_SECONDS} s for each consumer (so many of them as keep up), each sent and "
        "deleted alone; no dead letters, no retries, nothing that keeps an order from being lost"
    ),
    "Step Functions: Standard, one transition a step, which is the least there can be",
    "free tiers belong to the whole account: here nothing else uses them",
    (
        "not counted: KMS, logs, alarms, backups, load balancer or gateway, endpoints' bytes, "
        "support, taxes, retries"
    ),
)
