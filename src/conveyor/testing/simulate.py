"""The simulator: thousands of short lives of a whole system, each disturbed in its own way.

    python -m conveyor.testing.simulate --flow all --runs 1000 --seed 1
    python -m conveyor.testing.simulate --flow shop --replay 17        # one story again
    python -m conveyor.testing.simulate --flow shop --replay 17:0,3,5  # only these of its events
    python -m conveyor.testing.simulate --flow gift                    # one of yours, as it says
    python -m conveyor.testing.simulate --database postgresql://...    # on a real server

Several processes run at once on virtual time, over one database and one set of queues, while the
provider, the carrier, messages, clocks, machines and people do what they do. After each story every
invariant is held against what is left. At a violation the story is shortened, told and named, and
the exit status is 1; it is 2 when the command line makes no sense, and 130 after Ctrl-C.

On a PostgreSQL two systems live, and their transactions overlap, a statement at a time: for what
only locks show. It makes a database for itself on that server, and drops it at the end.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count

from conveyor.system.installation import ExtensionError
from conveyor.testing.drawing import draw
from conveyor.testing.loop import ProcessLoop
from conveyor.testing.own_flow import UnknownFlowError, UnplayableFlowError
from conveyor.testing.plot import Subject
from conveyor.testing.rush import draw_rush
from conveyor.testing.shrinking import shorten
from conveyor.testing.store import SqliteStore, Store
from conveyor.testing.story import CUSTOMERS, FLOWS, Story
from conveyor.testing.totals import Totals
from conveyor.testing.world import Outcome, World

PROGRESS_SECONDS = 10.0
BATCH = 8
INTERRUPTED = 130
Draws = Callable[[int, str, Subject | None], Story]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit status."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.database and chosen.jobs > 1:
        parser.error("--database is for one job")
    try:
        with _made(chosen):
            return _replay(chosen) if chosen.replay else _simulate(chosen)
    except (UnknownFlowError, UnplayableFlowError, ExtensionError) as error:
        parser.error(str(error))


@contextmanager
def _made(chosen: argparse.Namespace) -> Iterator[None]:
    """Have a world for what was chosen; those that were there before come back at the end.

    One of our flows is anew only on a server: what it lives on is else always the same.
    """
    if not chosen.database and chosen.flow in {*FLOWS, "all"}:
        yield
        return
    open_store: Callable[[ProcessLoop], Store] = SqliteStore
    if chosen.database:
        from conveyor.testing.postgres import PostgresStore

        open_store = partial(PostgresStore, chosen.database)
    before, _WORLDS[:] = _WORLDS[:], [World(open_store, chosen.flow)]
    try:
        yield
    finally:
        _WORLDS[0].close()
        _WORLDS[:] = before


def _simulate(chosen: argparse.Namespace) -> int:
    began, totals = time.monotonic(), Totals()
    broken: Outcome | None = None
    try:
        broken = _run_all(chosen, totals, began)
    except KeyboardInterrupt:
        _report(chosen, totals, began, None)
        return INTERRUPTED
    if broken is not None and not chosen.json:
        print(f"seed {broken.story.seed} breaks {broken.violations[0].name}: shortening its story")
    shortest = _shortest(broken) if broken else None
    _report(chosen, totals, began, shortest)
    return 1 if broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m conveyor.testing.simulate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--flow",
        metavar="FLOW",
        default="all",
        help=f"whose orders come: any that is installed; all: {', '.join(FLOWS)} (default: all)",
    )
    parser.add_argument(
        "--runs", type=int, default=200, help="stories to live; 0: until stopped (default: 200)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the first story (default: 1)")
    parser.add_argument("--jobs", type=int, default=1, help="processes to share the runs")
    parser.add_argument(
        "--database", metavar="URL", default="", help="a PostgreSQL to live on (default: SQLite)"
    )
    parser.add_argument(
        "--rush", action="store_true", help="stories in which all come at once, and wait for locks"
    )
    parser.add_argument("--replay", metavar="STORY", help="live one story again, and tell it")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    return parser


def _run_all(chosen: argparse.Namespace, totals: Totals, began: float) -> Outcome | None:
    """Live all stories; gives the first that breaks an invariant."""
    seeds = range(chosen.seed, chosen.seed + chosen.runs) if chosen.runs else count(chosen.seed)
    told = began
    live = partial(_live, _draws(chosen), chosen.flow)
    with _outcomes(live, iter(seeds), chosen.jobs) as outcomes:
        for outcome in outcomes:
            totals.add(outcome)
            if outcome.violations:
                return outcome
            if time.monotonic() - told > PROGRESS_SECONDS and not chosen.json:
                told = time.monotonic()
                print(next(totals.lines(told - began)), file=sys.stderr, flush=True)
    return None


class _outcomes:  # noqa: N801 - reads as the context that it is
    """The runs, in this process or in several."""

    def __init__(self, live: Callable[[int], Outcome], seeds: Iterator[int], jobs: int) -> None:
        self._live, self._seeds, self._jobs = live, seeds, jobs
        self._pool = multiprocessing.get_context("spawn").Pool(jobs) if jobs > 1 else None

    def __enter__(self) -> Iterator[Outcome]:
        if self._pool is None:
            return map(self._live, self._seeds)
        return self._pool.imap(self._live, self._seeds, chunksize=BATCH)

    def __exit__(self, *_error: object) -> None:
        if self._pool is not None:
            self._pool.terminate()
            self._pool.join()


_WORLDS: list[World] = []


def world(flow: str = "all") -> World:
    """Give this process's world, which is made once."""
    if not _WORLDS:
        _WORLDS.append(World(flow=flow))
    return _WORLDS[0]


