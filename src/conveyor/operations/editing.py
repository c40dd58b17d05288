"""Changes what was ordered where that is wrong, as an address that no carrier knows.

Only of an order that is parked, and only what nothing has been done with yet: what was asked of
somebody is asked again as it was. What was sold, for how much and to whom stays as it was placed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

import orjson
import sqlalchemy as sa
from pydantic import ValidationError

from conveyor.commerce.orders.bodies import Bodies
from conveyor.commerce.orders.model import OrderBody
from conveyor.commerce.orders.placement import as_kept
from conveyor.commerce.orders.raw_json import flaw_of
from conveyor.core import attempts, interventions, operator_actions, timeline
from conveyor.core.actor import Actor
from conveyor.core.attempts import Attempt
from conveyor.core.call_state import IN_EFFECT
from conveyor.core.elsewhere import TakenElsewhere
from conveyor.core.engine import Engine
from conveyor.core.order import Order, load
from conveyor.core.order_status import OrderStatus
from conveyor.core.place import due_step, place_of
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import flow_name, service_of
from conveyor.core.step import Now
from conveyor.core.tables import orders
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.core.untyped import Json
from conveyor.system.personal import personal_fields

PAYMENT = "payment"
EMAIL = "customer.email"
ABOUT_PERSONS = (EMAIL, PAYMENT, "shipping", "metadata")
"""What every order says of whoever placed it. The rest is what was sold, for how much, to whom."""
DEEPEST = 2
"""Names, one within the other, that lead to a field which can be changed."""
_PAYMENTS = "payments"

_SET_BODY = (
    sa.update(orders)
    .where(orders.c.id == sa.bindparam("b_id"), orders.c.version == sa.bindparam("b_version"))
    .values(body=sa.bindparam("b_body"))
)


@dataclass(frozen=True, slots=True)
class Edit:
    """What an order would say: its `body` as it is kept, and which fields differ from before.

    `wrong` says of a field what is wrong with it: then there is no body.
    """

    body: str = ""
    differs: tuple[str, ...] = ()
    wrong: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants of an order as it `was`: its fields as JSON, and whether it goes on."""

    was: Order
    texts: Mapping[str, str]
    by: Actor
    redrive: bool


def why_not(registry: Registry, order: Order, made: Sequence[Attempt]) -> str:
    """Say why an order cannot be changed, of whose calls `made` knows; '' if it can."""
    if order.status != OrderStatus.PARKED:
        return "Only an order that is parked can be changed: nobody works on it then."
    if order.flow not in registry.flows:
        return "Its flow is not installed here."
    if order.backwards or order.cancelling:
        return "It is being undone, by what it said when that was done."
    return _in_hand(registry, order, made)


def _in_hand(registry: Registry, order: Order, made: Sequence[Attempt]) -> str:
    """Say who has been asked for something by what an order says now; '' for nobody."""
    due = due_step(registry.flows, order)
    if any(it.is_open for it in made):
        return (
            "It has called somebody, and nobody knows yet what became of that. Redrive it: they "
            "are asked first, about what was asked of them."
        )
    if any(it.step == due and it.state in IN_EFFECT for it in made):
        return f"{due} has been done with what it says now."
    if isinstance(registry.steps.get(due), TakenElsewhere):
        return f"{due} is taken by somebody else, who may be at it with what it says now."
    return ""


def fields_of(bodies: Bodies, order: Order, made: Sequence[Attempt]) -> tuple[str, ...]:
    """Name what of a parked order can be changed: what it says of a person, and nothing else.

    What its flow asks for beside that can be changed while nothing was done with any of it.
    """
    paid = any(service_of(it.step) == _PAYMENTS and it.state in IN_EFFECT for it in made)
    about = tuple(it for it in ABOUT_PERSONS if it != PAYMENT or not paid)
    done = any(it.state in IN_EFFECT for it in made) or place_of(order).position or order.begun
    if done:
        return about
    marked = personal_fields(bodies.model(flow_name(order.flow))).erased
    own = (path for path in marked if path[0] not in OrderBody.model_fields)
    return about + tuple(".".join(path) for path in own if len(path) <= DEEPEST)


def texts_of(order: Order, names: Sequence[str]) -> dict[str, str]:
    """Give what an order says in these fields, each as JSON; '' for what it does not say."""
    found = {name: _at(order.body, name) for name in names}
    return {name: "" if it is None else _pretty(it) for name, it in found.items()}


