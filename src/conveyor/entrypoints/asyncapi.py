"""AsyncAPI 3 of all that goes over the queues, made from what is installed.

Its schemas are of JSON Schema's draft 7, which is what every AsyncAPI tool reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from conveyor.adapters.sqs.address import FIFO_SUFFIX
from conveyor.commerce.orders.intake import KEY_FIELD, Keyed, PlainOrder
from conveyor.commerce.orders.intake_consumer import INTAKE, KEY_ATTRIBUTE
from conveyor.core.ambient import ULID_ALPHABET, ULID_LENGTH
from conveyor.core.dead_letter import CAUSE, FIRST_MESSAGE_ID
from conveyor.core.message import MAX_VERSION, SOURCE, SPEC_VERSION
from conveyor.core.queue import QueueSpec
from conveyor.core.routing_slip import service_of
from conveyor.core.tracing import TRACEPARENT
from conveyor.core.untyped import Json
from conveyor.entrypoints.order_schemas import REF, narrow_bodies
from conveyor.extension import Answerable, StepHandler
from conveyor.system.installation import Installation

FORMAT_VERSION = "1.1.0"
"""That of the messages: see docs/messages.md for what it promises."""
TOKEN = "Token"  # noqa: S105 - a message, no secret
PREFIX = {
    "description": "What the names of a deployment's queues begin with: `CONVEYOR_QUEUE_URL`.",
    "default": "",
}
_ORDER_ID = f"[{ULID_ALPHABET}]{{{ULID_LENGTH}}}"
_TEXT = {"type": "string"}


def describe(installed: Installation, steps: Mapping[str, StepHandler]) -> dict[str, Any]:
    """Give the document; `steps` are those of extensions, whose answers it tells."""
    by_service = {name: list(_tokens_of(installed, name)) for name in _services(installed)}
    bodies = [model.__name__ for model in installed.bodies.models]
    messages = {
        step: _token_message(step, steps.get(step))
        for names in by_service.values()
        for step in names
    }
    channels: dict[str, Any] = {}
    for spec in installed.queues:
        of = [PlainOrder.__name__, *bodies] if spec.name == INTAKE else by_service[spec.name]
        channels |= _channels(spec, of)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Conveyor's queues",
            "version": FORMAT_VERSION,
            "description": "What Conveyor sends and receives over Amazon SQS. How to take part is "
            "told in docs/messages.md.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"sqs": _server()},
        "channels": channels,
        "operations": dict(_operations(installed)),
        "components": {
            "messages": messages
            | {name: _order_message(name) for name in (PlainOrder.__name__, *bodies)}
            | {"DeadLetter": _dead_letter()},
            "schemas": _schemas(installed, steps),
        },
    }


def _services(installed: Installation) -> Iterator[str]:
    yield from (spec.name for spec in installed.queues if spec.name != INTAKE)


def _tokens_of(installed: Installation, service: str) -> Iterator[str]:
    """Name the steps, and compensations, that any flow has of this service; each once."""
    names = {n for f in installed.flows for line in f.steps for n in (line.name, line.undo) if n}
    yield from sorted(name for name in names if service_of(name) == service)


def _server() -> dict[str, Any]:
    return {
        "host": "sqs.{region}.amazonaws.com",
        "protocol": "sqs",
        "variables": {"region": {"description": "Such as eu-west-1."}},
    }


def _channels(spec: QueueSpec, messages: Iterable[str]) -> Iterator[tuple[str, Any]]:
    dead = spec.dead_letters()
    yield spec.name, _channel(spec, messages, dead)
    yield dead.name, _channel(dead, ["DeadLetter"])


def _channel(
    spec: QueueSpec, messages: Iterable[str], dead: QueueSpec | None = None
) -> dict[str, Any]:
    queue = _queue(spec)
    if dead:
        queue["redrivePolicy"] = {
            "deadLetterQueue": {"name": _address(dead)},
            "maxReceiveCount": spec.max_receives,
        }
    binding = {"queue": queue, "bindingVersion": "0.2.0"}
    return {
        "address": _address(spec),
        "parameters": {"prefix": PREFIX},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"sqs": binding | ({"deadLetterQueue": _queue(dead)} if dead else {})},
    }


def _queue(spec: QueueSpec) -> dict[str, Any]:
    return {
        "name": _address(spec),
        "fifoQueue": spec.fifo,
        "visibilityTimeout": spec.visibility_seconds,
        "messageRetentionPeriod": spec.retention_seconds,
    }


def _address(spec: QueueSpec) -> str:
    return f"{{prefix}}{spec.name}{FIFO_SUFFIX if spec.fifo else ''}"


def _operations(installed: Installation) -> Iterator[tuple[str, Any]]:
    """Say what Conveyor does with each queue; nobody of it reads that of an external service."""
    for spec in installed.queues:
        if spec.name != INTAKE:
            yield f"{spec.name}.send", _operation("send", spec.name)
        if spec.name not in installed.external:
            yield f"{spec.name}.receive", _operation("receive", spec.name)
            yield f"{spec.name}.bury", _operation("send", spec.dead_letters().name)


def _operation(action: str, channel: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}


def _token_message(step: str, of: StepHandler | None) -> dict[str, Any]:
    message: dict[str, Any] = {
        "title": f"An order is owed {step}",
        "contentType": "application/cloudevents+json",
        "headers": _headers(FIRST_MESSAGE_ID),
        "payload": {
            "allOf": [
                {"$ref": REF.format(model=TOKEN)},
                {"type": "object", "properties": {"type": {"const": step}}},
            ]
        },
    }
    if isinstance(of, Answerable):
        message["x-answer"] = {"$ref": REF.format(model=of.answer.__name__)}
    return message


def _order_message(model: str) -> dict[str, Any]:
    return {
        "title": "An order" if model != PlainOrder.__name__ else "An order in the plain form",
        "headers": _headers(KEY_ATTRIBUTE, FIRST_MESSAGE_ID, TRACEPARENT),
        "payload": {"$ref": REF.format(model=model)},
    }


def _dead_letter() -> dict[str, Any]:
    return {
        "title": "A message that cannot be handled, as it came",
        "headers": _headers(CAUSE, FIRST_MESSAGE_ID, KEY_ATTRIBUTE),
        "payload": {"description": "Whatever it was; SQS's own redrive adds no attributes."},
    }


def _headers(*attributes: str) -> dict[str, Any]:
    """Describe message attributes, all of the type String; none is always there."""
    return {"type": "object", "properties": dict.fromkeys(attributes, _TEXT)}


def _schemas(installed: Installation, steps: Mapping[str, StepHandler]) -> dict[str, Any]:
    answers = [step.answer for step in steps.values() if isinstance(step, Answerable)]
    models: list[type[BaseModel]] = [*installed.bodies.models, PlainOrder, Keyed, *answers]
    _, made = models_json_schema([(model, "validation") for model in models], ref_template=REF)
    schemas: dict[str, Any] = made["$defs"]
    narrow_bodies(schemas, installed)
    key = schemas.pop(Keyed.__name__)["properties"][KEY_FIELD]
    for model in installed.bodies.models:
        schemas[model.__name__]["properties"][KEY_FIELD] = key
    draft_7: dict[str, Any] = _of_draft_7(schemas)
    return {TOKEN: _token()} | draft_7


def _of_draft_7(schema: Json) -> Json:
    """Say in draft 7 what was said in a later one."""
    if isinstance(schema, list):
        return [_of_draft_7(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    renamed = {"dependentSchemas": "dependencies"}
    return {renamed.get(name, name): _of_draft_7(value) for name, value in schema.items()}


def _token() -> dict[str, Any]:
    """Describe what `message.encode` writes."""
    properties: dict[str, Any] = {
        "specversion": {"const": SPEC_VERSION},
        "id": {"type": "string", "pattern": rf"^{_ORDER_ID}\.[0-9]+$"},
        "source": {"const": SOURCE},
        "type": {"type": "string", "description": "The step that is owed: `service.step`."},
        "subject": {"type": "string", "pattern": f"^{_ORDER_ID}$", "description": "The order."},
        "time": {"type": "string", "format": "date-time"},
        "orderversion": {"type": "integer", "minimum": 1, "maximum": MAX_VERSION},
    }
    traceparent = {
        "type": "string",
        "description": "Where in which trace it was sent, as W3C Trace Context says it; only where "
        "traces are on.",
    }
    return {
        "type": "object",
        "description": "A CloudEvent. Copies have the same `id`; further fields may be added.",
        "properties": properties | {TRACEPARENT: traceparent},
        "required": list(properties),
    }
