"""The command line: `conveyor --help` teaches it."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress

import click

from conveyor.core.errors import ConveyorError
from conveyor.core.untyped import Foreign
from conveyor.entrypoints.cli.answer import answer
from conveyor.entrypoints.cli.archive import archive
from conveyor.entrypoints.cli.asyncapi import asyncapi
from conveyor.entrypoints.cli.audit import audit
from conveyor.entrypoints.cli.console import console
from conveyor.entrypoints.cli.cost import cost
from conveyor.entrypoints.cli.customers import customers
from conveyor.entrypoints.cli.dead_letters import dead_letters
from conveyor.entrypoints.cli.demo import demo
from conveyor.entrypoints.cli.doctor import doctor
from conveyor.entrypoints.cli.environment import warn_of_unknown_settings
from conveyor.entrypoints.cli.errors import trouble_of
from conveyor.entrypoints.cli.explain import explain
from conveyor.entrypoints.cli.extending import commands_of_extensions, commands_of_flows
from conveyor.entrypoints.cli.intake import intake
from conveyor.entrypoints.cli.keys import keys
from conveyor.entrypoints.cli.months import months
from conveyor.entrypoints.cli.operators import operators
from conveyor.entrypoints.cli.options import INTERRUPTED
from conveyor.entrypoints.cli.orders import orders, place
from conveyor.entrypoints.cli.package import package
from conveyor.entrypoints.cli.refunding import refund
from conveyor.entrypoints.cli.replay import replay
from conveyor.entrypoints.cli.retrying import retry
from conveyor.entrypoints.cli.running import serve, up, work
from conveyor.entrypoints.cli.services import services
from conveyor.entrypoints.cli.setup import migrate, queues
from conveyor.entrypoints.cli.status import status
from conveyor.entrypoints.cli.top import top

GARBAGE_THRESHOLDS = (20_000, 20, 50)
"""Objects and rounds between looks for garbage: an order makes some hundred objects and no cycles,
and with the interpreter's own numbers these looks take a fifteenth of its time."""
SWITCH_SECONDS = 0.0005
"""How long a thread of the database may keep the interpreter from the event loop, which gives it
away with each connection that it accepts: with Python's own 5 ms, refusals took twice as long."""

HELP = """\
Takes orders, answers at once, and carries each from service to service until it is
completed, or undone and the money given back.

\b
Begin here:
  conveyor demo                    watch all flows side by side
  conveyor up                      API and all services in one process
  conveyor stock set CD 100        there must be something to sell
  conveyor place order.json        place an order; - reads standard input
  conveyor status                  see how all stands; `top` shows it live
  conveyor orders list             see how the orders stand
  conveyor explain ORDER           read the whole story of one
  conveyor audit                   check that nothing was lost or doubled
  conveyor doctor                  see what is wrong with the installation

Commands talk to the server at --server URL, or to the one that owns --data DIR, with the
key in CONVEYOR_API_KEY. When none runs they open the data directory themselves, and act
for the key's merchant; without a key for --merchant. What only looks makes no directory.

\b
Settings (environment):
  CONVEYOR_DATA          directory of the embedded files (conveyor-data)
  CONVEYOR_DATABASE_URL  sqlite:///FILE or postgresql://USER@HOST/NAME
  CONVEYOR_QUEUE_URL     embedded: or sqs://REGION/PREFIX?endpoint_url=...
  CONVEYOR_SERVER, CONVEYOR_API_KEY

Exit codes: 0 all is well, 1 what was asked for has a problem, 2 usage or configuration, 130
interrupted.
"""


class _Cli(click.Group):
    """A group whose commands end expected trouble with a sentence instead of a traceback.

    Commands of extensions are looked for when no other has the name, and to list them all.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands."""
        # An extension that does not load, or a setting that is wrong, is to hide no help.
        with suppress(ConveyorError, ValueError):
            return sorted({*super().list_commands(ctx), *commands_of_extensions()})
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Give the command of this name."""
        known = super().get_command(ctx, cmd_name)
        return known or commands_of_extensions().get(cmd_name)

    def invoke(self, ctx: click.Context) -> Foreign:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # whoever reads has had enough, as `head` has: click ends in silence
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except Exception as error:
            trouble = trouble_of(error)
            if trouble is None:
                raise
            raise trouble from error


@click.group(cls=_Cli, help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="conveyor", prog_name="conveyor")
def main() -> None:
    """See `HELP`."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    sys.setswitchinterval(SWITCH_SECONDS)
    warn_of_unknown_settings(main)


_RUNNING: list[click.Command] = [
    up,
    serve,
    work,
    migrate,
    queues,
    months,
    package,
    asyncapi,
    keys,
    demo,
]
_ADVISING: list[click.Command] = [
    doctor,
    cost,
    console,
    operators,
    customers,
    archive,
    services,
]
_LOOKING: list[click.Command] = [
    status,
    top,
    place,
    orders,
    explain,
    dead_letters,
    intake,
    replay,
    audit,
]
for _command in (*_RUNNING, *_ADVISING, *_LOOKING, *commands_of_flows()):
    main.add_command(_command)
orders.add_command(answer)
orders.add_command(refund)
orders.add_command(retry)
