"""What follows from the routing slips: which steps and compensations an order did, and when."""

from __future__ import annotations

import operator
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import sqlalchemy as sa

from conveyor.app.audit.rules import UNDONE, Rule
from conveyor.app.audit.view import Column, View
from conveyor.messaging.order import COMPLETED
from conveyor.messaging.routing_slip import Flow
from conveyor.messaging.tables import orders

_o = orders.c
_undone = _o.status.in_(sorted(UNDONE))


def slip_rules(view: View, flows: Sequence[Flow]) -> list[Rule]:
    """Give the rules that follow from the routing slips, each over all the flows together."""
    return [
        Rule(
            "along_the_slip",
            7,
            "Going forward, an order has done the steps before its place and no other",
            _any(flows, lambda flow: _off_the_slip(view, flow)),
        ),
        Rule(
            "every_step_done",
            7,
            "Completed means that every step was done once and nothing was undone",
            _any(flows, lambda flow: _incomplete(view, flow)),
        ),
        Rule(
            "compensated_once",
            9,
            "A compensation ran at most once for each step that was done",
            _any(flows, lambda flow: _unequal(view, flow, operator.gt)),
        ),
        Rule(
            "compensated_whole",
            9,
            "Cancelled or refused means that every step that was done was undone",
            sa.and_(
                _undone,
                _any(flows, lambda flow: _unequal(view, flow, operator.ne)),
            ),
        ),
        Rule(
            "compensated_in_reverse",
            9,
            "Compensations ran in the reverse of the order of their steps",
            _any(flows, lambda flow: _out_of_order(view, flow)),
        ),
    ]


def _any(flows: Iterable[Flow], broken: Callable[[Flow], Column]) -> Column:
    return sa.or_(sa.false(), *(sa.and_(_o.flow == flow.key, broken(flow)) for flow in flows))


def _steps(flow: Flow) -> Counter[str]:
    """Count each step of the slip: one name may stand on it twice."""
    return Counter(line.name for line in flow.steps)


def _off_the_slip(view: View, flow: Flow) -> Column:
    return sa.and_(_o.ending == "", _sum(view, _steps(flow)) != _o.position)


def _incomplete(view: View, flow: Flow) -> Column:
    wrong = [view.done(step) != times for step, times in _steps(flow).items()]
    undone = [view.done(line.undo) > 0 for line in flow.steps if line.undo]
    return sa.and_(_o.status == COMPLETED, sa.or_(*wrong, *undone))


def _unequal(view: View, flow: Flow, compare: Callable[[Column, Column], Column]) -> Column:
    """Compare how often a compensation was done with how often the steps were that it undoes."""
    names: dict[str, set[str]] = defaultdict(set)
    for line in flow.steps:
        names[line.undo].add(line.name)
    pairs = ((view.done(undo), _sum(view, steps)) for undo, steps in names.items() if undo)
    return sa.or_(sa.false(), *(compare(undone, done) for undone, done in pairs))


def _out_of_order(view: View, flow: Flow) -> Column:
    undos = dict.fromkeys(line.undo for line in flow.steps if line.undo)
    pairs = ((view.done_at(earlier), view.done_at(later)) for earlier, later in pairwise(undos))
    return sa.or_(sa.false(), *(earlier < later for earlier, later in pairs))


def _sum(view: View, steps: Iterable[str]) -> Column:
    return sum((view.done(step) for step in sorted(steps)), start=sa.literal(0))
