"""Finds the extensions that settings and packages name, and runs their code for the first time."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeVar

from conveyor.extension import Extension
from conveyor.system.extension_checks import ExtensionError, check

GROUP = "conveyor.extensions"

T = TypeVar("T")


def load(named: str) -> Iterable[Extension]:
    """Give the extensions of installed packages, then those that the setting names.

    Raises `ExtensionError`.
    """
    for entry in entry_points(group=GROUP):
        yield _checked(entry.name, running(entry.name, entry.load))
    for name in filter(None, (part.strip() for part in named.split(","))):
        yield _checked(name, find_named(name, "CONVEYOR_EXTENSIONS"))


def running(name: str, code: Callable[[], T]) -> T:
    """Run what an extension brings. Raises `ExtensionError`, whatever it raises."""
    try:
        return code()
    except ExtensionError:
        raise
    except Exception as error:
        raise ExtensionError(name, _said(error)) from error


def listed(name: str, hook: Callable[[], Iterable[T]]) -> list[T]:
    """Give all that a hook gives. Raises `ExtensionError`, whatever it raises on the way."""
    return running(name, lambda: list(hook()))


def find_named(name: str, setting: str) -> object:
    """Give what `package.module:NAME` is, as `setting` has it. Raises `ExtensionError`."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        cause = f"{setting} has this; write it as package.module:NAME"
        raise ExtensionError(name, cause)
    loaded = running(name, lambda: _module(name, module))
    if not hasattr(loaded, attribute):
        raise ExtensionError(name, f"the module {module} has no {attribute!r}")
    return getattr(loaded, attribute)


def _module(name: str, module: str) -> object:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and f"{module}.".startswith(f"{error.name}."):
            cause = (
                f"no module named {error.name!r}: install its package where Conveyor is, or name "
                "its directory in PYTHONPATH"
            )
            raise ExtensionError(name, cause) from error
        raise


def _checked(name: str, loaded: object) -> Extension:
    if not isinstance(loaded, Extension):
        cause = f"is of type {type(loaded).__name__}, not a conveyor.extension.Extension"
        raise ExtensionError(name, cause)
    check(loaded)
    return loaded


def _said(error: Exception) -> str:
    """Say it with its place, in the code of whoever wrote it."""
    if isinstance(error, SyntaxError):
        return f"{_at(error.filename or '', error.lineno)}: {error.msg}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{_at(last.filename, last.lineno)}: {type(error).__name__}: {error}"


def _at(file: str, line: int | None) -> str:
    return f"{Path(file).name}, line {line}"
