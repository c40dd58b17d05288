"""How a system stands, as rows for people: what `status` prints and `top` draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conveyor.core.durations import duration
from conveyor.entrypoints.cli.output import counted

View = Mapping[str, Any]
"""What `GET /v1/overview` answers."""

KINDS = ("waiting", "working", "outside", "undoing", "parked")
FLOWS = ("", "wait", "in work", "outside", "undoing", "parked", "oldest", "a minute")
QUEUES = ("queue", "wait", "in flight", "delayed", "dead", "owed", "oldest")
WORKERS = ("process", "in hand", "since", "version", "serves")
NOT_KNOWN = "?"
INDENT = "  "
SECOND_MS = 1_000
TIME_OF_DAY = slice(11, 19)
"""Of a time as the API writes it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A table: `right` names the columns that hold figures."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[str] = field(default=())


def heading(view: View) -> str:
    """Say it in one line."""
    placed, ended = (_number(view[f"{what}_a_minute"]) for what in ("placed", "ended"))
    said = f"{view['open']:,} open, {view['parked']:,} parked; "
    return f"{said}in the last minute {placed} placed, {ended} ended"


def verdict(view: View) -> str:
    """Say whether somebody is needed."""
    if view["ok"]:
        return "All is well."
    return f"{counted(len(view['needs']), 'thing')} to see to:"


def flows_of(view: View, steps: int | None = None) -> Part:
    """Give each flow, and below it up to `steps` of its steps at which orders stand; None: all."""
    rows: list[Sequence[str]] = []
    left = len(FLOWS) * 1_000 if steps is None else steps
    for line in view["flows"]:
        rows.append(_flow(line))
        busy = [it for it in line["stations"] if any(it[kind] for kind in KINDS)]
        rows += [_station(it) for it in busy[:left]]
        left -= min(left, len(busy))
    return Part(FLOWS, rows, FLOWS[1:])


def queues_of(view: View) -> Part:
    """Give the queues in which there is something, or which do not answer."""
    rows = [_queue(it) for it in view["queues"] or () if _is_busy(it)]
    return Part(QUEUES, rows, QUEUES[1:])


def workers_of(view: View) -> Part:
    """Give the processes that have said that they live."""
    rows = [_worker(it) for it in view["workers"] or ()]
    return Part(WORKERS, rows, ("in hand",))


def rest_of(view: View) -> Iterator[str]:
    """Say what has no row."""
    if view["queues"] is not None:
        quiet = len(view["queues"]) - len(queues_of(view).rows)
        yield f"{counted(quiet, 'queue')} with nothing in them."
        yield _providers(view["providers"])
        if not view["workers"]:
            yield "No process has said that it lives."


def _providers(found: Sequence[View]) -> str:
    away = [it["name"] for it in found if it["paused"] or it["orders"]]
    if away:
        return f"Providers that answer nobody: {', '.join(away)}."
    return f"{counted(len(found), 'provider')}, and none is paused."


def _flow(line: View) -> Sequence[str]:
    stations = line["stations"]
    ages = [it["oldest_ms"] for it in stations if it["oldest_ms"] is not None]
    counts = (_count(sum(it[kind] for it in stations)) for kind in KINDS)
    oldest = _age(max(ages)) if ages else ""
    return (f"{line['flow']}@{line['version']}", *counts, oldest, _number(line["ends_a_minute"]))


def _station(it: View) -> Sequence[str]:
    counts = (_count(it[kind]) for kind in KINDS)
    return (INDENT + it["step"], *counts, _age(it["oldest_ms"]), _number(it["a_minute"]))


def _queue(it: View) -> Sequence[str]:
    depth = it["depth"]
    three = ("visible", "in_flight", "delayed")
    counts = [_count(depth[name]) if depth else NOT_KNOWN for name in three]
    dead = NOT_KNOWN if it["dead"] is None else _count(it["dead"])
    return (it["name"], *counts, dead, _count(it["orders"]), _age(it["oldest_ms"]))


def _is_busy(it: View) -> bool:
    depth = it["depth"]
    return depth is None or it["dead"] != 0 or bool(it["orders"]) or any(depth.values())


def _worker(it: View) -> Sequence[str]:
    since = it["started_at"][TIME_OF_DAY]
    state = since if it["alive"] else f"silent since {it['seen_at'][TIME_OF_DAY]}"
    serves = ", ".join(it["services"]) or "sends what is owed"
    return (f"{it['host']} {it['pid']}", f"{it['in_hand']:,}", state, it["version"], serves)


def _count(count: int) -> str:
    return f"{count:,}" if count else ""


def _number(count: int | None) -> str:
    return NOT_KNOWN if count is None else f"{count:,}"


def _age(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    return duration(milliseconds // SECOND_MS * SECOND_MS)
