"""Who is outside: what the settings name is opened, and stands for its port in every step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar, cast

from conveyor.core.ambient import Ambient
from conveyor.core.bound import Bound
from conveyor.core.errors import ConveyorError
from conveyor.extension import Extension
from conveyor.extension.ports import SIMULATED, Opens, Port
from conveyor.settings import SettingError, Settings
from conveyor.system.extension_loading import find_named
from conveyor.system.named_ports import Unbound, bound_by, named, unbound

T = TypeVar("T")


class NotOpenError(ConveyorError):
    """A step has called before the process was open: a fault of ours; `port` is its name."""

    def __init__(self, port: str) -> None:
        super().__init__(f"the {port} is not open")
        self.port = port


class _Later:
    """Stands for who is opened later, in steps that are made before."""

    def __init__(self, name: str, opened: Callable[[], object]) -> None:
        self._name, self._opened = name, opened

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(*args: object, **kwargs: object) -> Any:  # noqa: ANN401 - the method's own
            if (it := self._opened()) is None:
                raise NotOpenError(self._name)
            return getattr(it, method)(*args, **kwargs)

        return call


class OpenPorts:
    """Everybody outside, each opened once; who was handed in is open already."""

    def __init__(
        self,
        opens: Mapping[Port[Any], Callable[[], AbstractAsyncContextManager[Any]]],
        handed_in: Mapping[Port[Any], Any],
        bound: Mapping[Port[Any], Bound[Port[Any]]] = MappingProxyType({}),
    ) -> None:
        """`opens` says how; nothing is opened yet. `bound` says which ports stand for one."""
        self._opens = opens
        self._bound = bound
        self._opened = dict(handed_in)
        self._open = AsyncExitStack()

    def __getitem__(self, port: Port[T]) -> T:
        """Give who was opened; before that, one who will be when it is first called."""
        it = self._opened.get(port)
        return cast("T", _Later(port.name, partial(self._opened.get, port)) if it is None else it)

    def named(self, port: Port[T]) -> Bound[Port[T]]:
        """Give the ports that stand for one, by those who are named for it."""
        return self._bound.get(port) or Bound("", {"": port})

    def bound(self, port: Port[T]) -> Bound[T]:
        """Give all who were opened for it, and for whose orders."""
        return self.named(port).each(lambda _, it: self[it])

    def unbound(self, provider: str) -> Unbound | None:
        """Give which it is that orders wait for; None: it is bound."""
        return unbound(provider, self._bound.items())

    async def open(self) -> None:
        """Open all that were not handed in. Raises `SettingError`, and what is ours."""
        for port, opens in self._opens.items():
            if port not in self._opened:
                self._opened[port] = await self._enter(port, opens)

    async def _enter(
        self, port: Port[Any], opens: Callable[[], AbstractAsyncContextManager[Any]]
    ) -> object:
        try:
            return await self._open.enter_async_context(opens())
        except ConveyorError:
            raise
        except Exception as error:
            cause = f"what it names cannot be opened: {type(error).__name__}: {error}"
            raise SettingError(port.setting or port.name, cause) from error

    async def close(self) -> None:
        """Close all that were opened here, the last first."""
        await self._open.aclose()


def ports_of(
    settings: Settings,
    ambient: Ambient,
    extensions: Iterable[Extension],
    handed_in: Mapping[Port[Any], Any],
) -> OpenPorts:
    """Find who is named for the ports of these extensions; who was handed in need not be.

    Raises `SettingError`, `ExtensionError`.
    """
    ports = [port for it in extensions for port in it.ports]
    offered: dict[Port[Any], dict[str, Opens[Any]]] = {port: {} for port in ports}
    for extension in extensions:
        for port, by_name in extension.offers.items():
            offered[port] |= by_name
    opens: dict[Port[Any], Opens[Any]] = {}
    bound = {port: bound_by(port, settings) for port in ports}
    for port in ports:
        who = named(port, settings)
        if port not in handed_in:
            opens[port] = _opening(port, who.default, offered[port], settings)
        for name in who.others:
            opens[bound[port].by_name[name]] = _opening(port, name, offered[port], settings)
    each = {port: partial(it, settings, ambient) for port, it in opens.items()}
    return OpenPorts(each, handed_in, bound)


def _opening(
    port: Port[T], name: str, offered: Mapping[str, Opens[T]], settings: Settings
) -> Opens[T]:
    """Give what opens who is named."""
    if not port.setting or name == SIMULATED or (not name and settings.database_path is not None):
        return port.opens
    if not name:
        # A deployment must never believe that it took money.
        cause = f"name yours (docs/your-provider.md), or say `{SIMULATED}`: then nothing is moved"
        raise SettingError(port.setting, cause)
    opens = find_named(name, port.setting) if ":" in name else offered.get(name)
    if opens is None:
        known = ", ".join([SIMULATED, *offered])
        raise SettingError(port.setting, f"{name!r} is none of {known}, and no package.module:NAME")
    if not callable(opens):
        kind = type(opens).__name__
        raise SettingError(
            port.setting, f"{name!r} is of type {kind}, and no function that opens one"
        )
    return cast("Opens[T]", opens)
