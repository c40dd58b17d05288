"""Every measurement by its name: whoever adds one adds a line here."""

from collections.abc import Callable

from benchmarks.audits import measure_audits
from benchmarks.cold_starts import measure_cold_starts
from benchmarks.comparisons import compare
from benchmarks.finding import measure_finding
from benchmarks.flows import compare_flows
from benchmarks.memory import measure_memory
from benchmarks.one_sku import measure_one_sku
from benchmarks.order_costs import measure_order_costs
from benchmarks.overload import measure_overload
from benchmarks.placing import measure_placing
from benchmarks.renewals import measure_renewals
from benchmarks.resting import measure_idle_cpu, measure_idle_queues, measure_start
from benchmarks.section import Section
from benchmarks.servers import Servers
from benchmarks.settled import compare_settled
from benchmarks.settling import measure_settling
from benchmarks.sizes import Sizes
from benchmarks.sqs_layouts import compare_layouts
from benchmarks.strict_order import measure_strict_order
from benchmarks.written import measure_written

Measurement = Callable[[Servers, Sizes], Section]

MEASUREMENTS: dict[str, Measurement] = {
    "rates": compare,
    "order-costs": measure_order_costs,
    "placing": measure_placing,
    "settling": measure_settling,
    "overload": measure_overload,
    "start": measure_start,
    "cold-start": measure_cold_starts,
    "idle-cpu": measure_idle_cpu,
    "idle-queues": measure_idle_queues,
    "settled": compare_settled,
    "finding": measure_finding,
    "audits": measure_audits,
    "memory": measure_memory,
    "renewals": measure_renewals,
    "strict-order": measure_strict_order,
    "one-sku": measure_one_sku,
    "flows": compare_flows,
}
ON_REQUEST: dict[str, Measurement] = {
    "sqs-layouts": compare_layouts,
    "written": measure_written,
}
"""What helps to decide, and is left out of a whole run."""
