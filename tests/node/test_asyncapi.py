"""The AsyncAPI document is that of the code, valid, and true of what is really sent."""

from __future__ import annotations

import asyncio
import copy
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from tests.cli.driver import say
from tests.crash.scenarios import SCENARIOS, Lived
from tests.crash.scenarios_food import MEALS
from tests.crash.scenarios_renewal import RENEWALS
from tests.crash.scenarios_travel import JOURNEYS
from tests.node.driver import EXTENSION, HERE, ROOT

from conveyor.commerce.orders.intake_consumer import INTAKE
from conveyor.core.message import Token, encode
from conveyor.core.queue import Outgoing
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine

WRITTEN = ROOT / "docs" / "asyncapi.json"
OFFICIAL = HERE / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"
SEEDS = {"orderId": "ORD123", "userId": "U456", "items": ["Item1", "Item2"], "total": 100}
OURS = {
    "idempotencyKey": "k-1",
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 1, "unit_price": 1177}],
    "payment": {"method": "card_ok"},
    "shipping": {"country": "US"},
}

BY_QUEUE = {"ride_on": False}


@pytest.fixture(scope="module")
def official() -> Any:
    schema = json.loads(OFFICIAL.read_text(encoding="utf-8"))
    return jsonschema_rs.validator_for(schema)


def document(**environment: str) -> Any:
    return say("asyncapi", **environment).json()


def wrong(doc: Any, channel: str, body: Any, attributes: dict[str, str] | None = None) -> bool:
    """Whether a message is none of those that its channel is said to have."""

    def fits(name: str) -> bool:
        parts = {"payload": body, "headers": attributes or {}}
        return all(
            jsonschema_rs.Draft7Validator(
                {
                    "components": doc["components"],
                    "allOf": [{"$ref": f"#/components/messages/{name}/{part}"}],
                }
            ).is_valid(value)
            for part, value in parts.items()
        )

    return not any(fits(name) for name in doc["channels"][channel]["messages"])


class Noting:
    """Queues that note what is sent to each."""

    def __init__(self, queues: Any, sent: list[tuple[str, Outgoing]]) -> None:
        self._queues, self._sent = queues, sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queues, name)

    def queue(self, name: str) -> Any:
        queue, sent = self._queues.queue(name), self._sent

        class Noted:
            def __getattr__(self, of: str) -> Any:
                return getattr(queue, of)

            async def send(self, messages: list[Outgoing]) -> Any:
                sent.extend((name, message) for message in messages)
                return await queue.send(messages)

        return Noted()


def sent_by(world: Machine, life: Any) -> list[tuple[str, Outgoing]]:
    """Live a life and give all that was sent in it."""
    sent: list[tuple[str, Outgoing]] = []
    world.wrap_queues = lambda queues: Noting(queues, sent)
    world.run(life)
    return sent


def test_what_is_written_down_is_what_the_code_says() -> None:
    assert json.loads(WRITTEN.read_text(encoding="utf-8")) == document(), (
        "conveyor asyncapi > docs/asyncapi.json"
    )


@pytest.mark.parametrize("extensions", ["", EXTENSION, "examples.own_flow:EXTENSION"])
def test_it_is_valid(official: Any, extensions: str) -> None:
    doc = document(CONVEYOR_EXTENSIONS=extensions)

    assert not list(official.iter_errors(doc))
    broken = copy.deepcopy(doc)
    broken["operations"]["payments.send"]["action"] = "publish"
    assert not official.is_valid(broken)


def test_an_external_service_is_not_received_by_us_and_its_answers_are_told() -> None:
    doc = document(CONVEYOR_EXTENSIONS=EXTENSION)

    assert {"billing.send"} == {name for name in doc["operations"] if name.startswith("billing.")}
    answer = doc["components"]["messages"]["billing.charge"]["x-answer"]["$ref"]
    assert set(doc["components"]["schemas"][answer.rpartition("/")[2]]["properties"]) == {
        "charged",
        "reference",
        "reason",
    }


@pytest.mark.parametrize(
    "life",
    [SCENARIOS[0], SCENARIOS[2], MEALS[0], JOURNEYS[0], RENEWALS[0]],
    ids=["shop", "sold out", "food", "travel", "renewal"],
)
def test_what_is_sent_is_what_is_described(life: Lived, tmp_path: Path) -> None:
    doc = document()

    sent = sent_by(Machine(tmp_path, life.settings | BY_QUEUE), life.life())

    assert len(sent) > 2
    for channel, message in sent:
        assert not wrong(doc, channel, json.loads(message.body), dict(message.attributes)), message


def test_dead_letters_are_described(tmp_path: Path) -> None:
    doc = document()
    unknown = encode(Token("01KDVXQG0053EJ2M8Q4N7T6WAB", "payments.nothing", 1), 0)

    async def life(app: App) -> None:
        queue = app.parts.queues.queue
        await queue(INTAKE).send([Outgoing(json.dumps(SEEDS | {"items": []}))])
        await queue("payments").send([Outgoing('{"no": "token"}'), Outgoing(unknown)])
        await asyncio.sleep(5)

    dead = [(to, m) for to, m in sent_by(Machine(tmp_path), life) if to.endswith("-dead")]

    assert {to for to, _ in dead} == {"intake-dead", "payments-dead"}
    for channel, message in dead:
        attributes = dict(message.attributes)
        assert set(attributes) == {"cause", "first-message-id"}
        assert not wrong(doc, channel, json.loads(message.body), attributes)


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (SEEDS, False),
        (SEEDS | {"orderId": 7, "userId": 123, "items": [1, "b"], "total": 10.5}, False),
        (OURS, False),
        (OURS | {"idempotencyKey": ""}, True),
        (OURS | {"shipping": {}}, True),
        (SEEDS | {"items": []}, True),
        (SEEDS | {"extra": 1}, True),
        ({"no": "order"}, True),
    ],
)
def test_the_schema_of_an_order_says_what_intake_takes(
    tmp_path: Path, body: Any, refused: bool
) -> None:
    async def life(app: App) -> int:
        await app.parts.queues.queue(INTAKE).send([Outgoing(json.dumps(body))])
        await asyncio.sleep(2)
        return app.engine.tally["poisoned", INTAKE]

    assert wrong(document(), INTAKE, body) == refused
    assert Machine(tmp_path).run(life) == refused
