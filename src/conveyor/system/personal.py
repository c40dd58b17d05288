"""What is personal in the bodies of the flows that are installed, as their models mark it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from conveyor.commerce.orders.bodies import Bodies
from conveyor.commerce.orders.model import PersonalData
from conveyor.core.personal import Path, Personal, PersonalFields
from conveyor.core.routing_slip import Flow
from conveyor.core.untyped import Foreign

# The merchant's name for whoever ordered, which may be an address of theirs; it stays in the books.
CUSTOMER = ("customer", "id")


def personal_in(flows: Iterable[Flow], bodies: Bodies) -> Personal:
    """Read the models."""
    names = {flow.name for flow in flows}
    return Personal({name: personal_fields(bodies.model(name)) for name in names})


@cache
def personal_fields(model: type[BaseModel]) -> PersonalFields:
    """Read one model."""
    marked = list(_marked(model, ()))
    return PersonalFields(
        told=(CUSTOMER, *(leaf for path, field in marked for leaf in _leaves(field, path))),
        erased=tuple(path for path, _ in marked),
        needed=tuple(path for path, field in marked if field.is_required()),
    )


def _marked(model: type[BaseModel], path: Path) -> Iterator[tuple[Path, FieldInfo]]:
    for name, field in model.model_fields.items():
        here = (*path, name)
        if any(isinstance(said, PersonalData) for said in field.metadata):
            yield here, field
        else:
            for inner in _models(field.annotation):
                yield from _marked(inner, here)


def _leaves(field: FieldInfo, path: Path) -> Iterator[Path]:
    inner = list(_models(field.annotation))
    if not inner:
        yield path
    for model in inner:
        for name, further in model.model_fields.items():
            yield from _leaves(further, (*path, name))


def _models(annotation: Foreign) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
