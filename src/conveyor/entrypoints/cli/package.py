"""`conveyor package`: what is deployed elsewhere, as one file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from conveyor.entrypoints.cli.options import json_option
from conveyor.entrypoints.cli.output import emit, note, say


@click.group()
def package() -> None:
    """Build what is deployed elsewhere."""


@package.command("lambda")
@click.argument("target", metavar="OUT.zip", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--with",
    "extensions",
    multiple=True,
    metavar="NAME",
    help="An installed package of yours, with all that it needs; may be given again.",
)
@click.option("--traces", is_flag=True, help="With what sends traces to a collector (otel).")
@json_option
def for_lambda(target: Path, extensions: tuple[str, ...], *, traces: bool, as_json: bool) -> None:
    """Build the code of the Lambda functions.

    One file serves all three: `conveyor.entrypoints.aws_lambda.queue.handle`, `.api.handle` and
    `.tick.handle`. It holds what is installed here, so run this on Linux, with the processor and
    the Python that the functions will have. The same input gives the same file, byte by byte.
    """
    try:
        from conveyor.entrypoints.aws_lambda.packaging import MOST_BYTES, NotInstalledError, build
    except ModuleNotFoundError as error:
        raise click.UsageError(
            f"{error.name} is missing: pip install 'conveyor[aws,lambda,postgres]'"
        ) from error
    try:
        built = build(target, extensions, traces=traces)
    except NotInstalledError as error:
        raise click.UsageError(str(error)) from error
    if built.bytes > MOST_BYTES:
        note(f"It is larger than {MOST_BYTES // 1_000_000} MB: cold starts will be slow.")
    emit(
        asdict(built),
        as_json=as_json,
        show=lambda _: say(
            f"{target}: {built.bytes / 1_000_000:.1f} MB, {built.files} files, for Python "
            f"{built.python}."
        ),
    )
