"""Extensions that cannot be loaded say why, before any order comes by."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.examples.gifts import BOTH, FIRST, WRAP

from conveyor.app.extension_checks import ExtensionError
from conveyor.app.installation import Installation, installation
from conveyor.extension import Ambient, AnyStep, Extension, Flow, OrderBody, Service, Step
from conveyor.settings import Settings

NO_AMBIENT: Ambient = None  # type: ignore[assignment]  # steps here ask for nothing of it


def flow(cancel_until: str = "gifts.wrap", *steps: str, name: str = "f", version: int = 1) -> Flow:
    return Flow(name, version, tuple(map(Step, steps or ("gifts.wrap",))), cancel_until)


def service(name: str) -> Service:
    return Service(name, {})


def install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *extensions: Extension
) -> Installation:
    module = ModuleType("given_extensions")
    for number, extension in enumerate(extensions):
        setattr(module, f"E{number}", extension)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    named = ",".join(f"given_extensions:E{number}" for number in range(len(extensions)))
    return installation(Settings(data=tmp_path, extensions=named))


@pytest.mark.parametrize(
    ("extension", "says"),
    [
        (Extension("e", services=(service("a.b"),)), "cannot name a service"),
        (Extension("e", services=(service("Refunds"),)), "cannot name a service"),
        (Extension("e", services=(service("refunds-dead"),)), "cannot name a service"),
        (Extension("e", services=(service("x" * 41),)), "cannot name a service"),
        (Extension("e", services=(service("payments"),)), "payments is installed already"),
        (Extension("e", services=(service("intake"),)), "intake is installed already"),
        (Extension("e", flows=(flow(name="shop"),)), "shop@1 is installed already"),
        (Extension("e", flows=(flow(name="a@b"),)), "a flow has a name"),
        (Extension("e", flows=(flow(version=0),)), "a version from 1"),
        (Extension("e", flows=(Flow("f", 1, (), "x"),)), "it has no steps"),
        (Extension("e", flows=(flow("gifts.warp"),)), "'gifts.warp', which is none of its steps"),
        (
            Extension("e", flows=(flow("gifts.wrap", "gifts.wrap", "gifts.wrap"),)),
            "which is several of its steps",
        ),
        (Extension("e", bodies={"shop": OrderBody}), "which is no flow of it"),
    ],
)
def test_what_is_wrong_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, extension: Extension, says: str
) -> None:
    with pytest.raises(ExtensionError) as raised:
        install(monkeypatch, tmp_path, extension)

    assert says in str(raised.value)


def test_two_extensions_cannot_have_one_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(ExtensionError, match="gifts is installed already"):
        install(monkeypatch, tmp_path, BOTH, BOTH)


def test_a_step_is_named_as_its_service_has_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    steps: dict[str, AnyStep] = {"payments.authorize": WRAP["gifts.wrap"]}
    installed = install(monkeypatch, tmp_path, Extension("e", services=(Service("gifts", steps),)))

    with pytest.raises(ExtensionError, match=r"must be named gifts\.STEP"):
        installed.added_steps(NO_AMBIENT)


def test_steps_are_a_table_or_a_function_that_gives_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Ambient] = []

    def make(ambient: Ambient) -> dict[str, AnyStep]:
        asked.append(ambient)
        return {"others.wrap": WRAP["gifts.wrap"]}

    services = (Service("gifts", WRAP), Service("others", make))
    installed = install(monkeypatch, tmp_path, Extension("e", flows=(FIRST,), services=services))

    assert set(installed.added_steps(NO_AMBIENT)) == {"gifts.wrap", "others.wrap"}
    assert asked == [NO_AMBIENT]


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("no_such_module:X", "No module named 'no_such_module'"),
        ("tests.examples.gifts:NOTHING", "has no attribute 'NOTHING'"),
        ("tests.examples.gifts", "package.module:NAME"),
        ("tests.examples.gifts:FIRST", "is Flow, not a conveyor.extension.Extension"),
    ],
)
def test_a_setting_that_names_no_extension_is_explained(
    tmp_path: Path, named: str, says: str
) -> None:
    with pytest.raises(ExtensionError) as raised:
        installation(Settings(data=tmp_path, extensions=named))

    assert says in str(raised.value)