def _live(draws: Draws, flow: str, seed: int) -> Outcome:
    lived = world(flow)
    return lived.play(draws(seed, flow, lived.own.subject if lived.own else None))


def _draws(chosen: argparse.Namespace) -> Draws:
    return draw_rush if chosen.rush else draw


def _shortest(broken: Outcome) -> Outcome:
    names = {violation.name for violation in broken.violations}
    first = broken.violations[0].name

    def breaks(story: Story) -> bool:
        return any(violation.name == first for violation in world().play(story).violations)

    shortest = world().play(shorten(broken.story, breaks))
    # What depends on what was played before it in the same process is told as it was.
    return shortest if names & {v.name for v in shortest.violations} else broken


def _report(
    chosen: argparse.Namespace, totals: Totals, began: float, broken: Outcome | None
) -> None:
    took = time.monotonic() - began
    if chosen.json:
        print(json.dumps(_as_json(chosen, totals, took, broken)))
        return
    for line in totals.lines(took):
        print(line)
    if broken is not None:
        _tell(chosen, broken)


def _as_json(
    chosen: argparse.Namespace, totals: Totals, took: float, broken: Outcome | None
) -> dict[str, object]:
    told: dict[str, object] = {
        "flow": chosen.flow,
        "runs": totals.runs,
        "steps": totals.steps,
        "seconds": round(took, 3),
        "faults": {k: n for k, n in sorted(totals.events.items()) if k not in CUSTOMERS},
    }
    if broken is not None:
        told["violations"] = [[v.name, v.what] for v in broken.violations]
        told["replay"] = broken.story.name
        told["story"] = [str(event) for event in broken.story.events]
    return told


def _tell(chosen: argparse.Namespace, outcome: Outcome) -> None:
    print("\nThe story:")
    for event in outcome.story.events:
        print(f"  {event}")
    print("What it breaks:" if outcome.violations else "It breaks nothing.")
    for violation in outcome.violations:
        print(f"  {violation.name}: {violation.what}")
    where = (" --database URL" if chosen.database else "") + (" --rush" if chosen.rush else "")
    arguments = f"--flow {chosen.flow}{where} --replay {outcome.story.name}"
    print(f"Again: python -m conveyor.testing.simulate {arguments}")


def _replay(chosen: argparse.Namespace) -> int:
    seed, _, kept = chosen.replay.partition(":")
    try:
        own = world().own
        story = _draws(chosen)(int(seed), chosen.flow, own.subject if own else None)
        if kept:
            story = story.only([int(number) for number in kept.split(",")])
    except ValueError:
        print(f"--replay {chosen.replay}: write it as SEED or SEED:1,2,3", file=sys.stderr)
        return 2
    outcome = world().play(story)
    for line in world().timelines():
        print(line)
    _tell(chosen, outcome)
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    sys.exit(main())
