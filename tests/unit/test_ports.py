"""Nothing is simulated on PostgreSQL unless that is said, and what is offered is found by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conveyor.core.providers import CallLimits
from conveyor.extension import PAYMENTS, Ambient, Extension, Port
from conveyor.flows.shop.carrier import CARRIER
from conveyor.settings import SettingError, Settings
from conveyor.system.bindings import limits_of
from conveyor.system.installation import installation
from conveyor.system.ports import NotOpenError, OpenPorts, ports_of

NO_AMBIENT: Any = None
POSTGRES = "postgresql://conveyor@db.example.com/conveyor"
NAMED: dict[str, Any] = {"payment_provider": "simulated", "carrier": "simulated"}


class Post:
    """Somebody outside."""

    last: Any = None

    def brings(self, what: str) -> str:
        return f"{what} is on its way"


@asynccontextmanager
async def post(_settings: Settings, _ambient: Ambient) -> AsyncIterator[Post]:
    Post.last = Post()
    yield Post.last
    Post.last = None


def bound(tmp_path: Path, url: str = "", **named: Any) -> OpenPorts:
    settings = Settings(data=tmp_path, database_url=url, **named)
    installed = installation(settings)
    mine = Extension("mine", offers={PAYMENTS: {"bank": post}, CARRIER: {"post": post}})
    return ports_of(settings, NO_AMBIENT, (*installed.extensions, mine), {})


def test_on_a_laptop_nothing_need_be_said(tmp_path: Path) -> None:
    bound(tmp_path, payment_provider="", carrier="")


@pytest.mark.parametrize("missing", ["payment_provider", "carrier"])
def test_on_postgresql_it_has_to_be_said(missing: str, tmp_path: Path) -> None:
    bound(tmp_path, POSTGRES, **NAMED)
    with pytest.raises(SettingError, match="or say `simulated`: then nothing") as raised:
        bound(tmp_path, POSTGRES, **NAMED | {missing: ""})
    assert raised.value.name == f"CONVEYOR_{missing.upper()}"


def test_who_is_named_is_opened_once_and_closed_with_the_process(tmp_path: Path) -> None:
    async def main() -> None:
        ports = bound(tmp_path, POSTGRES, payment_provider="bank", carrier="post")
        before: Any = ports[CARRIER]
        with pytest.raises(NotOpenError):
            before.brings("it")
        await ports.open()
        assert ports[CARRIER] is Post.last
        assert before.brings("it") == "it is on its way"
        await ports.close()

    asyncio.run(main())
    assert Post.last is None


def test_a_name_that_nobody_offers_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="'banc' is none of simulated, bank, and no package"):
        bound(tmp_path, payment_provider="banc")


def test_what_cannot_be_opened_is_a_setting_that_is_wrong() -> None:
    def broken() -> Any:
        raise KeyError("BANK_URL")

    with pytest.raises(SettingError, match="cannot be opened: KeyError: 'BANK_URL'") as raised:
        asyncio.run(OpenPorts({PAYMENTS: broken}, {}).open())
    assert raised.value.name == PAYMENTS.setting


def test_an_extension_has_a_port_of_its_own_with_a_setting_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine: Port[Post] = Port("post", post, "CONVEYOR_MY_POST")
    extension = Extension("mine", ports=(mine,))
    settings = Settings(data=tmp_path, database_url=POSTGRES, **NAMED)
    installed = replace(installation(settings), extensions=(extension,))
    with pytest.raises(SettingError, match="CONVEYOR_MY_POST: name yours"):
        ports_of(settings, NO_AMBIENT, installed.extensions, {})

    monkeypatch.setenv("CONVEYOR_MY_POST", "tests.unit.test_ports:post")

    async def main() -> str:
        ports = ports_of(settings, NO_AMBIENT, installed.extensions, {})
        await ports.open()
        said = ports[mine].brings("a card")
        await ports.close()
        return said

    assert asyncio.run(main()) == "a card is on its way"


class Slow(Post):
    """Somebody who says what its calls may cost."""

    call_seconds = 7.5
    calls_at_once = 3


def test_who_is_opened_says_what_its_calls_may_cost() -> None:
    default = CallLimits(30.0, 200)
    assert limits_of(PAYMENTS, Slow(), default) == CallLimits(7.5, 3)
    assert limits_of(PAYMENTS, Post(), default) == default


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("call_seconds", 0), ("call_seconds", 4_000), ("call_seconds", "7"), ("calls_at_once", 0)],
)
def test_what_cannot_be_kept_is_told_by_the_setting(attribute: str, value: object) -> None:
    it = Post()
    setattr(it, attribute, value)
    with pytest.raises(SettingError, match=attribute) as raised:
        limits_of(PAYMENTS, it, CallLimits())
    assert raised.value.name == PAYMENTS.setting


def test_a_merchant_may_have_another_provider_than_everybody(tmp_path: Path) -> None:
    ports = bound(tmp_path, payment_provider="simulated, acme=bank, zenith=bank, x=simulated")
    theirs = ports.named(PAYMENTS)
    assert set(theirs.by_name) == {"simulated", "bank"}  # nobody is opened twice
    assert theirs.get("acme") is theirs.get("zenith") is theirs.by_name["bank"]
    assert theirs.get("x") is theirs.get("anybody") is PAYMENTS


def test_one_may_be_kept_for_the_orders_that_have_called_it(tmp_path: Path) -> None:
    theirs = bound(tmp_path, payment_provider="=bank").named(PAYMENTS)
    assert theirs.get("acme") is PAYMENTS
    assert theirs.get("acme", "bank") is theirs.by_name["bank"]
    assert theirs.get("acme", "another") is None


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("bank, bank", "second for the same orders"),
        ("acme=bank, acme=simulated", "second for the same orders"),
        ("acme=", "is not MERCHANT=NAME"),
        ("=", "is not MERCHANT=NAME"),
        ("acme=banc", "'banc' is none of simulated, bank"),
    ],
)
def test_what_is_said_of_merchants_and_is_none_is_told(
    tmp_path: Path, said: str, cause: str
) -> None:
    with pytest.raises(SettingError, match=cause):
        bound(tmp_path, payment_provider=said)


def test_on_postgresql_who_serves_all_others_has_to_be_said_too(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="or say `simulated`"):
        bound(tmp_path, POSTGRES, **NAMED | {"payment_provider": "acme=bank"})
