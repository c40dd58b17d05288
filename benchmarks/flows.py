"""Each flow beside the shop's, and FIFO queues beside standard ones, in turns."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from benchmarks.cdnow import write_orders
from benchmarks.deployment import COMPLETED, Deployment
from benchmarks.lines import FIFO, STANDARD
from benchmarks.renewals import subscribed
from benchmarks.section import Section
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes

ROOT = Path(__file__).parents[1]
SETTINGS = {
    "PYTHONPATH": str(ROOT),
    "CONVEYOR_EXTENSIONS": "benchmarks.lines:EXTENSION",
    "CONVEYOR_FOOD_PACE_SECONDS": "0",
}
BACKENDS = ("SQLite", "PostgreSQL, SQS")
PLACE = {"latitude": 52.5, "longitude": 13.4}
MAX_PREPARING = 10_000
RIDERS = 200
RIDER_CAPACITY = 100
FLIGHTS = 50
DATE = "2013-01-01"

Body = dict[str, Any]


def compare_flows(servers: Servers, sizes: Sizes) -> Section:
    """Run every flow on both, in turns."""
    names = ("shop", "food", "travel", "renewal", STANDARD, FIFO)
    runs: dict[str, dict[str, list[float]]] = {
        backend: {name: [] for name in names} for backend in BACKENDS
    }
    for _ in range(sizes.rounds):
        for backend, count in zip(BACKENDS, (sizes.flows, sizes.flows_on_sqs), strict=True):
            on_sqs = backend != BACKENDS[0]
            for name in names:
                runs[backend][name].append(_rate(servers, name, count, on_sqs=on_sqs))
    rows = [
        (name, *(f"{median(runs[b][name]):,.0f}" for b in BACKENDS), *_beside(name, runs))
        for name in names
    ]
    columns = ("orders a second", *BACKENDS, *(f"{b}: beside" for b in BACKENDS))
    note = (
        "Beside: food, travel and renewal beside the shop, FIFO beside standard. Meals wait for"
        " restaurants and riders that look around once a second; journeys are one seat each on one"
        f" of {FLIGHTS} flights, in strict order; renewals as in their own measurement;"
        f" {STANDARD} and {FIFO} are five steps that do nothing, on a queue of that kind, with the"
        " order as its message group. On SQS one process does everything."
    )
    return Section("Flows", columns, rows, notes=[note], runs=runs)


def _beside(name: str, runs: dict[str, dict[str, list[float]]]) -> Iterator[str]:
    other = STANDARD if name in {STANDARD, FIFO} else "shop"
    for of in runs.values():
        yield f"{median(of[name]) / median(of[other]):.2f}"


def _rate(servers: Servers, name: str, count: int, *, on_sqs: bool) -> float:
    if name == "renewal":
        with subscribed(servers, count, on_sqs=on_sqs) as night:
            return night.undisturbed()[1]
    with ExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="conveyor-flows-")))
        url = stack.enter_context(servers.database()) if on_sqs else ""
        queues = stack.enter_context(servers.queues()) if on_sqs else ""
        deployment = Deployment(home / "data", url, queues, SETTINGS)
        deployment.prepare()
        file = WRITERS[name](deployment, home / "orders.jsonl", count)
        result = deployment.run("replay", file)
        assert result["by_status"] == {COMPLETED: count}, result
        deployment.audit()
        return float(result["orders_per_second"])


def _shop(_deployment: Deployment, path: Path, count: int) -> Path:
    return write_orders(path, count).path


def _food(deployment: Deployment, path: Path, count: int) -> Path:
    kitchen = {"id": "kitchen", **PLACE, "max_preparing": MAX_PREPARING, "simulated": "prompt"}
    rider = {**PLACE, "shift_until": "2100-01-01T00:00:00Z", "simulated": "prompt"}
    fleet = ({"id": f"r{n}", "capacity": RIDER_CAPACITY, **rider} for n in range(RIDERS))
    deployment.run("restaurants", "import", _write(path, [kitchen]))
    deployment.run("riders", "import", _write(path, fleet))
    pizza = {"sku": "PIZZA", "quantity": 1, "unit_price": 900}
    meal = {"items": [pizza], "restaurant": "kitchen", "drop_off": PLACE}
    return _write(path, (_body("food", number) | meal for number in range(count)))


def _travel(deployment: Deployment, path: Path, count: int) -> Path:
    lines = (f"F{number},{DATE},{count}\n" for number in range(FLIGHTS))
    flights = path.with_suffix(".csv")
    flights.write_text("flight,date,seats\n" + "".join(lines), encoding="ascii")
    deployment.run("bookings", "import", flights)
    legs = ([{"flight": f"F{n % FLIGHTS}", "date": DATE, "unit_price": 900}] for n in range(count))
    return _write(path, (_body("travel", n) | {"legs": leg} for n, leg in enumerate(legs)))


def _line(name: str) -> Callable[[Deployment, Path, int], Path]:
    def write(_deployment: Deployment, path: Path, count: int) -> Path:
        nothing = {"items": [{"sku": "NOTHING", "quantity": 1}], "total": 0}
        return _write(path, (_body(name, number) | nothing for number in range(count)))

    return write


WRITERS: dict[str, Callable[[Deployment, Path, int], Path]] = {
    "shop": _shop,
    "food": _food,
    "travel": _travel,
    STANDARD: _line(STANDARD),
    FIFO: _line(FIFO),
}


def _body(flow: str, number: int) -> Body:
    payment = {"method": "card_ok"}
    return {
        "flow": flow,
        "customer": {"id": str(number)},
        "currency": "USD",
        "payment": payment,
    }


def _write(path: Path, rows: Iterable[Body]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
    return path
