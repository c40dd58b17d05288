"""What a process has counted and timed, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import samples
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.utils import floatToGoString

from conveyor.core.measures import Histogram, Measures
from conveyor.core.routing_slip import service_of


def measured(measures: Measures) -> Iterator[Metric]:
    """Give what the services of a process have done."""
    steps = CounterMetricFamily(
        "conveyor_steps",
        "Steps that this process took, by what they came to.",
        labels=["flow", "service", "step", "outcome"],
    )
    for (flow, step, outcome), count in sorted(measures.steps.items()):
        steps.add_metric([flow, service_of(step), step, outcome], count)
    yield steps
    yield histogram(
        "conveyor_step_seconds",
        "From the taking of a step's token to its commit, calls included.",
        ["service", "step"],
        {(service_of(step), step): it for (step,), it in measures.step_seconds.items()},
    )
    yield histogram(
        "conveyor_queue_seconds",
        "From the sending of a message to its first taking.",
        ["queue"],
        measures.queue_seconds,
    )
    yield histogram(
        "conveyor_call_seconds",
        "Calls of providers.",
        ["provider", "operation", "outcome"],
        measures.call_seconds,
    )
    yield histogram(
        "conveyor_order_seconds",
        "From an order's placing to its end.",
        ["flow", "status"],
        measures.order_seconds,
    )


def requests(seconds: Mapping[tuple[str, ...], Histogram]) -> Metric:
    """Give how long requests took until their answers began."""
    says = "From a request to the beginning of its answer."
    return histogram("conveyor_http_request_seconds", says, ["method", "route", "status"], seconds)


def histogram(
    name: str, says: str, labels: Sequence[str], seen: Mapping[tuple[str, ...], Histogram]
) -> Metric:
    """Give histograms in the form of Prometheus, whose buckets hold those below as well."""
    family = HistogramMetricFamily(name, says, labels=labels)
    for values, it in sorted(seen.items()):
        family.add_metric(values, list(_buckets(it)), it.sum)
    return family


def _buckets(of: Histogram) -> Iterator[tuple[str, float] | tuple[str, float, samples.Exemplar]]:
    upper = [*map(floatToGoString, of.bounds), "+Inf"]
    for at, (bound, count) in enumerate(zip(upper, accumulate(of.counts), strict=True)):
        if (it := of.exemplars.get(at)) is None:
            yield bound, float(count)
        else:
            labels = {"trace_id": it.span.trace_id, "span_id": it.span.span_id}
            yield bound, float(count), samples.Exemplar(labels, it.seconds, it.at_ms / 1_000)
