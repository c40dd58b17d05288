"""Draws what goes wrong in a story, and what goes wrong together."""

from __future__ import annotations

from conveyor.testing.calls import ANY
from conveyor.testing.plot import Draw, Plot
from conveyor.testing.story import EVERY_PROCESS, PROCESSES, Event

IN_TURN = (
    ("late", "unavailable", "ok"),
    ("late", "unavailable", "ok"),
    ("late", "unavailable", "unavailable", "ok"),
    ("late", "saved_error", "ok"),
    ("late", "declined"),
    ("unanswered", "unavailable", "ok"),
)
"""What becomes of one request, of the next, and so on: a late one meets those that came after."""


def _provider(plot: Plot) -> Event:
    rng = plot.rng
    how = rng.choice(
        ("slow", "unavailable", "unavailable", "unanswered", "lost", "late", "hangs",
         "saved_error", "declined", "declined_silently")
    )  # fmt: skip
    operation = plot.operation
    if operation is None:
        operation = rng.choice(plot.calls().operations)
    return Event(
        plot.when(),
        "provider",
        {
            "operation": operation,
            "how": how,
            "takes": plot.seconds(1, 2, 5, 20, 40) if rng.random() < 0.95 else 40_000.0,
            "times": rng.choice((1, 1, 2, 3, 3, 10, 1_000)),
            "seconds": plot.seconds(5, 30, 120, 600),
        },
    )


def _in_turn(plot: Plot) -> Event:
    rng = plot.rng
    facts = {
        "operation": plot.operation or rng.choice(plot.calls().operations[:-2] or (ANY,)),
        "how": rng.choice(IN_TURN),
        "takes": plot.seconds(5, 20, 20, 40),
        "times": rng.choice((3, 6, 12)),
        "seconds": plot.seconds(120, 600),
    }
    return Event(rng.choice((0.0, 0.0, plot.when())), "provider", facts)


def _messages(plot: Plot) -> Event:
    return Event(
        plot.when(),
        "messages",
        {
            "queue": plot.rng.choice(("", "", "payments", *plot.subject.queues[:-1])),
            "how": plot.rng.choice(("late", "double", "double", "double", "lost", "lost")),
            "takes": plot.seconds(0.02, 0.5, 2, 5, 30, 400),
            "seconds": plot.seconds(1, 10, 60),
        },
    )


def _process(plot: Plot) -> Event:
    kind = plot.rng.choice(("suspend", "suspend", "crash", "crash"))
    seconds = plot.seconds(1, 10, 35, 35, 90)
    return Event(plot.when(), kind, {"process": plot.process(), "seconds": seconds})


def _database(plot: Plot) -> Event:
    rng = plot.rng
    how = rng.choice(("away", "away", "away", "unknown"))
    whose = rng.choice((EVERY_PROCESS, EVERY_PROCESS, *range(PROCESSES)))
    times = 10_000 if how == "away" else rng.choice((1, 1, 2, 5))
    seconds = plot.seconds(1, 10, 60, 600, 1_200)
    facts = {"process": whose, "how": how, "times": times, "seconds": seconds}
    return Event(plot.when(), "database", facts)


def _queues(plot: Plot) -> Event:
    rng = plot.rng
    call = rng.choice(("send", "send", "receive", "delete", "visibility", "depth", ""))
    return Event(
        plot.when(),
        "queues",
        {
            "call": call,
            "queue": rng.choice(("", "", "-dead", *plot.subject.queues)),
            "how": rng.choice(("away", "unknown")),
            "times": rng.choice((1, 1, 3, 10_000)),
            "seconds": plot.seconds(1, 10, 60, 600),
        },
    )


def _clock(plot: Plot) -> Event:
    rng = plot.rng
    step = rng.choice((3_600.0, -3_600.0, 600.0, -600.0, 86_400.0, 365 * 86_400.0, 5.0, -5.0))
    whose = rng.choice((EVERY_PROCESS, EVERY_PROCESS, *range(PROCESSES)))
    seconds = plot.seconds(3, 30, 60, 300, 900)
    return Event(plot.when(), "clock", {"process": whose, "step": step, "seconds": seconds})


def _restore(plot: Plot) -> Event:
    return Event(plot.when(), "restore", {"seconds": plot.seconds(1, 5, 20)})


def _bug(plot: Plot) -> Event:
    where = plot.rng.choice(("gather", "step", "record"))
    facts = {"n": plot.rng.randrange(3), "where": where, "seconds": plot.seconds(5, 60, 900)}
    return Event(round(plot.when() / 10, 2), "bug", facts)


def _strangers(plot: Plot) -> Event:
    return Event(round(plot.when() / 10, 2), "strangers", {"count": plot.rng.choice((3, 600))})


def _garbage(plot: Plot) -> Event:
    queue = plot.rng.choice(plot.subject.queues[:-1])
    facts = {"queue": queue, "count": plot.rng.choice((1, 3, 10))}
    return Event(plot.when(), "garbage", facts)


def _one_of(*draws: Draw) -> Draw:
    return lambda plot: plot.rng.choice(draws)(plot)


# What goes wrong together: faults of one kind alone leave no doubt what is to be seen.
MENUS: tuple[Draw, ...] = (
    _provider,
    _in_turn,
    _one_of(_in_turn, _messages),
    _one_of(_in_turn, _in_turn, _process, _provider),
    _one_of(_provider, _messages),
    _one_of(_provider, _messages, _process),
    _one_of(_provider, _process),
    _one_of(_messages, _process),
    _database,
    _queues,
    _one_of(_queues, _garbage),
    _one_of(_database, _queues),
    _clock,
    _one_of(_clock, _clock, _messages),
    _one_of(_restore, _provider),
    _one_of(_restore, _in_turn),
    _bug,
    _one_of(_bug, _provider, _messages),
    _one_of(_strangers, _messages, _messages, _process),
    _one_of(_provider, _messages, _process, _database, _queues, _clock),
)
