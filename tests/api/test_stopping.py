"""The stop: what was begun is finished, requests first and then the services."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
from tests.api.serving import Server, order_of, place
from tests.examples.stories import status_of
from tests.servers.waiting import PATIENCE_SECONDS, wait_until

from conveyor.core.order_status import OrderStatus

SHOP = ("payments", "inventory", "shipping", "orders")


def test_services_go_on_at_the_stop_until_the_last_request_is_answered(start: Any) -> None:
    running: Server = start(*SHOP, payment_latency_seconds=0.3)
    begun, done = threading.Event(), threading.Event()
    whole = orjson.dumps(order_of())

    def slowly() -> Iterator[bytes]:
        yield whole[:1]
        begun.set()
        assert done.wait(PATIENCE_SECONDS)
        yield whole[1:]

    with ThreadPoolExecutor(1) as client:
        last = client.submit(running.client().post, "/v1/orders", content=slowly())
        assert begun.wait(PATIENCE_SECONDS)
        order_id = place(running.client())
        running.ask_to_stop()
        try:
            wait_until(
                lambda: running.run(status_of(running.app, order_id)), OrderStatus.COMPLETED.__eq__
            )
        finally:
            done.set()
        assert last.result(PATIENCE_SECONDS).status_code == 202
