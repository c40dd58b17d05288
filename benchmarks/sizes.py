"""How much is measured: in full, or just enough to see that everything works."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sizes:
    """Numbers of orders unless their names say otherwise.

    Systems differ a hundredfold in speed: each is given what takes it about ten seconds.
    """

    rounds: int = 3
    embedded: int = 10_000
    postgres: int = 10_000
    sqs: int = 5_000
    dbos: int = 500
    celery: int = 500
    raw_groups_of_10: int = 5_000
    raw_groups_of_200: int = 20_000
    settled_few: int = 10_000
    settled_many: int = 1_000_000
    beside_settled: int = 5_000
    audited: int = 100_000
    found: int = 1_000_000
    costed: int = 5_000
    long_replay: int = 69_659
    many_processes: int = 10_000
    flows: int = 5_000
    flows_on_sqs: int = 1_000
    renewals: int = 100_000
    renewals_on_sqs: int = 10_000
    rush: int = 20_000
    rush_on_sqs: int = 20_000
    one_sku: int = 10_000
    starts: int = 5
    placing_seconds: float = 15.0
    placing_full_rate: int = 5_000
    settling_seconds: float = 20.0
    overload_seconds: float = 60.0
    idle_cpu_seconds: float = 30.0
    idle_queues_seconds: float = 60.0
    cdnow: Path | None = None
    """The whole CDNOW file; without it the thousand purchases in the package are repeated."""


FULL = Sizes()
QUICK = Sizes(
    rounds=1,
    embedded=500,
    postgres=500,
    sqs=300,
    dbos=50,
    celery=50,
    raw_groups_of_10=500,
    raw_groups_of_200=1_000,
    settled_few=2_000,
    settled_many=10_000,
    beside_settled=500,
    audited=5_000,
    found=20_000,
    costed=500,
    long_replay=1_000,
    many_processes=300,
    flows=300,
    flows_on_sqs=100,
    renewals=1_000,
    renewals_on_sqs=500,
    rush=2_000,
    rush_on_sqs=500,
    one_sku=1_000,
    starts=2,
    placing_seconds=3.0,
    placing_full_rate=500,
    settling_seconds=3.0,
    overload_seconds=5.0,
    idle_cpu_seconds=5.0,
    idle_queues_seconds=25.0,
)
