"""How long something takes, in words."""

from __future__ import annotations

MINUTE_MS = 60_000


def duration(milliseconds: int) -> str:
    """`0.012 s`, `3 min 20 s`, `7 d 2 h`: the two largest units."""
    if milliseconds < MINUTE_MS:
        return f"{milliseconds / 1000:.3f}".rstrip("0").rstrip(".") + " s"
    rest = milliseconds // 1000
    said: list[str] = []
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, seconds)
        if count or said:
            said.append(f"{count} {unit}")
    return " ".join(part for part in said[:2] if not part.startswith("0 "))
