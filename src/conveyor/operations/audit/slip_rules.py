"""What follows from the routing slips: which steps and compensations an order did, and when."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise

import sqlalchemy as sa

from conveyor.checks.columns import Column
from conveyor.core.order_status import UNDONE, OrderStatus
from conveyor.core.routing_slip import Flow, Step
from conveyor.core.tables import orders
from conveyor.operations.audit.rules import Rule
from conveyor.operations.audit.view import View
from conveyor.operations.refunds import REFUND_STEP

_o = orders.c
_undone = _o.status.in_(sorted(UNDONE))
_by_story = partial(Rule, by_story=True)


def slip_rules(view: View, flows: Sequence[Flow]) -> list[Rule]:
    """Give the rules that follow from the routing slips, each over all the flows together."""
    return [*_forward(view, flows), *_back(view, flows)]


def _forward(view: View, flows: Sequence[Flow]) -> list[Rule]:
    return [
        _by_story(
            "along_the_slip",
            7,
            "Going forward, an order has done the steps before its place and no other",
            _any(flows, lambda flow: _off_the_slip(view, flow)),
        ),
        _by_story(
            "every_step_done",
            7,
            "Completed means that every step was done, and nothing was undone",
            _any(flows, lambda flow: _incomplete(view, flow)),
        ),
        _by_story(
            "refunded_alone",
            9,
            "Refunded means that every step was done, and nothing but its money was taken back",
            sa.and_(
                _o.ending == OrderStatus.REFUNDED,
                _any(flows, lambda flow: _not_only_refunded(view, flow)),
            ),
        ),
    ]


def _back(view: View, flows: Sequence[Flow]) -> list[Rule]:
    return [
        _by_story(
            "compensated_once",
            9,
            "A compensation ran at most once for each step that was begun",
            _any(flows, lambda flow: _unequal(view, flow, operator.gt, _most)),
        ),
        _by_story(
            "compensated_whole",
            9,
            "Cancelled or refused means that every step that was begun was undone",
            sa.and_(
                _undone,
                _any(flows, lambda flow: _unequal(view, flow, operator.lt, _least)),
            ),
        ),
        _by_story(
            "compensated_in_reverse",
            9,
            "Compensations ran in the reverse of the order of their steps",
            _any(flows, lambda flow: _out_of_order(view, flow)),
        ),
        _by_story(
            "written_off_by_somebody",
            4,
            "What was done past its flow's pivot is undone only where an operator gave it up",
            sa.and_(
                _undone,
                sa.func.coalesce(view.story.c.discarded, 0) == 0,
                _any([f for f in flows if f.pivot], lambda flow: view.done(flow.pivot) > 0),
            ),
        ),
    ]


def _any(flows: Iterable[Flow], broken: Callable[[Flow], Column]) -> Column:
    return sa.or_(sa.false(), *(sa.and_(_o.flow == flow.key, broken(flow)) for flow in flows))


def _off_the_slip(view: View, flow: Flow) -> Column:
    """Compare how often each step was done with the order's place; for every step by its name."""
    places: dict[str, list[int]] = defaultdict(list)
    for position, line in enumerate(flow.steps):
        places[line.name].append(position)
    wrong = []
    for step, positions in places.items():
        done = view.done(step)
        if any(flow.steps[position].each for position in positions):
            # Done for as many members of the list as the stage says, then for all of them.
            here = _o.position.in_(positions)
            before = _o.position < positions[0]
            wrong.append(sa.and_(before, done > 0))
            wrong.append(sa.and_(here, done < _o.stage))
            wrong.append(sa.and_(_o.position > positions[-1], done < len(positions)))
        else:
            passed = (sa.case((_o.position > position, 1), else_=0) for position in positions)
            wrong.append(done != sum(passed, start=sa.literal(0)))
    return sa.and_(_o.ending == "", sa.or_(*wrong))


def _incomplete(view: View, flow: Flow) -> Column:
    undone = [view.done(line.undo) > 0 for line in flow.steps if line.undo]
    return sa.and_(
        _o.status == OrderStatus.COMPLETED, sa.or_(_o.position != len(flow.steps), *undone)
    )


def _not_only_refunded(view: View, flow: Flow) -> Column:
    undos = dict.fromkeys(line.undo for line in flow.steps if line.undo)
    wrong = [view.done(undo) > 0 for undo in undos if undo != REFUND_STEP]
    if REFUND_STEP in undos:
        given_back = sa.case((_o.status == OrderStatus.REFUNDED, 1), else_=0)
        wrong.append(view.done(REFUND_STEP) != given_back)
    else:
        wrong.append(sa.true())
    wrong += [view.done(line.name) == 0 for line in flow.steps if not line.each]
    return sa.or_(*wrong)


def _unequal(
    view: View,
    flow: Flow,
    compare: Callable[[Column, Column], Column],
    undoable: Callable[[View, Step], Column],
) -> Column:
    """Compare how often a compensation was done with how often there was something to undo."""
    lines: dict[str, dict[str, Step]] = defaultdict(dict)
    for line in flow.steps:
        lines[line.undo][line.name] = line
    wrong = []
    for undo, undoes in lines.items():
        if undo:
            due = sum((undoable(view, line) for line in undoes.values()), start=sa.literal(0))
            wrong.append(compare(view.done(undo), due))
    return sa.or_(sa.false(), *wrong)


def _least(view: View, line: Step) -> Column:
    return _undoable(view, line, view.begun(line.name))


def _most(view: View, line: Step) -> Column:
    return _undoable(view, line, view.begun(line.name) + view.may_have_begun(line.name))


def _undoable(view: View, line: Step, begun: Column) -> Column:
    """Count what there is to undo of a step that was done, or else has begun."""
    done = view.done(line.name)
    # What was done for the members of a list, in part or whole, is undone at once.
    return sa.case((done > 0, sa.literal(1) if line.each else done), (begun > 0, 1), else_=0)


def _out_of_order(view: View, flow: Flow) -> Column:
    undos = dict.fromkeys(line.undo for line in flow.steps if line.undo)
    pairs = ((view.done_at(earlier), view.done_at(later)) for earlier, later in pairwise(undos))
    return sa.or_(sa.false(), *(earlier < later for earlier, later in pairs))
