"""Measures Conveyor, beside its peers and by itself.

    python -m benchmarks [--quick] [--only NAME ...] [--cdnow FILE]

Needs nothing but this repository's environment; starts the servers that it measures against, and
leaves none of them behind. What it finds is printed as Markdown; a whole run is also written to
`results/`.
"""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import machine_facts
from benchmarks.measurements import MEASUREMENTS, ON_REQUEST
from benchmarks.section import Section, table, target_table
from benchmarks.servers import running_servers
from benchmarks.sizes import FULL, QUICK

RESULTS = Path(__file__).parent / "results" / "latest"
ALL = MEASUREMENTS | ON_REQUEST

Sections = dict[str, Section]


def main() -> None:
    """Measure what was asked for and print it; a whole run is written down as it goes on."""
    options = _options()
    sizes = replace(QUICK if options.quick else FULL, cdnow=options.cdnow)
    if options.rounds:
        sizes = replace(sizes, rounds=options.rounds)
    chosen = options.only or list(MEASUREMENTS)
    sections: Sections = {}
    with running_servers() as servers:
        facts = machine_facts(servers) | {"begun": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"}
        for name in chosen:
            begun = time.monotonic()
            try:
                sections[name] = ALL[name](servers, sizes)
            except Exception:  # noqa: BLE001 - what the others find is worth having all the same
                traceback.print_exc()
            print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
            if not (options.quick or options.only):
                _write(facts, sections)
    print(_document(facts, sections))
    if failed := [name for name in chosen if name not in sections]:
        sys.exit(f"failed: {', '.join(failed)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", choices=list(ALL), metavar="NAME", help=_NAMES)
    parser.add_argument("--quick", action="store_true", help="small: see that it works, no more")
    parser.add_argument("--rounds", type=int, help="of each comparison")
    parser.add_argument("--cdnow", type=Path, help="a whole CDNOW file to take the orders from")
    return parser.parse_args()


_NAMES = f"measure this alone; may be repeated: {', '.join(ALL)}"


def _document(facts: Mapping[str, str], sections: Sections) -> str:
    targets = [target for section in sections.values() for target in section.targets]
    parts = ["# Conveyor, measured", table(("machine", ""), list(facts.items()))]
    if targets:
        parts += ["## Targets", target_table(targets)]
    return "\n\n".join([*parts, *(section.as_markdown() for section in sections.values())])


def _write(facts: Mapping[str, str], sections: Sections) -> None:
    results = {"machine": facts, "results": {n: it.as_json() for n, it in sections.items()}}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.with_suffix(".md").write_text(_document(facts, sections) + "\n", encoding="utf-8")
    RESULTS.with_suffix(".json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
