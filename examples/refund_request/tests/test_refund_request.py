"""The refund request, proven: at every point at which a process can die, and in a storm."""

from conveyor.testing import prove, purge, storm
from refund_request.flow import EXTENSION
from refund_request.lives import LIVES


def test_it_holds_wherever_a_process_dies() -> None:
    prove(EXTENSION, LIVES, every=10)  # a quick look; leave it out, and each point is taken


def test_it_holds_with_every_message_ten_times() -> None:
    storm(EXTENSION, LIVES)


def test_it_holds_with_all_messages_lost() -> None:
    purge(EXTENSION, LIVES)
