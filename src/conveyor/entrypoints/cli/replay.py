"""`conveyor replay`: places every order of a file and waits until all are settled."""

from __future__ import annotations

import shlex
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conveyor.access.model import PLACE
from conveyor.entrypoints.cli.errors import TroubleError
from conveyor.entrypoints.cli.options import json_option, run, with_target
from conveyor.entrypoints.cli.output import emit, money, note, program, table

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target
    from conveyor.operations.order_file import OrderFile
    from conveyor.operations.replay import Progress, ReplayReport, ReplayTarget

IN_FLIGHT = 2_000
MILLISECONDS = 1_000
UNKNOWN_SKU = "unknown SKU: "


@click.command()
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=IN_FLIGHT,
    show_default=True,
    metavar="N",
    help="Orders that may be on their way at a time.",
)
@with_target
@json_option
def replay(file: Path, concurrency: int, target: Target, *, as_json: bool) -> None:
    """Place every order of a file, and wait for them.

    FILE has one order a line, as JSON; - reads standard input, all of it before the first order is
    placed. It ends when all are settled: completed, cancelled, refused or parked. An order's
    idempotency key is the digest of all lines and the line's number: run it again with the same
    lines, after whatever broke it off, and it goes on where it was. When no server runs, the whole
    system runs in this process meanwhile, and other commands with the same --data can look.

    A line that is no order is reported and the others are placed all the same; exit code 1.
    """
    from conveyor.operations.order_file import read_orders

    try:
        with click.open_file(file, "rb") as source, read_orders(source) as orders:
            result = run(_replay(orders, concurrency, target))
            if not orders.orders:
                note(f"There is no order in {click.format_filename(file)}.")
    except KeyboardInterrupt:
        note("Interrupted; nothing is lost. To go on, give the same command again.")
        raise
    emit(result.as_json(), as_json=as_json, show=lambda _: _show(result))
    for reason in result.report.refused_because:
        if reason.startswith(UNKNOWN_SKU):
            sku = reason.removeprefix(UNKNOWN_SKU)
            name = shlex.quote(sku)
            note(
                f"There is no stock of {sku}:\n"
                f"  {program()} stock set {name} QUANTITY{target.options}"
            )
    if result.progress.rejected:
        raise TroubleError(bad_lines(result.progress))


@dataclass(frozen=True, slots=True)
class _Result:
    progress: Progress
    report: ReplayReport
    seconds: float
    requests: int | None

    def as_json(self) -> dict[str, Any]:
        """Give what the issue pins, and how many lines were rejected."""
        progress, report = self.progress, self.report
        result = {
            "placed": progress.placed,
            "already_placed": progress.already_placed,
            "rejected": progress.rejected,
            "by_status": report.by_status,
            "captured": report.captured,
            "refunded": report.refunded,
            "seconds": round(self.seconds, 3),
            "orders_per_second": round(progress.placed / self.seconds, 1),
            "latency_ms": report.latency_ms,
        }
        if self.requests is not None and progress.placed:
            result["sqs_requests_per_order"] = round(self.requests / progress.placed, 3)
        return result


async def _replay(file: OrderFile, concurrency: int, target: Target) -> _Result:
    from conveyor.entrypoints.cli.progress import showing_progress
    from conveyor.operations.replay import Replay

    async with _target(target) as system:
        requests = await system.requests()
        begun = time.monotonic()
        with showing_progress() as tell:
            progress = await Replay(system, file, in_flight=concurrency, tell=tell).run()
        seconds = time.monotonic() - begun
        now = await system.requests()
        made = now - requests if now is not None and requests is not None else None
        return _Result(progress, await system.report(file.prefix), seconds, made)


@asynccontextmanager
async def _target(target: Target) -> AsyncIterator[ReplayTarget]:
    from conveyor.entrypoints.cli.remote_replay import RemoteTarget

    async with target.running() as client:
        if client is not None:
            yield RemoteTarget(client)
            return
    from conveyor.entrypoints.logs import write_logs
    from conveyor.entrypoints.serving import running_here
    from conveyor.operations.replay_local import LocalTarget

    settings = target.settings()
    write_logs(settings)
    async with running_here(settings) as app:
        yield LocalTarget(app, await target.whose_in(app, PLACE))


def _show(result: _Result) -> None:
    progress, report = result.progress, result.report
    rows: list[tuple[str, object]] = [("placed", f"{progress.placed:,}")]
    if progress.already_placed:
        rows.append(("placed before", f"{progress.already_placed:,}"))
    rows += [(status, f"{count:,}") for status, count in report.by_status.items()]
    rows += [(f"  {reason}", f"{count:,}") for reason, count in report.refused_because.items()]
    rows += [("captured", money(amount, c)) for c, amount in report.captured.items()]
    rows += [("refunded", money(amount, c)) for c, amount in report.refunded.items() if amount]
    rows.append(("time", f"{result.seconds:.1f} s"))
    rows.append(("rate", f"{progress.placed / result.seconds:,.0f} orders/s"))
    p50, p99 = report.latency_ms["p50"], report.latency_ms["p99"]
    if p50 is not None and p99 is not None:
        rows.append(
            (
                "from placed to settled",
                f"median {p50 / MILLISECONDS:.2f} s, p99 {p99 / MILLISECONDS:.2f} s",
            )
        )
    if (ratio := result.as_json().get("sqs_requests_per_order")) is not None:
        rows.append(("SQS requests an order", ratio))
    table(("orders", ""), rows, right=("",))


def bad_lines(progress: Progress) -> str:
    """Say which lines did not become orders, and why."""
    shown = [f"  line {bad.number}: {bad.cause}" for bad in progress.bad_lines]
    more = progress.rejected - len(shown)
    if more:
        shown.append(f"  and {more} more")
    return "\n".join([f"{progress.rejected} lines did not become orders:", *shown])
