"""Who does something to a system by hand, from where, and why."""

from __future__ import annotations

from dataclasses import dataclass

COMMAND_LINE = "command line"
PERSON_HEADER = "conveyor-person"
"""In what a command line asks of the API: whose command it is."""


@dataclass(frozen=True, slots=True)
class Actor:
    """`key` and `label` are those of the API key, `person` the user of the operating system.

    There is one of them, or both: `person` is told by a command line whose user owns the data.
    `place` is an address, or `COMMAND_LINE`. `why` is '' where nobody said it.
    """

    key: str = ""
    label: str = ""
    person: str = ""
    place: str = ""
    merchant: str = ""
    why: str = ""

    @property
    def holder(self) -> str:
        """Say who, in a story: never a secret."""
        if self.person:
            return self.person
        if not self.key:
            return ""
        return f"{self.label} (key {self.key})" if self.label else f"key {self.key}"

    @property
    def facts(self) -> dict[str, str]:
        """Give who and from where, as an order's story keeps it; what is not known is left out."""
        said = {"by": self.holder, "from": self.place}
        return {name: fact for name, fact in said.items() if fact}


NOBODY = Actor()
"""Nobody who is known."""
