"""`conveyor demo`: all flows side by side, before your eyes."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from conveyor.core.order_status import OrderStatus
from conveyor.entrypoints.cli.audit import audit_in_a_line, show_audit
from conveyor.entrypoints.cli.board import showing_board
from conveyor.entrypoints.cli.demo_help import DemoCommand
from conveyor.entrypoints.cli.errors import PROBLEM, MisuseError, TroubleError
from conveyor.entrypoints.cli.options import host_option, json_option, port_option, run
from conveyor.entrypoints.cli.output import emit, money, note, program, say, say_command, table
from conveyor.entrypoints.cli.replay import bad_lines

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.board import Show
    from conveyor.operations.demo import Demonstration
    from conveyor.operations.order_file import OrderFile
    from conveyor.system.composition import App

LOOK_SECONDS = 0.2
STATUSES = (
    OrderStatus.COMPLETED,
    OrderStatus.CANCELLED,
    OrderStatus.REFUSED,
    OrderStatus.REFUNDED,
    OrderStatus.AWAITING,
    OrderStatus.PARKED,
)
FAULTS = "/console/faults"
MAX_REASONS = 3
"""Why orders were refused, of each flow: the most frequent."""


class Result(NamedTuple):
    """What came of it: figures by flow, orders with a story, the audit's report."""

    flows: Mapping[str, Mapping[str, Any]]
    seconds: float
    worth_a_look: Mapping[str, str]
    audit: Mapping[str, Any]


@click.command(cls=DemoCommand)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Directory to make, or of one that was interrupted; default: a temporary one, which stays "
    "for you to look into.",
)
@click.option(
    "--keep",
    is_flag=True,
    help="Leave it running, as `conveyor up` does, with an order a second to look at.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show each of the audit's checks.")
@host_option
@port_option
@json_option
def demo(
    data: Path | None, host: str, port: int, *, keep: bool, verbose: bool, as_json: bool
) -> None:
    """Watch all flows side by side, in a world in which much goes wrong.

    Each shows what can befall its orders; those of packages that are installed do so too, if they
    say how. A summary and an audit follow, and the commands to try next.

    With --keep it goes on, an order a second, and names the page on which to break it.

    With --json, one object: by flow `placed` and `by_status`, and `audit`: whether it is clean.
    """
    from conveyor.operations.demo import demonstration
    from conveyor.operations.order_file import read_orders

    shown = demonstration()
    directory = data or Path(tempfile.mkdtemp(prefix="conveyor-demo-"))
    if not shown.may_run_in(directory):
        raise MisuseError(
            f"{directory} holds orders that are not the demonstration's.",
            "Give another --data directory, or none.",
        )
    try:
        with shown.write_orders(directory).open("rb") as source, read_orders(source) as orders:
            result = run(_demo(shown, directory, orders))
    except KeyboardInterrupt:
        note(f"Interrupted; nothing is lost. To go on:\n  {_again(directory)}")
        raise
    emit(
        _as_json(result, directory),
        as_json=as_json,
        show=lambda _: _show(result, directory, verbose=verbose, kept=keep),
    )
    if not result.audit["clean"]:
        raise click.exceptions.Exit(PROBLEM)
    if keep:
        _keep(shown, directory, host, port, as_json=as_json)


def _keep(shown: Demonstration, directory: Path, host: str, port: int, *, as_json: bool) -> None:
    """Go on as it was, with an order now and then, until a signal."""
    from conveyor.entrypoints.cli.running import announce
    from conveyor.entrypoints.process import Ready
    from conveyor.entrypoints.serving import run_up
    from conveyor.operations.demo import trickle

    def ready_to_break(ready: Ready) -> None:
        announce(ready, as_json=as_json)
        if not as_json:
            note(
                "An order a second is placed. Sign in with that link, break payments, the carrier "
                f"or a queue, and watch:\n  {ready.url}{FAULTS}"
            )

    settings = shown.settings(directory)
    run(run_up(settings, host, port, ready_to_break, lambda app: trickle(shown, app)))


