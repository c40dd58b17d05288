"""The table of planted bugs: how many stories each took until it was found."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

from conveyor.testing import planted
from conveyor.testing.planted import BUGS, OF_LOCKS, runs_until_found
from conveyor.testing.planted.table import Found, as_markdown, summed_up
from conveyor.testing.world import World

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Plant the bugs, one at a time, and tell how many stories each took."""
    chosen = _parser().parse_args(arguments)
    bugs = OF_LOCKS if chosen.database else BUGS
    wanted = [bug for bug in bugs if not chosen.names or bug.name in chosen.names]
    world, table = _world(chosen.database), list[Found]()
    try:
        for bug in wanted:
            table.append(Found.of(bug, *runs_until_found(world, bug, chosen.most)))
            if not chosen.json:
                _tell(table[-1], chosen)
    except KeyboardInterrupt:
        _sum_up(table, len(wanted), chosen)
        return INTERRUPTED
    finally:
        world.close()
    _sum_up(table, len(wanted), chosen)
    return 0 if table and all(line.runs for line in table) else 1


def _world(url: str) -> World:
    if not url:
        return World()
    from conveyor.testing.postgres import PostgresStore

    return World(partial(PostgresStore, url))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m conveyor.testing.planted",
        description=planted.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")
    parser.add_argument("--most", type=int, default=5_000, help="stories each (default: 5000)")
    parser.add_argument(
        "--database", metavar="URL", default="", help="a PostgreSQL, for those of its locks"
    )
    told = parser.add_mutually_exclusive_group()
    told.add_argument("--json", action="store_true", help="print one JSON object at the end")
    told.add_argument(
        "--markdown", action="store_true", help="print a table in Markdown at the end"
    )
    return parser


def _tell(line: Found, chosen: argparse.Namespace) -> None:
    told = f"{line.runs:6,} runs: {line.shown}" if line.runs else "not found"
    if not line.runs:
        told += f" in {chosen.most:,} runs"
    where = sys.stderr if chosen.markdown else sys.stdout
    print(f"{line.name:28} {line.flow:8} {told}", file=where, flush=True)


def _sum_up(table: Sequence[Found], wanted: int, chosen: argparse.Namespace) -> None:
    found = sum(line.runs > 0 for line in table)
    if chosen.json:
        print(json.dumps({"found": found, "of": wanted, "bugs": [asdict(line) for line in table]}))
        return
    print(as_markdown(table, wanted) if chosen.markdown else summed_up(table, wanted))


if __name__ == "__main__":
    sys.exit(main())
