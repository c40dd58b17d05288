"""A form for the answer that a step awaits, made of the model which that answer has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import BaseModel

from conveyor.core.untyped import Json
from conveyor.entrypoints.http.problems import invalid

PREFIX = "answer."
_KINDS: dict[Any, str] = {bool: "yes_or_no", str: "text", int: "number", float: "number"}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form; one of kind `json` is written as JSON."""

    name: str
    label: str
    kind: str
    required: bool
    says: str


def fields_of(model: type[BaseModel]) -> list[Field]:
    """Give a field for each of the model's."""
    return [
        Field(
            PREFIX + (it.alias or name),
            name.replace("_", " "),
            _KINDS.get(it.annotation, "json"),
            it.is_required(),
            it.description or "",
        )
        for name, it in model.model_fields.items()
    ]


def answer_in(model: type[BaseModel], sent: Mapping[str, str]) -> bytes:
    """Give what was sent as JSON, for the model to judge. Raises `ProblemError`."""
    return orjson.dumps(dict(_values(model, sent)))


def _values(model: type[BaseModel], sent: Mapping[str, str]) -> Iterator[tuple[str, Json]]:
    for it in fields_of(model):
        text, name = sent.get(it.name, ""), it.name.removeprefix(PREFIX)
        if it.kind == "text" and (text or it.required):
            yield name, text
        elif text:
            try:
                yield name, orjson.loads(text)
            except orjson.JSONDecodeError:
                raise invalid(name, f"cannot be read as a value: {text[:40]}") from None
