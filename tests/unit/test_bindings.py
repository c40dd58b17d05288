"""Nothing is simulated on PostgreSQL unless that is said, and what is offered is found by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conveyor.app.backends import SettingError
from conveyor.app.bindings import PAYMENTS, Bindings, BoundPayments, bindings
from conveyor.app.installation import installation
from conveyor.extension import Ambient, Extension
from conveyor.settings import Settings

NO_AMBIENT: Any = None
POSTGRES = "postgresql://conveyor@db.example.com/conveyor"


@asynccontextmanager
async def nowhere(_settings: Settings, _ambient: Ambient) -> AsyncIterator[Any]:
    yield object()


def bound(tmp_path: Path, url: str = "", **named: Any) -> Bindings:
    settings = Settings(data=tmp_path, database_url=url, **named)
    installed = installation(settings)
    mine = Extension("mine", payment_providers={"bank": nowhere}, carriers={"post": nowhere})
    added = replace(installed, extensions=(*installed.extensions, mine))
    return bindings(settings, NO_AMBIENT, added)


def test_on_a_laptop_nothing_need_be_said(tmp_path: Path) -> None:
    found = bound(tmp_path, payment_provider="", carrier="")
    assert (found.payments, found.carrier) == (None, None)


@pytest.mark.parametrize("missing", ["payment_provider", "carrier"])
def test_on_postgresql_it_has_to_be_said(missing: str, tmp_path: Path) -> None:
    named = {"payment_provider": "simulated", "carrier": "simulated"}
    assert bound(tmp_path, POSTGRES, **named).payments is None
    with pytest.raises(SettingError, match="or say `simulated`: then nothing") as raised:
        bound(tmp_path, POSTGRES, **named | {missing: ""})
    setting = f"CONVEYOR_{missing.upper()}"
    assert raised.value.name == setting


def test_what_an_extension_offers_is_found_by_its_name(tmp_path: Path) -> None:
    found = bound(tmp_path, payment_provider="bank", carrier="post")
    assert found.payments is not None
    assert found.carrier is not None


def test_a_name_that_nobody_offers_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="'banc' is none of simulated, bank, and no package"):
        bound(tmp_path, payment_provider="banc")


def test_what_cannot_be_opened_is_a_setting_that_is_wrong() -> None:
    def broken() -> Any:
        raise KeyError("BANK_URL")

    with pytest.raises(SettingError, match="cannot be opened: KeyError: 'BANK_URL'") as raised:
        asyncio.run(BoundPayments(PAYMENTS, broken).open())
    assert raised.value.name == PAYMENTS
