"""What processes did in the last minute: counted up, written down, read again and added up."""

from __future__ import annotations

from conveyor.core.figures import Calls, Figures, Recent, counted, figures_in, together
from conveyor.core.measures import Measures

SECOND_MS = 1_000
BEAT_MS = 10 * SECOND_MS


def done(calls: int, *, failed: int = 0, seconds: float = 0.02) -> Figures:
    """Count these as a process does."""
    measures = Measures()
    for number in range(calls):
        outcome = "unknown" if number < failed else "answered"
        measures.call_seconds["bank", "payments.authorize", outcome].observe(seconds)
        measures.queue_seconds["payments",].observe(0.1)
    return counted(measures, {("ridden", "orders"): calls, ("handled", "orders"): 99}, 3 * calls)


def test_a_young_process_tells_what_it_did_until_now() -> None:
    recent = Recent(0)
    assert recent.look(done(0), 0).calls == {}
    seen = recent.look(done(4, failed=1), BEAT_MS)
    assert seen.received == {"payments": 4}
    assert seen.ridden == {"orders": 4}
    assert seen.requests == 12
    calls = seen.calls["bank"]
    assert (calls.count, calls.failed, calls.mean_ms, calls.most_within_ms) == (4, 1, 20, 25)


def test_what_was_more_than_a_minute_ago_is_not_told() -> None:
    recent, seen = Recent(0), Figures()
    for beat in range(1, 13):
        seen = recent.look(done(10 * min(beat, 6)), beat * BEAT_MS)
        told = seen.received["payments"]
        assert told == (10 * beat if beat <= 6 else 60 - 10 * (beat - 6))
    assert seen.calls["bank"].mean_ms is None
    assert seen.calls["bank"].most_within_ms is None


def test_a_look_that_comes_late_is_of_a_minute_all_the_same() -> None:
    recent = Recent(0)
    assert recent.look(done(120), 2 * 60 * SECOND_MS).received == {"payments": 60}


def test_several_processes_are_added_up() -> None:
    recent = [Recent(0), Recent(0)]
    one, other = (it.look(done(n, seconds=n), BEAT_MS) for n, it in enumerate(recent, start=1))
    both = together([one, other])
    assert (both.received, both.ridden, both.requests) == ({"payments": 3}, {"orders": 3}, 9)
    assert both.calls["bank"].count == 3
    assert both.calls["bank"].mean_ms == 1_667


def test_what_is_written_down_is_read_again_by_whoever_knows_its_form() -> None:
    figures = Recent(0).look(done(3, failed=1), BEAT_MS)
    assert figures_in(figures.as_text()) == figures
    assert figures_in("") is None
    of_others = ('{"received": 1}', '{"calls": {"bank": {"count": 1}}}', "[]", "no JSON")
    assert [figures_in(text) for text in of_others] == [None] * 4
    shorter = Figures(calls={"bank": Calls(1, 0, 1.0, (1,))})
    assert figures_in(shorter.as_text()) is None
