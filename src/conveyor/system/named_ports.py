"""Who is named for a port: one for everybody, others for some merchants, and who is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from conveyor.core.bound import Bound, full_name
from conveyor.extension import Port, Ports
from conveyor.extension.ports import SIMULATED
from conveyor.settings import SettingError, Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Named:
    """Who is named: '' where nobody is, and by the merchant where that has another.

    `kept` are those named for nobody's further orders, but for those that have called them.
    """

    default: str
    of_merchants: Mapping[str, str]
    kept: tuple[str, ...] = ()

    @property
    def others(self) -> tuple[str, ...]:
        """Give all but the default, each once: two that are one would be added up by the audit."""
        named = dict.fromkeys((*self.of_merchants.values(), *self.kept))
        return tuple(name for name in named if name != (self.default or SIMULATED))


def named(port: Port[Any], settings: Settings) -> Named:
    """Read what the setting of a port says. Raises `SettingError`."""
    said = port.chosen(settings)
    return read_named(said, port.setting) if port.by_merchant else Named(said, {})


def read_named(said: str, setting: str) -> Named:
    """Read a setting that may name others for some merchants. Raises `SettingError`."""
    default, others, kept = "", dict[str, str](), list[str]()
    for part in (it.strip() for it in said.split(",") if it.strip()):
        merchant, is_of_one, name = (it.strip() for it in part.rpartition("="))
        if not name:
            raise SettingError(setting, f"{part!r} is not MERCHANT=NAME")
        if merchant in others or (default and not is_of_one):
            raise SettingError(setting, f"{part!r} is the second for the same orders")
        if merchant:
            others[merchant] = name
        elif is_of_one:
            kept.append(name)
        else:
            default = name
    return Named(default, others, tuple(kept))


def bound_by(port: Port[T], settings: Settings) -> Bound[Port[T]]:
    """Give a port for each who is named, itself for the default. Raises `SettingError`."""
    if not port.by_merchant:
        return Bound("", {"": port})
    who = named(port, settings)
    default = who.default or SIMULATED
    others = {
        name: Port(full_name(port.name, name), port.opens, port.setting) for name in who.others
    }
    return Bound(default, {default: port, **others}, who.of_merchants)


class Instead:
    """Those outside, with another in the place of one: as one merchant's steps see them."""

    def __init__(self, ports: Ports, port: Port[Any], other: Port[Any]) -> None:
        """`other` stands for `port`."""
        self._ports, self._port, self._other = ports, port, other

    def __getitem__(self, port: Port[T]) -> T:
        """Give who was opened for it."""
        return cast("T", self._ports[self._other if port == self._port else port])


@dataclass(frozen=True, slots=True)
class Unbound:
    """One whom orders have called, and whom the setting of a port does not name any more."""

    name: str
    setting: str

    @property
    def todo(self) -> str:
        """Say what to do about it."""
        return f"add `={self.name}` to {self.setting}, in every process: it gets no further orders"


def unbound(provider: str, ports: Iterable[tuple[Port[Any], Bound[Port[Any]]]]) -> Unbound | None:
    """Give which it is that orders wait for, by its full name; None: it is bound."""
    for port, bound in ports:
        name = provider.removeprefix(full_name(port.name, ""))
        if port.by_merchant and name != provider and name not in bound.by_name:
            return Unbound(name, port.setting)
    return None
