"""What Prometheus sees when each of our alerts is to fire: series in the notation of promtool.

`0+1x9` is 0, 1, ... 9, a minute apart; `_` is nothing. https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/
"""

from typing import NamedTuple

HOUR = "x60"
WELL = {"conveyor_database_up": f"1{HOUR}"}


class Case(NamedTuple):
    """An alert, what makes it fire, and after how many minutes of that it must."""

    alert: str
    series: dict[str, str]
    minutes: int


CASES = (
    Case("OrdersParked", {'conveyor_orders{status="parked"}': f"1{HOUR}"}, 1),
    Case(
        "DeadLetters",
        {
            'conveyor_queue_messages{queue="payments-dead",state="visible"}': f"0{HOUR}",
            'conveyor_dead_messages{queue="payments"}': f"2{HOUR}",
        },
        1,
    ),
    Case("GroupBlocked", {"conveyor_orders_blocked": f"3{HOUR}"}, 1),
    Case("OrdersWithoutFlow", {'conveyor_orders_without_flow{flow="gift@1"}': f"1{HOUR}"}, 5),
    Case("OrdersWaiting", {'conveyor_orders_waiting{provider="bank"}': f"9{HOUR}"}, 5),
    Case(
        "ProviderPaused",
        {
            'conveyor_provider_paused{provider="bank",instance="a"}': f"0{HOUR}",
            'conveyor_provider_paused{provider="bank",instance="b"}': f"1{HOUR}",
        },
        5,
    ),
    Case("ServicePausedLong", {'conveyor_service_paused{service="payments"}': f"1{HOUR}"}, 60),
    Case("MoneyOwed", {'conveyor_orders{status="compensating"}': f"1{HOUR}"}, 30),
    Case("OutboxLate", {"conveyor_outbox_oldest_due_seconds": f"61{HOUR}"}, 5),
    Case(
        "QueueGrows",
        {'conveyor_queue_messages{queue="payments",state="visible"}': f"200+20{HOUR}"},
        17,
    ),
    Case(
        "QueueSlow",
        {
            'conveyor_queue_seconds_bucket{queue="payments",le="60.0"}': f"0+1{HOUR}",
            'conveyor_queue_seconds_bucket{queue="payments",le="300.0"}': f"0+9{HOUR}",
            'conveyor_queue_seconds_bucket{queue="payments",le="+Inf"}': f"0+9{HOUR}",
        },
        12,
    ),
    Case("DatabaseAway", {"conveyor_database_up": f"0{HOUR}"}, 1),
    Case("QueueAway", {'conveyor_queue_up{queue="orders"}': f"0{HOUR}"}, 1),
    Case("TokensLost", {'conveyor_messages_total{outcome="resent",queue="orders"}': "0 0 3x60"}, 2),
    Case(
        "TokensWithoutOrder",
        {'conveyor_messages_total{outcome="orphaned",queue="orders"}': "0 0 1x60"},
        2,
    ),
    Case("Overloaded", {'conveyor_http_refused_total{code="overloaded"}': f"0+5{HOUR}"}, 7),
    Case(
        "ApiErrors",
        {
            'conveyor_http_request_seconds_count{route="/v1/orders",status="202"}': f"0+90{HOUR}",
            'conveyor_http_request_seconds_count{route="/v1/orders",status="500"}': f"0+1{HOUR}",
        },
        7,
    ),
    Case("LoopBreaks", {'conveyor_loop_restarts_total{loop="sweeper"}': "0 0 1x60"}, 2),
    Case("NoWorker", {'conveyor_workers{service="payments"}': f"0{HOUR}"}, 2),
    Case("ProcessDown", {'up{job="conveyor-work",instance="a"}': f"0{HOUR}"}, 2),
    Case("NobodyTells", {"conveyor_database_up": f"_{HOUR}"}, 2),
)
