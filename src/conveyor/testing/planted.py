"""Bugs to plant: what the simulator must find, and how many stories it takes.

    python -m conveyor.testing.planted --most 2000          # all of them, a table
    python -m conveyor.testing.planted no_fence new_key     # these

Each is one function put in place of another, as a tired engineer would have written it; some bring
back what the system once did.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from conveyor.adapters import steady_clock
from conveyor.messaging import (
    calling,
    calls,
    closing,
    dead_letter,
    gate,
    handling,
    interventions,
    lease,
    outbox,
    reconciler,
    settling,
)
from conveyor.messaging.consumer import Consumer
from conveyor.messaging.disposal import Disposal
from conveyor.messaging.outcome import Done
from conveyor.messaging.retries import RetryPolicy
from conveyor.services.bookings import granting
from conveyor.services.inventory import store as inventory
from conveyor.services.orders import placement
from conveyor.services.payments import steps as payment_steps
from conveyor.services.restaurants import store as restaurants
from conveyor.services.riders import steps as rider_steps
from conveyor.services.shipping import steps as shipping_steps
from conveyor.services.subscriptions import renewals
from conveyor.testing.loop import OWNER, START_MS
from conveyor.testing.story import draw
from conveyor.testing.world import World

Make = Callable[[Any], Any]
"""Makes the faulty function from the right one."""

FIRST_SEED = 1


@dataclass(frozen=True, slots=True)
class Planted:
    """A bug: `replaced` are the owners, names and makers of what is put in place of what."""

    name: str
    what: str
    flow: str
    replaced: tuple[tuple[Any, str, Make], ...]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have the bug, for a time."""
        before = [(owner, name, vars(owner)[name]) for owner, name, _ in self.replaced]
        for owner, name, make in self.replaced:
            setattr(owner, name, make(getattr(owner, name)))
        try:
            yield
        finally:
            for owner, name, original in before:
                setattr(owner, name, original)


def runs_until_found(world: World, bug: Planted, most: int) -> tuple[int, str]:
    """Live stories with the bug until it shows; gives how many, and what showed (0: nothing)."""
    with bug.in_place():
        for run in range(1, most + 1):
            found = world.play(draw(FIRST_SEED + run - 1, bug.flow)).violations
            if found:
                return run, found[0].name
    return 0, ""


def always(value: object) -> Make:
    """Make a function that gives this, whatever it is asked."""
    return lambda _: lambda *_args, **_kwargs: value


async def _nothing(*_args: object, **_kwargs: object) -> None:
    return None


def _acknowledge_first(right: Any) -> Any:  # noqa: ANN401 - as `Make`
    async def opened(self: Any, group: list[Any]) -> Any:  # noqa: ANN401
        await self.queue.delete([message.receipt for message in group])
        return await right(self, group)

    return opened


def _forget_first(right: Any) -> Any:  # noqa: ANN401
    async def send(self: Any, name: str, rows: list[Any]) -> None:  # noqa: ANN401
        await self._delete_rows([rows])
        await right(self, name, rows)

    return send


def _as_the_token_says(right: Any) -> Any:  # noqa: ANN401
    return lambda case, _due, attempts: right(case, case.step, attempts)


def _new_key(right: Any) -> Any:  # noqa: ANN401
    """As once: after a certain failure the next try has a new key, whoever else may be calling."""

    def intend(tx: Any, request: Any, last: Any, now: Any, grant: Any) -> Any:  # noqa: ANN401
        over = last and replace(last, state=calls.SPENT)
        return right(tx, request, over, now, grant)

    return intend


def _certain(right: Any) -> Any:  # noqa: ANN401
    """As once: a certain failure of one copy says it for all."""

    def failed(ended: Any, failure: Any) -> Any:  # noqa: ANN401
        if failure.certain:
            ended.end(calls.SPENT)
            return ended.case.fault(failure.error)
        return right(ended, failure)

    return failed


def _unknown_is_no(right: Any) -> Any:  # noqa: ANN401
    def failed(ended: Any, failure: Any) -> Any:  # noqa: ANN401
        return right(ended, replace(failure, certain=True, spent=True))

    return failed


def _never_asks(right: Any) -> Any:  # noqa: ANN401
    def take_up(tx: Any, request: Any, attempt: Any, now: Any, grant: Any, **_: Any) -> Any:  # noqa: ANN401
        taken = right(tx, request, attempt, now, grant, ask_only=False)
        return replace(taken, known=False)

    return take_up


def _marked_calls(right: Any) -> Any:  # noqa: ANN401
    """As once: who is to turn back calls again where the lookup finds nothing."""

    def take_up(tx: Any, request: Any, attempt: Any, now: Any, grant: Any, **_: Any) -> Any:  # noqa: ANN401
        return right(tx, request, attempt, now, grant, ask_only=False)

    return take_up


def _forgets_to_mark(right: Any) -> Any:  # noqa: ANN401
    def moved(tx: Any, registry: Any, order: Any, *rest: Any, **more: Any) -> Any:  # noqa: ANN401
        return right(tx, registry, order._replace(cancelling=False), *rest, **more)

    return moved


