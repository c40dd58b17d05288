"""Who is named for a port: one for everybody, and others for some merchants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from conveyor.extension import Port, Ports
from conveyor.extension.ports import SIMULATED
from conveyor.settings import SettingError, Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Named:
    """Who is named: '' where nobody is, and by the merchant where that has another."""

    default: str
    of_merchants: Mapping[str, str]


def named(port: Port[Any], settings: Settings) -> Named:
    """Read what the setting of a port says. Raises `SettingError`."""
    said = port.chosen(settings)
    if not port.by_merchant:
        return Named(said, {})
    default, others = "", dict[str, str]()
    for part in (it.strip() for it in said.split(",") if it.strip()):
        merchant, is_of_one, name = part.rpartition("=")
        if is_of_one and not (merchant.strip() and name.strip()):
            raise SettingError(port.setting, f"{part!r} is not MERCHANT=NAME")
        if merchant.strip() in others or (default and not is_of_one):
            raise SettingError(port.setting, f"{part!r} is the second for the same orders")
        if is_of_one:
            others[merchant.strip()] = name.strip()
        else:
            default = name
    # Nobody is opened twice: two that are one would be added up by the audit.
    everybodys = {default, default or SIMULATED}
    return Named(default, {m: name for m, name in others.items() if name not in everybodys})


class Bound:
    """Those outside, with another in the place of one: as one merchant's steps see them."""

    def __init__(self, ports: Ports, port: Port[Any], other: Port[Any]) -> None:
        """`other` stands for `port`."""
        self._ports, self._port, self._other = ports, port, other

    def __getitem__(self, port: Port[T]) -> T:
        """Give who was opened for it."""
        return cast("T", self._ports[self._other if port == self._port else port])


def others(port: Port[Any], of_merchants: Mapping[str, str]) -> Iterator[tuple[str, Port[Any]]]:
    """Give a port for each other that is named; merchants with the same one share it."""
    made: dict[str, Port[Any]] = {}
    for merchant, name in of_merchants.items():
        if name not in made:
            made[name] = Port(f"{port.name} {name}", port.opens, port.setting)
        yield merchant, made[name]
