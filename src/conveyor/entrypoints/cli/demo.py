"""`conveyor demo`: a thousand real orders, before your eyes."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conveyor.entrypoints.cli.audit import show_audit
from conveyor.entrypoints.cli.board import showing_board
from conveyor.entrypoints.cli.errors import PROBLEM, MisuseError
from conveyor.entrypoints.cli.options import host_option, json_option, port_option, run
from conveyor.entrypoints.cli.output import emit, money, note, program, table

if TYPE_CHECKING:
    from conveyor.app.composition import App
    from conveyor.app.replay import ReplayReport
    from conveyor.entrypoints.cli.board import Show

LOOK_SECONDS = 0.2


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Directory to make; default: a temporary one, which stays for you to look into.",
)
@click.option("--keep", is_flag=True, help="Leave it running, as `conveyor up` does.")
@host_option
@port_option
@json_option
def demo(data: Path | None, host: str, port: int, *, keep: bool, as_json: bool) -> None:
    """Watch a thousand real orders go through.

    They are paid, reserved, captured, shipped and completed.
    Some are paid with cards that are declined, fail at first, never answer or are down; of one
    SKU there is too little. A summary and an audit follow, and the commands to try next.
    """
    from conveyor.app.demo import is_fresh

    directory = data or Path(tempfile.mkdtemp(prefix="conveyor-demo-"))
    if not is_fresh(directory):
        raise MisuseError(
            f"{directory} holds orders already, and the demonstration begins with none.",
            "Give another --data directory, or none.",
        )
    try:
        result = run(_demo(directory))
    except KeyboardInterrupt:
        note(f"Interrupted; nothing is lost. To go on: {_resume(directory)}")
        raise
    emit(result, as_json=as_json, show=lambda _: _show(result, directory))
    if not result["audit"]["clean"]:
        raise click.exceptions.Exit(PROBLEM)
    if keep:
        from conveyor.entrypoints.cli.running import run_and_announce

        run_and_announce(directory, host, port, as_json=as_json)


async def _demo(directory: Path) -> dict[str, Any]:
    from conveyor.app.composition import running_app
    from conveyor.app.demo import IN_FLIGHT, demo_settings, write_orders
    from conveyor.app.replay import Replay, measure
    from conveyor.app.replay_local import LocalTarget

    settings = demo_settings(directory)
    file = await asyncio.to_thread(lambda: measure(write_orders(directory)))
    async with running_app(settings) as app:
        await _fill_stock(app, settings.intake_merchant)
        target = LocalTarget(app, settings.intake_merchant)
        begun = time.monotonic()
        with showing_board() as show:
            watch = asyncio.create_task(_watch(app, show))
            await Replay(target, file, in_flight=IN_FLIGHT).run()
            watch.cancel()
            await _look(app, show)
        seconds = time.monotonic() - begun
        return await _summary(app, await target.report(file.prefix), seconds)


async def _fill_stock(app: App, merchant: str) -> None:
    from conveyor.app.demo import STOCK
    from conveyor.services.inventory.store import import_stock

    await app.parts.database.run(lambda tx: import_stock(tx, merchant, STOCK.items()))


async def _watch(app: App, show: Show) -> None:
    while True:
        await _look(app, show)
        await asyncio.sleep(LOOK_SECONDS)


async def _look(app: App, show: Show) -> None:
    from conveyor.app.demo import orders_by_step

    registry = app.engine.registry
    show(await app.parts.database.read(lambda tx: orders_by_step(tx, registry)))


async def _summary(app: App, report: ReplayReport, seconds: float) -> dict[str, Any]:
    from conveyor.app.audit import run_audit
    from conveyor.app.demo import worth_a_look

    return {
        "by_status": report.by_status,
        "refused_because": report.refused_because,
        "captured": report.captured,
        "refunded": report.refunded,
        "seconds": round(seconds, 3),
        "latency_ms": report.latency_ms,
        "worth_a_look": await app.parts.database.read(worth_a_look),
        "audit": (await run_audit(app)).as_json(),
    }


def _show(result: Mapping[str, Any], directory: Path) -> None:
    rows = [(status, f"{count:,}") for status, count in result["by_status"].items()]
    rows += [(f"  {reason}", f"{n:,}") for reason, n in result["refused_because"].items()]
    rows += [("captured", money(amount, c)) for c, amount in result["captured"].items()]
    rows.append(("time", f"{result['seconds']:.1f} s"))
    table(("orders", ""), rows, right=("",))
    show_audit(result["audit"])
    click.echo(f"\nEverything is in {directory}. Try next:\n")
    conveyor, data = program(), f"--data {directory}"
    for order_id, why in result["worth_a_look"].items():
        click.echo(f"  {conveyor} explain {order_id} {data}    # {why}")
    click.echo(f"  {conveyor} dead-letters list {data}    # what waits for an operator")
    click.echo(f"  {_resume(directory)}    # again: nothing is placed twice")
    click.echo(f"  {conveyor} up {data}    # leave it running, and place orders of your own")


def _resume(directory: Path) -> str:
    from conveyor.app.demo import ORDERS_FILE

    return f"{program()} replay {directory / ORDERS_FILE} --data {directory}"