def edited(bodies: Bodies, order: Order, texts: Mapping[str, str]) -> Edit:
    """Read what an order is to say, each field as JSON, as its flow's model does."""
    body, wrong = order.body, {}
    for name, text in texts.items():
        try:
            _put(body, name, _read(text))
        except ValueError as error:
            wrong[name] = str(error)
    if wrong:
        return Edit(wrong=wrong)
    try:
        kept = as_kept(bodies.read_json(orjson.dumps(body))).decode()
    except ValidationError as error:
        return Edit(wrong=dict(_said(error, texts)))
    after = orjson.loads(kept)
    differs = tuple(name for name in texts if _at(order.body, name) != _at(after, name))
    return Edit(kept, differs)


def difference(order: Order, edit: Edit) -> list[tuple[str, str]]:
    """Give the lines of an order as it was and as it would be: each with `+`, `-` or a space."""
    before, after = (_pretty(it).splitlines() for it in (order.body, orjson.loads(edit.body)))
    told: list[tuple[str, str]] = []
    # By whole lines: `ndiff` looks into them, which takes minutes where some thousand differ.
    for what, a, b, c, d in SequenceMatcher(None, before, after).get_opcodes():
        if what == "equal":
            told += [(" ", line) for line in before[a:b]]
        else:
            told += [("-", line) for line in before[a:b]] + [("+", line) for line in after[c:d]]
    return told


async def edit(engine: Engine, bodies: Bodies, wish: Wish) -> str:
    """Change an order, and let it try again if that is wished for; both, or neither.

    Gives why nothing was changed; '' if it was. What it said and says is not in its story: who
    changed which field, and why, is.
    """
    return await engine.relay.commit(lambda tx: _edit(tx, engine, bodies, wish))


def _edit(tx: Tx, engine: Engine, bodies: Bodies, wish: Wish) -> str:
    was, registry = wish.was, engine.registry
    order = load(tx, [was.id]).get(was.id)
    if order is None or (order.version, order.raw_body) != (was.version, was.raw_body):
        return "The order has changed since you were asked."
    made = attempts.of_order(tx, order.id)
    if refused := why_not(registry, order, made):
        return refused
    wanted = edited(bodies, order, wish.texts)
    if wanted.wrong or not set(wish.texts) <= set(fields_of(bodies, order, made)):
        return "That cannot be changed any more."
    now = engine.now()
    row = {"b_id": order.id, "b_version": order.version, "b_body": wanted.body}
    tx.execute(_SET_BODY, row)
    _tell(tx, order, wanted, wish.by, now)
    if wish.redrive:
        interventions.redrive(tx, registry, order.id, now, by=wish.by)
        _log(tx, order, wish.by, "redrive", now)
    return ""


def _tell(tx: Tx, order: Order, wanted: Edit, by: Actor, now: Now) -> None:
    told = {"fields": ", ".join(wanted.differs), "why": by.why, **by.facts}
    detail = {name: fact for name, fact in told.items() if fact}
    timeline.note(tx, order.id, order.version, now.ms, TimelineEvent.EDITED, detail=detail)
    _log(tx, order, by, "edit", now, fields=list(wanted.differs))


def _log(tx: Tx, order: Order, by: Actor, what: str, now: Now, **detail: object) -> None:
    operator_actions.note(
        tx,
        by,
        f"orders.{what}",
        now.ms,
        order=order.id,
        merchant=order.merchant,
        detail=detail,
    )


def _read(text: str) -> Json:
    if not text:
        return None
    if flaw := flaw_of(text):
        raise ValueError(flaw)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error}") from None


def _at(body: Mapping[str, Json], name: str) -> Json:
    outer, _, inner = name.partition(".")
    found = body.get(outer)
    return found.get(inner) if inner and isinstance(found, dict) else found


def _put(body: dict[str, Json], name: str, value: object) -> None:
    outer, _, inner = name.partition(".")
    into = body.setdefault(outer, {}) if inner else body
    if value is None:
        into.pop(inner or outer, None)
    else:
        into[inner or outer] = value


def _said(error: ValidationError, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Say each error at the field in which it is, or at the first."""
    for it in error.errors(include_url=False, include_input=False):
        path = ".".join(str(part) for part in it["loc"])
        of = next((name for name in names if f"{path}.".startswith(f"{name}.")), None)
        if of is None:
            of = next((name for name in names if name.startswith(f"{path}.")), next(iter(names)))
        rest = path.removeprefix(of).removeprefix(".")
        yield of, f"{rest}: {it['msg']}" if rest else it["msg"]


def _pretty(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode()
