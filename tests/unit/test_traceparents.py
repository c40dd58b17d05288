"""A context in W3C's form: what is one is read, what is none is nobody's fault."""

from __future__ import annotations

import orjson
import pytest

from conveyor.core.message import Token, decode, encode
from conveyor.core.tracing import SpanContext, read_traceparent, trace_id_of

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
KEPT = f"00-{TRACE}-{SPAN}-01"
ORDER = "01KDVXQG0053EJ2M8Q4N7T6WAB"
NONE = (
    None,
    7,
    "",
    "nothing",
    KEPT.upper(),
    f"{KEPT}\n",
    f"{KEPT}-more",  # of the version that there is, nothing more may follow
    f"ff-{TRACE}-{SPAN}-01",
    f"00-{'0' * 32}-{SPAN}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"01-{TRACE}-{SPAN}-01-{'x' * 200}",
)


@pytest.mark.parametrize(
    ("text", "sampled"),
    [
        (KEPT, True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"01-{TRACE}-{SPAN}-01-more", True),
    ],
)
def test_a_context_is_read(text: str, *, sampled: bool) -> None:
    assert read_traceparent(text) == SpanContext(TRACE, SPAN, sampled)
    assert trace_id_of(text) == (TRACE if sampled else "")


def test_it_is_written_as_it_is_read() -> None:
    for sampled in (True, False):
        context = SpanContext(TRACE, SPAN, sampled)
        assert read_traceparent(context.traceparent) == context


@pytest.mark.parametrize("text", NONE)
def test_what_is_none_is_passed_over(text: object) -> None:
    assert read_traceparent(text) is None
    event = orjson.loads(encode(Token(ORDER, "payments.authorize", 1), 0)) | {"traceparent": text}
    assert decode(orjson.dumps(event).decode()) == Token(ORDER, "payments.authorize", 1)


def test_a_token_carries_one_only_where_there_is_one() -> None:
    plain, carrying = (encode(Token(ORDER, "payments.authorize", 1, it), 0) for it in ("", KEPT))
    assert "traceparent" not in orjson.loads(plain)
    assert orjson.loads(carrying) == orjson.loads(plain) | {"traceparent": KEPT}
    assert decode(carrying).traceparent == KEPT
