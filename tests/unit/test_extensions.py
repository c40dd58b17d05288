"""Extensions that cannot be loaded say why, before any order comes by."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from examples.node.billed import STEPS
from tests.cli.driver import say
from tests.examples.gifts import BOTH, FIRST, WRAP, Wrapped

from conveyor.extension import (
    PAYMENTS,
    AwaitingStep,
    Dependencies,
    Extension,
    Fee,
    Flow,
    OrderBody,
    Service,
    Step,
    StepHandler,
)
from conveyor.settings import Settings
from conveyor.system.extension_checks import ExtensionError
from conveyor.system.installation import Installation, installation
from conveyor.system.ports import OpenPorts

NO_AMBIENT: Any = None  # steps here ask for nothing of it
GIVEN = Dependencies(Settings(), NO_AMBIENT, OpenPorts({}, {}), {})


def flow(cancel_until: str = "gifts.wrap", *steps: str, name: str = "f", version: int = 1) -> Flow:
    return Flow(name, version, tuple(map(Step, steps or ("gifts.wrap",))), cancel_until)


def shaped(**fields: Any) -> Extension:
    """Make one as it is made without a type checker."""
    return Extension("e", **fields)


WRAPS: Any = Step("gifts.wrap")
WRAPS_ALONE = Flow("f", 1, WRAPS, "gifts.wrap")
FINED = Flow("f", 1, (WRAPS,), "gifts.wrap", Fee("gifts.warp", 50))
UNTABLED: Any = [WRAPS]
LISTED = Service("gifts", UNTABLED)


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
        (Extension("e", lives={"shop": dict}), "has lives of 'shop', which is no flow of it"),
        (Extension("e", flows=(FINED,)), "its fee is after 'gifts.warp', which is none"),
        (shaped(flows=flow()), "its flows are one Flow and no tuple: a comma is missing"),
        (shaped(flows=("f",)), "among its flows is 'f', which is no Flow"),
        (shaped(services={"gifts": WRAP}), "its services are of type dict, not a tuple"),
        (shaped(flows=(WRAPS_ALONE,)), "flow f: its steps are one Step and no tuple"),
        (shaped(services=(LISTED,)), "the steps of service gifts are of type list"),
        (shaped(flows=(flow(),), bodies={"f": Wrapped}), "the body of 'f' is no subclass"),
        (shaped(tables=[]), "its tables are of type list"),
        (shaped(routes=[]), "its routes are of type list, not a function that gives them"),
        (shaped(checks=()), "its checks are of type tuple, not a function that gives them"),
        (shaped(archiving=lambda _: ()), "its archiving is of type function, not an Archiving"),
        (shaped(belongings=(sa.Table("t", sa.MetaData()),)), "which is no table with an order_id"),
        (shaped(scopes={"read": ""}), "'read' cannot be a scope of its own"),
        (shaped(scopes={"Gift Cards": ""}), "'Gift Cards' cannot be a scope of its own"),
        (shaped(offers={PAYMENTS: {"bank": 1}}), "offers 'bank', of type int, not a function"),
        (Extension("gift cards", migrations="a:b"), "with migrations its name is also that of a"),
        (
            Extension("e", services=(Service("mail", {}, fifo=True, external=True),)),
            "the service mail is external, and cannot be FIFO",
        ),
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
    with pytest.raises(ExtensionError, match="gifts: the flow gift@1 is installed"):
        install(monkeypatch, tmp_path, BOTH, BOTH)


def test_a_step_is_named_as_its_service_has_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    steps: dict[str, StepHandler] = {"payments.authorize": WRAP["gifts.wrap"]}
    installed = install(monkeypatch, tmp_path, Extension("e", services=(Service("gifts", steps),)))

    with pytest.raises(ExtensionError, match=r"must be named gifts\.STEP"):
        installed.steps(GIVEN)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (len, "the step 'gifts.wrap' is of type builtin_function_or_method: make it a LocalStep"),
        (AwaitingStep, "is the class AwaitingStep: make one of it, as in AwaitingStep\\(...\\)"),
    ],
)
def test_a_step_is_a_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Any, says: str
) -> None:
    of_gifts = Service("gifts", {"gifts.wrap": step})
    installed = install(monkeypatch, tmp_path, Extension("e", services=(of_gifts,)))

    with pytest.raises(ExtensionError, match=says):
        installed.steps(GIVEN)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (Step("gifts.warp"), "there is no step 'gifts.warp'; did you mean 'gifts.wrap'?"),
        (Step("gifts.zzzzzzz"), "there is no step 'gifts.zzzzzzz'; service gifts has gifts.wrap"),
        (Step("fits.any"), "there is no step 'fits.any'; no service 'fits' is installed; there"),
        (
            Step("gifts.wrap", undo="gifts.zzzzzzz"),
            "'gifts.zzzzzzz', the undo of gifts.wrap; s",
        ),
        (
            Step("gifts.wrap", also=("gifts.zzzzzzz",)),
            "'gifts.zzzzzzz', taken along with gifts.wrap;",
        ),
        (
            Step("gifts.wrap", also=("payments.capture",)),
            "'payments.capture' is taken along with gifts.wrap: only a LocalStep can be",
        ),
    ],
)
def test_a_step_that_nobody_has_is_named_with_flow_and_extension(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: Step, says: str
) -> None:
    gift = Flow("gift", 3, (line,), line.name)
    extension = Extension("e", flows=(gift,), services=(Service("gifts", WRAP),))
    installed = install(monkeypatch, tmp_path, extension)

    with pytest.raises(ExtensionError) as raised:
        installed.steps(GIVEN)

    assert str(raised.value).startswith("extension e: flow gift@3: ")
    assert says in str(raised.value)


@pytest.mark.parametrize("external", [True, False])
def test_an_external_service_has_external_steps_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, external: bool
) -> None:
    other = WRAP["gifts.wrap"] if external else STEPS["billing.charge"]
    steps: dict[str, StepHandler] = {"billing.charge": other}
    service = Service("billing", steps, external=external)
    installed = install(monkeypatch, tmp_path, Extension("e", services=(service,)))

    with pytest.raises(ExtensionError, match="all steps of an external service are ExternalStep"):
        installed.steps(GIVEN)


def test_nobody_of_ours_runs_an_external_service(tmp_path: Path) -> None:
    named = {"CONVEYOR_EXTENSIONS": "examples.node.billed:EXTENSION"}

    said = say("work", "billing", "--data", tmp_path, **named)

    assert said.code == 2
    assert "'billing' is external: a process of yours serves its queue" in said.err
    installed = installation(Settings(data=tmp_path, extensions=named["CONVEYOR_EXTENSIONS"]))
    assert "billing" not in installed.services
    assert "billing" in {spec.name for spec in installed.queues}


def test_steps_are_a_table_or_a_function_that_gives_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Dependencies] = []

    def make(given: Dependencies) -> dict[str, StepHandler]:
        asked.append(given)
        return {"others.wrap": WRAP["gifts.wrap"]}

    services = (Service("gifts", WRAP), Service("others", make))
    installed = install(monkeypatch, tmp_path, Extension("e", flows=(FIRST,), services=services))

    assert {"gifts.wrap", "others.wrap"} <= set(installed.steps(GIVEN))
    assert asked == [GIVEN]


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("no_such_module:X", "no module named 'no_such_module': install its package where"),
        ("tests.no_such_module:X", "no module named 'tests.no_such_module': install its package"),
        ("tests.examples.gifts:NOTHING", "the module tests.examples.gifts has no 'NOTHING'"),
        ("tests.examples.gifts", "package.module:NAME"),
        ("tests.examples.gifts:FIRST", "is of type Flow, not a conveyor.extension.Extension"),
    ],
)
def test_a_setting_that_names_no_extension_is_explained(
    tmp_path: Path, named: str, says: str
) -> None:
    with pytest.raises(ExtensionError) as raised:
        installation(Settings(data=tmp_path, extensions=named))

    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import no_such_module", "broken.py, line 1: ModuleNotFoundError: No module named 'no_"),
        ("x = = 1", "broken.py, line 1: invalid syntax"),
        ("\n1 / 0", "broken.py, line 2: ZeroDivisionError: division by zero"),
        (
            "from abc import *\nclass Half(ABC):\n  @abstractmethod\n  def ask(self): ...\nHalf()",
            "broken.py, line 5: TypeError: Can't instantiate abstract class Half with",
        ),
    ],
)
def test_code_that_breaks_as_it_is_loaded_is_named_with_its_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, says: str
) -> None:
    (tmp_path / "broken.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ExtensionError) as raised:
        installation(Settings(data=tmp_path, extensions="broken:EXTENSION"))

    assert f"extension broken:EXTENSION: {says}" in str(raised.value)


def test_a_hook_that_breaks_on_the_way_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def routes() -> Iterator[Any]:
        yield from ()
        raise KeyError("prefix")

    installed = install(monkeypatch, tmp_path, Extension("e", routes=routes))
    with pytest.raises(ExtensionError, match=r"extension e: .*KeyError: 'prefix'"):
        installed.routes()


def test_what_is_no_routes_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wrong: Any = ["router"]
    installed = install(monkeypatch, tmp_path, Extension("e", routes=lambda: wrong))
    with pytest.raises(ExtensionError, match="its routes give 'router', which is no Routes"):
        installed.routes()
