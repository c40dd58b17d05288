"""Figures as OTLP has them, made of those that Prometheus is told: the same, by the same names.

Names are those of /metrics to the letter, so that rules and dashboards know them whichever way they
came. All are counted from the process's beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample

NS_PER_MS = 1_000_000
NS_PER_SECOND = 1_000_000_000
HEXADECIMAL = 16
SECONDS, SECOND = "_seconds", "s"
BOUND = "le"
TRACE_ID, SPAN_ID = "trace_id", "span_id"
CUMULATIVE = AggregationTemporality.CUMULATIVE
_NOT_KNOWN: Any = None
"""What the least and the most of a histogram are: nobody keeps them."""


@dataclass(frozen=True, slots=True)
class Look:
    """When figures were looked at, in nanoseconds: now, before that, and the beginning of it all.

    An exemplar from before the last look was told by that.
    """

    began: int
    last: int
    now: int


def metrics_of(families: Iterable[Family], look: Look) -> Iterator[Metric]:
    """Give what there are any of."""
    for family in families:
        if family.samples:
            unit = SECOND if family.name.endswith(SECONDS) else ""
            yield Metric(_name(family), family.documentation, unit, _data(family, look))


def _name(family: Family) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def _data(family: Family, look: Look) -> Sum | Gauge | Histogram:
    match family.type:
        case "histogram":
            return Histogram(list(_histograms(family, look)), CUMULATIVE)
        case "counter":
            return Sum(_numbers(family, look), CUMULATIVE, is_monotonic=True)
        case _:
            return Gauge(_numbers(family, look))


def _numbers(family: Family, look: Look) -> list[NumberDataPoint]:
    return [
        NumberDataPoint(it.labels, look.began, look.now, float(it.value)) for it in family.samples
    ]


def _histograms(family: Family, look: Look) -> Iterator[HistogramDataPoint]:
    """Prometheus' buckets hold those below as well, ours only what is their own."""
    for labels, samples in _by_labels(family.samples):
        buckets = [it for it in samples if BOUND in it.labels]
        so_far = [0, *(int(it.value) for it in buckets)]
        yield HistogramDataPoint(
            labels,
            look.began,
            look.now,
            count=so_far[-1],
            sum=next(it.value for it in samples if it.name.endswith("_sum")),
            bucket_counts=[after - before for before, after in pairwise(so_far)],
            explicit_bounds=[float(it.labels[BOUND]) for it in buckets[:-1]],
            min=_NOT_KNOWN,
            max=_NOT_KNOWN,
            exemplars=list(_exemplars(buckets, look)),
        )


def _by_labels(samples: Iterable[Sample]) -> Iterable[tuple[Mapping[str, str], list[Sample]]]:
    found: dict[tuple[tuple[str, str], ...], list[Sample]] = {}
    for it in samples:
        labels = tuple((name, value) for name, value in it.labels.items() if name != BOUND)
        found.setdefault(labels, []).append(it)
    return ((dict(labels), of_one) for labels, of_one in found.items())


def _exemplars(buckets: Iterable[Sample], look: Look) -> Iterator[Exemplar]:
    for bucket in buckets:
        if (it := bucket.exemplar) is None:
            continue
        at = round(float(it.timestamp or 0) * NS_PER_SECOND)
        if at > look.last:
            trace_id, span_id = (int(it.labels[name], HEXADECIMAL) for name in (TRACE_ID, SPAN_ID))
            yield Exemplar({}, float(it.value), at, span_id, trace_id)
