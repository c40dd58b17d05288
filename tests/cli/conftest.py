"""What the tests of the command line share."""

from tests.servers.memory import tmp_path

__all__ = ["tmp_path"]
