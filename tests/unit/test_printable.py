"""What reaches a screen, and what is refused before it is kept."""

from hypothesis import given
from hypothesis import strategies as st

from conveyor.commerce.orders import model
from conveyor.core import printable


def test_what_a_terminal_would_obey_is_spelled_out() -> None:
    assert printable.printable("a\x1b[2Jb\x9b\u202e") == "a\\x1b[2Jb\\x9b\\u202e"


@given(st.text())
def test_lines_and_columns_stay_and_nothing_else_is_obeyed(text: str) -> None:
    shown = printable.printable(text)

    assert not printable.CONTROL.search(shown.replace("\n", "").replace("\t", ""))
    if not printable.CONTROL.search(text):
        assert shown == text


def test_an_order_refuses_what_is_not_shown() -> None:
    assert model.UNPRINTABLE == printable.UNPRINTABLE