async def _demo(shown: Demonstration, directory: Path, orders: OrderFile) -> Result:
    from conveyor.entrypoints.serving import running_here
    from conveyor.operations.demo import IN_FLIGHT
    from conveyor.operations.replay import Replay
    from conveyor.operations.replay_local import LocalTarget

    settings = shown.settings(directory)
    merchant = settings.intake_merchant
    async with running_here(settings) as app:
        begun = time.monotonic()
        note(f"Look around meanwhile:\n  {program()} orders list --data {directory}")
        await shown.set_up(app, merchant)
        with showing_board(shown.flows) as show:
            async with _watching(app, show):
                replay = Replay(LocalTarget(app, merchant), orders, in_flight=IN_FLIGHT)
                if (progress := await replay.run()).rejected:
                    raise TroubleError(bad_lines(progress))
                await shown.conclude(app, merchant)
            await _look(app, show)
        return await _result(shown, app, time.monotonic() - begun)


@asynccontextmanager
async def _watching(app: App, show: Show) -> AsyncIterator[None]:
    watch = asyncio.create_task(_watch(app, show))
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def _watch(app: App, show: Show) -> None:
    while True:
        await _look(app, show)
        await asyncio.sleep(LOOK_SECONDS)


async def _look(app: App, show: Show) -> None:
    from conveyor.operations.demo import orders_by_step

    show(await orders_by_step(app.engine))


async def _result(shown: Demonstration, app: App, seconds: float) -> Result:
    from conveyor.operations.audit import run_audit
    from conveyor.operations.summary import P50, P99, Summaries, Which

    summaries = Summaries(app.parts.database, app.parts.ambient)
    flows = {}
    for flow in shown.flows:
        summary = await summaries.of(Which(app.settings.intake_merchant, flow=flow.name))
        flows[flow.name] = {
            "placed": summary.placed,
            "by_status": summary.by_status,
            "refused_because": summary.refused_because,
            "captured": summary.captured,
            "refunded": summary.refunded,
            "latency_ms": {"p50": summary.latency(P50), "p99": summary.latency(P99)},
        }
    stories = await shown.worth_a_look(app)
    return Result(flows, seconds, stories, (await run_audit(app)).as_json())


def _as_json(result: Result, directory: Path) -> dict[str, Any]:
    return {
        **result.flows,
        "audit": result.audit["clean"],
        "seconds": round(result.seconds, 3),
        "worth_a_look": result.worth_a_look,
        "data": str(directory),
    }


def _show(result: Result, directory: Path, *, verbose: bool, kept: bool) -> None:
    """Say what comes of it last: it stays on a screen of 24 lines."""
    if verbose or not result.audit["clean"]:
        show_audit(result.audit)
    for name, flow in result.flows.items():
        for reason, count in Counter(flow["refused_because"]).most_common(MAX_REASONS):
            say(f"  {name}: {count:,} refused: {reason}")
    say("\nOrders with a story:\n")
    for order_id, why in result.worth_a_look.items():
        say(f"  {order_id}  {why}")
    say("\nLook into them, see what waits for an operator, and place orders of your own:\n")
    say_command(f"  export CONVEYOR_DATA={directory}")
    for command in ("explain ORDER", "dead-letters list", "up"):
        say_command(f"  {program()} {command}")
    _show_flows(result)
    verdict = audit_in_a_line(result.audit)
    say(f"{verdict} All of it took {result.seconds:.1f} s.")
    if not kept:
        say(f"To break payments, the carrier or a queue, and watch, at {FAULTS}:")
        say_command(f"  {program()} demo --keep")


def _show_flows(result: Result) -> None:
    seen = [s for s in STATUSES if any(f["by_status"].get(s) for f in result.flows.values())]
    rows = []
    for name, flow in result.flows.items():
        counts = (flow["by_status"].get(status, 0) for status in seen)
        captured = ", ".join(money(amount, c) for c, amount in flow["captured"].items())
        rows.append(
            (name, f"{flow['placed']:,}", *(f"{n:,}" if n else "" for n in counts), captured)
        )
    columns = ("flow", "placed", *seen, "captured")
    table(columns, rows, right=columns[1:])


def _again(directory: Path) -> str:
    return f"{program()} demo --data {directory}"
