"""All processes behind a pooler in transaction mode: a session is another with each transaction."""

from __future__ import annotations

from pathlib import Path

from tests.cli.driver import until
from tests.failover.shop import TWICE, UNDER_WAY, all_settle, counted, rows, shop_on
from tests.servers.pooler import pooled
from tests.servers.postgres import postgres_server
from tests.servers.standby import on

from conveyor.adapters.postgres.creation import beside

COUNT = 80
IN_HAND = 10


def test_a_worker_that_dies_behind_a_pooler_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with postgres_server(durable=False) as postgres, pooled(postgres) as pooler:
        direct = postgres.fresh_database()
        name = direct.rpartition("/")[2]
        settings = {"CONVEYOR_DATABASE_POOLED": "1", "CONVEYOR_PAYMENT_LATENCY_SECONDS": "0.5"}
        with shop_on(tmp_path, on(pooler, name), **settings) as shop:
            shop.set_up()
            shop.open()
            dies, _ = shop.start("work", "all"), shop.start("work", "all")
            shop.place(COUNT, "one")
            until(lambda: counted(direct, UNDER_WAY) > IN_HAND)
            dies.popen.kill()
            statuses = all_settle(direct)
            audited = shop.audit()
            twice = rows(beside(direct, "_simulated"), TWICE)

    assert statuses == {"completed": COUNT}
    assert twice == []
    assert audited.code == 0, audited.out
