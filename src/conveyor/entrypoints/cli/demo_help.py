"""The help of `conveyor demo`: what each flow that is installed shows, as it says itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import click

from conveyor.core.errors import ConveyorError


class DemoCommand(click.Command):
    """A command whose help names the flows, which are loaded only for that."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the text, then a line of each flow."""
        super().format_help_text(ctx, formatter)
        # An extension that does not load, or a setting that is wrong, is to hide no help.
        with suppress(ConveyorError, ValueError):
            rows = list(_shown())
            with formatter.section("Flows"):
                formatter.write_dl(rows)


def _shown() -> Iterator[tuple[str, str]]:
    from conveyor.operations.demo import demonstration

    for extension, demo in demonstration().demos:
        yield ", ".join(flow.name for flow in extension.flows), demo.shows
