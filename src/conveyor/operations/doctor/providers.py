"""Whom orders wait for outside: who answers nobody, and who is not bound any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from conveyor.core.bound import Bound, full_name
from conveyor.core.transaction import Tx
from conveyor.extension import Port
from conveyor.operations.doctor.findings import Finding, failure, fine, warning
from conveyor.operations.standing import called_by_open, waiting
from conveyor.settings import SettingError, Settings
from conveyor.system.installation import Installation
from conveyor.system.named_ports import Unbound, bound_by, unbound

CHECK = "providers"
BoundPorts = Mapping[Port[Any], Bound[Port[Any]]]


def outside(tx: Tx, installed: Installation | None, settings: Settings) -> Iterator[Finding]:
    """Look whom open orders wait for, or will."""
    if installed is None:
        return
    try:
        bound = {port: bound_by(port, settings) for port in installed.ports}
    except SettingError:  # the check of extensions tells it
        return
    yield from _silent(tx, bound)
    yield from _kept(tx, bound, installed)


def _silent(tx: Tx, bound: BoundPorts) -> Iterator[Finding]:
    for provider, count in waiting(tx).items():
        if unbound(provider, bound.items()) is None:
            says = f"{count:,} orders wait for it, which answers nobody and is probed"
            todo = "the logs say what its calls end with; once it answers, all go on by themselves"
            yield warning(CHECK, provider, says, todo)


def _kept(tx: Tx, bound: BoundPorts, installed: Installation) -> Iterator[Finding]:
    for port, theirs in bound.items():
        called = called_by_open(tx, installed.callers(port)) if port.by_merchant else {}
        further = {theirs.default, *theirs.of_merchants.values()}
        for name in sorted((theirs.by_name.keys() | called.keys()) - further):
            provider = full_name(port.name, name)
            says = f"{called.get(name, 0):,} open orders have called it"
            if name in theirs.by_name:
                yield fine(CHECK, provider, f"{says}, and no further ones will")
            else:
                todo = Unbound(name, port.setting).todo
                yield failure(CHECK, provider, f"{says}, and wait: no setting names it", todo)
