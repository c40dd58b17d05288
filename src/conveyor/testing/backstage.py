"""What is different in the interpreter while a story is played: pace, logs, bugs, and the rest."""

from __future__ import annotations

import gc
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from conveyor.core import gathering, recording_results, taking_tokens
from conveyor.core.delivery import Delivery
from conveyor.core.group_context import GroupContext
from conveyor.core.order import Order
from conveyor.core.transaction import Tx
from conveyor.testing.pace import Pace, paced
from conveyor.testing.troubles import Troubles


@contextmanager
def backstage(pace: Pace, troubles: Troubles) -> Iterator[None]:
    """Have all of it in place, for one story."""
    with ExitStack() as stack:
        stack.enter_context(quiet_logs())
        stack.enter_context(_no_collecting())
        stack.enter_context(_with_bugs(troubles))
        stack.enter_context(paced(pace))
        yield


@contextmanager
def _with_bugs(troubles: Troubles) -> Iterator[None]:
    """Let the steps of single orders raise while a story says so."""
    gather, take, settled = gathering.gather, taking_tokens._take, recording_results._settled

    def gathered(tx: Tx, context: GroupContext, group: Sequence[tuple[Order, str]]) -> None:
        for order, _ in group:
            troubles.hit("gather", order)
        gather(tx, context, group)

    def taken(case: Delivery, *rest: Any) -> Any:
        troubles.hit("step", case.order)
        return take(case, *rest)

    def recorded(case: Delivery, *rest: Any) -> Any:
        troubles.hit("record", case.order)
        return settled(case, *rest)

    with (
        _put(gathering, "gather", gathered),
        _put(taking_tokens, "_take", taken),
        _put(recording_results, "_settled", recorded),
    ):
        yield


@contextmanager
def _put(owner: object, name: str, value: object) -> Iterator[None]:
    before = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def _no_collecting() -> Iterator[None]:
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Keep what goes wrong on purpose out of the logs, and what dead processes leave undone."""
    before, hook = logging.root.manager.disable, sys.unraisablehook
    logging.disable(logging.CRITICAL)
    sys.unraisablehook = lambda _what: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            yield
    finally:
        logging.disable(before)
        sys.unraisablehook = hook