def _undo_in_order(right: Any) -> Any:  # noqa: ANN401
    def back(flow: Any, place: Any, ending: str) -> Any:  # noqa: ANN401
        there = right(flow, place, ending)
        return replace(there, position=max(there.position - 1, -1))

    return back


def _sends_nothing(_right: Any) -> Any:  # noqa: ANN401
    async def send(_self: Any, _owed: Any) -> None:  # noqa: ANN401
        return None

    return send


def _half(right: Any) -> Any:  # noqa: ANN401
    async def finish(self: Any, messages: Sequence[Any], verdicts: Sequence[Any]) -> None:  # noqa: ANN401
        await right(self, messages[:1], verdicts[:1])

    return finish


def _done_at_once(right: Any) -> Any:  # noqa: ANN401
    def record(self: Any, tx: Any, order: Any, answer: Any, now: Any) -> Any:  # noqa: ANN401
        right(self, tx, order, answer, now)
        return Done({})

    return record


def _no_refund(_right: Any) -> Any:  # noqa: ANN401
    return lambda _tx, _order: Done({"nothing_to": "refund"})


def _keyless(right: Any) -> Any:  # noqa: ANN401
    return lambda order_id, merchant, _key, body, flow: right(order_id, merchant, "", body, flow)


def _hold_on(_right: Any) -> Any:  # noqa: ANN401
    return lambda ended: handling.hold(ended.case, ended.case.desk.now.ms)


def _buries_or_raises(_right: Any) -> Any:  # noqa: ANN401
    async def bury(self: Any, message: Any, cause: str) -> None:  # noqa: ANN401
        dead = dead_letter.dead_letter(message, cause)
        if not await self._dead_letters.send([dead]):
            await self.delete([message.receipt])

    return bury


def _fails_at_once(right: Any) -> Any:  # noqa: ANN401
    async def poll(self: Any, stop: Any, *, first: bool) -> None:  # noqa: ANN401
        receive = self.queue.receive

        async def received(limit: int, wait: float) -> Any:  # noqa: ANN401
            try:
                return await receive(limit, wait)
            except Exception as error:
                raise SystemError from error

        self.queue.receive = received
        await right(self, stop, first=first)

    return poll


def _not_counted(right: Any) -> Any:  # noqa: ANN401
    def hold(tx: Any, resource: Any, booking: Any, until: int, now_ms: int) -> None:  # noqa: ANN401
        held = resource.held
        right(tx, resource, booking, until, now_ms)
        resource.held = held

    return hold


def _as_the_wall_says(_right: Any) -> Any:  # noqa: ANN401
    def now_ms(self: Any) -> int:  # noqa: ANN401
        owner: Any = OWNER.get()
        steady = self._elapsed() * 1000
        wrong: int = owner.clock_ms if owner else 0
        now: int = START_MS + round(steady) + wrong
        return now

    return now_ms


def bug(name: str, what: str, flow: str, *replaced: tuple[Any, str, Make]) -> Planted:
    """Describe one."""
    return Planted(name, what, flow, replaced)


