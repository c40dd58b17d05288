"""What a measurement gives: a table, figures beside their targets, and the bare runs as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

Row = Sequence[object]


@dataclass(frozen=True)
class Target:
    """A figure that the project has promised, and whether it was kept."""

    says: str
    value: float
    bound: str
    met: bool


@dataclass(frozen=True)
class Section:
    """One measurement; its first column is text, the others hold figures."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    targets: Sequence[Target] = ()
    notes: Sequence[str] = ()
    runs: Any = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Give everything but the prose."""
        targets = [asdict(target) for target in self.targets]
        return {"title": self.title, "targets": targets, "runs": self.runs}

    def as_markdown(self) -> str:
        """Give it as a part of a document."""
        parts = [f"## {self.title}", table(self.columns, self.rows)]
        if self.targets:
            parts.append(target_table(self.targets))
        return "\n\n".join([*parts, *self.notes])


def at_least(says: str, value: float, bound: float) -> Target:
    """Judge a figure that should be large."""
    return Target(says, value, f">= {bound:g}", met=value >= bound)


def at_most(says: str, value: float, bound: float) -> Target:
    """Judge a figure that should be small."""
    return Target(says, value, f"<= {bound:g}", met=value <= bound)


def below(says: str, value: float, bound: float) -> Target:
    """Judge a figure that should be smaller than the bound itself."""
    return Target(says, value, f"< {bound:g}", met=value < bound)


def target_table(targets: Sequence[Target]) -> str:
    """Give figures and targets as Markdown."""
    rows = [
        (it.says, f"{it.value:.2f}", it.bound, "met" if it.met else "**missed**") for it in targets
    ]
    return table(("figure", "measured", "target", ""), rows)


def table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Give a table as Markdown, in columns that can be read as they are."""
    cells = [[str(cell) for cell in row] for row in (columns, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_line(row, widths) for row in cells]
    text, *figures = widths
    rule = "|".join(["-" * (text + 2), *("-" * (width + 1) + ":" for width in figures)])
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return f"| {' | '.join(cells)} |"