BUGS = (
    bug("acknowledge_first", "messages are deleted before the commit", "shop",
        (Consumer, "_open", _acknowledge_first),
        (reconciler.Reconciler, "reconcile_once", lambda _: _nothing)),
    bug("forget_first", "the outbox forgets before it sends", "shop",
        (outbox.Relay, "_send_to", _forget_first),
        (reconciler.Reconciler, "reconcile_once", lambda _: _nothing)),
    bug("no_fence", "a token is good at any version", "shop",
        (handling, "fresh", always(value=True)), (handling, "is_live", always(value=True)),
        (handling, "_calls_out", always(value=True)), (handling, "_open", _as_the_token_says)),
    bug("stale_answers", "an answer is taken whatever the order's version", "shop",
        (closing, "_waits_for", always(value=True))),
    bug("new_key", "after a certain failure the next try has a new key", "shop",
        (calls, "intend", _new_key), (closing, "_failed", _certain)),
    bug("new_key_charge", "the same, of a renewal's charge", "renewal",
        (calls, "intend", _new_key), (closing, "_failed", _certain)),
    bug("new_key_travel", "the same, of a journey", "travel",
        (calls, "intend", _new_key), (closing, "_failed", _certain)),
    bug("unknown_is_no", "no answer is taken for a no", "shop",
        (closing, "_failed", _unknown_is_no)),
    bug("unknown_is_no_charge", "the same, of a renewal's charge", "renewal",
        (closing, "_failed", _unknown_is_no)),
    bug("marked_calls", "who is to turn back calls again", "shop",
        (calls, "take_up", _marked_calls), (closing, "_found_nothing", _hold_on)),
    bug("cancel_forgets", "compensating forgets that the order is to turn back", "shop",
        (interventions, "move", _forgets_to_mark)),
    bug("undo_one_less", "turning back leaves out a compensation", "shop",
        (settling, "turn_back", _undo_in_order)),
    bug("undo_one_less_food", "the same, of a meal", "food",
        (settling, "turn_back", _undo_in_order)),
    bug("undo_one_less_travel", "the same, of a journey", "travel",
        (settling, "turn_back", _undo_in_order)),
    bug("no_reconciler", "lost tokens stay lost", "shop",
        (reconciler.Reconciler, "reconcile_once", lambda _: _nothing)),
    bug("no_sweeper", "what a crash left in the outbox stays there", "shop",
        (outbox.Relay, "sweep_once", lambda _: _no_rows)),
    bug("no_relay_at_once", "tokens wait for the sweeper", "shop",
        (outbox.Relay, "send", _sends_nothing)),
    bug("one_of_a_group", "of a group only the first is finished", "shop",
        (Consumer, "_finish", _half)),
    bug("no_leases", "leases are not kept", "shop",
        (lease.Leases, "extend_once", lambda _: _nothing),
        (calling.Grant, "is_over", always(value=False)), (calls, "take_up", _never_asks),
        (calls, "intend", _new_key)),
    bug("no_grant", "a request is sent however late", "shop",
        (calling.Grant, "is_over", always(value=False)), (calls, "intend", _new_key)),
    bug("ship_is_done", "a parcel counts as arrived once it is taken", "shop",
        (shipping_steps.Ship, "record", _done_at_once)),
    bug("ship_twice", "an overdue parcel is sent again unasked", "shop",
        (shipping_steps.Ship, "_enquire", lambda _: _nothing)),
    bug("no_refund", "a refund is taken for done", "shop",
        (payment_steps, "refund_due", _no_refund)),
    bug("keyless", "idempotency keys are not kept", "shop",
        (placement, "request_for", _keyless)),
    bug("cancel_while_calling", "an open call is cancelled under way", "shop",
        (interventions, "_call_is_open", always(value=False))),
    bug("cancel_while_calling_charge", "the same, of a renewal", "renewal",
        (interventions, "_call_is_open", always(value=False))),
    bug("never_too_late", "what has begun can still be cancelled", "shop",
        (interventions, "too_late_to_cancel", always(value=False))),
    bug("bury_raises", "a dead letter that cannot be sent ends its group", "shop",
        (Disposal, "bury", _buries_or_raises)),
    bug("counts_outages", "what was received while nothing could be committed counts", "shop",
        (gate.Gate, "opened", lambda _: _nothing), (gate.Gate, "close", always(value=None))),
    bug("poller_dies", "a receive that fails ends its loop", "food",
        (Consumer, "_poll", _fails_at_once)),
    bug("seats_never_given_up", "who gives up a seat does not let the next have it", "travel",
        (granting, "give_up", always(value=None))),
    bug("overbooked", "a seat is held whether or not there is one", "travel",
        (granting, "hold", _not_counted)),
    bug("not_released", "a seat is kept by who was refused", "travel",
        (granting, "release", always(value=[]))),
    bug("reserve_twice", "a reservation is released without being taken off", "shop",
        (inventory, "release", always(value=None))),
    bug("sold_unreserved", "what is sold stays reserved", "shop",
        (inventory, "sell", always(value=None))),
    bug("rider_keeps", "a rider keeps the load of a cancelled meal", "food",
        (rider_steps, "withdraw", always(value=""))),
    bug("ticket_stays", "a restaurant is not told of a cancellation", "food",
        (restaurants, "end", always(value=True))),
    bug("not_extended", "a charged period is not extended", "renewal",
        (renewals, "change", always(value=None))),
    bug("years_ahead", "a clock that is ahead charges all that it calls due", "renewal",
        (steady_clock.SteadyClock, "now_ms", _as_the_wall_says)),
    bug("years_behind", "the same for a shop's timers", "shop",
        (steady_clock.SteadyClock, "now_ms", _as_the_wall_says)),
    bug("gather_fails_all", "an order's timer is owed far ahead", "shop",
        (RetryPolicy, "rest_seconds", always(value=40_000))),
)  # fmt: skip


async def _no_rows(_self: object) -> list[object]:
    return []


def main(arguments: Sequence[str] | None = None) -> int:
    """Plant the bugs, one at a time, and tell how many stories each took."""
    parser = argparse.ArgumentParser(
        prog="python -m conveyor.testing.planted",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", help="which (default: all)")
    parser.add_argument("--most", type=int, default=2_000, help="stories each (default: 2000)")
    chosen = parser.parse_args(arguments)
    wanted = [bug for bug in BUGS if not chosen.names or bug.name in chosen.names]
    missed = 0
    world = World()
    for planted in wanted:
        runs, shown = runs_until_found(world, planted, chosen.most)
        missed += not runs
        told = f"{runs:6,} runs: {shown}" if runs else f"not found in {chosen.most:,} runs"
        print(f"{planted.name:28} {planted.flow:8} {told}", flush=True)
    print(f"{len(wanted) - missed} of {len(wanted)} found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
