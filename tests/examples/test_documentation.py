"""What the documentation says is so: its links, code, commands, settings and metrics."""

from __future__ import annotations

import re
import shlex
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.cli.driver import running

from conveyor.commerce.orders.model import OrderBody
from conveyor.entrypoints.cli import main
from conveyor.settings import Settings

ROOT = Path(__file__).parents[2]
OPERATIONS = ROOT / "docs" / "operations.md"
PLACES = ("*.md", "docs/**/*.md", "examples/*.md", "examples/*/*.md", "benchmarks/*.md")
PAGES = sorted(page for place in PLACES for page in ROOT.glob(place))
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
every_page = pytest.mark.parametrize("page", PAGES, ids=NAMES)

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^ {4}(conveyor .+)$", re.MULTILINE)
_INLINE = re.compile(r"`(conveyor [^`]+)`")
_SETTING = re.compile(r"\bCONVEYOR_[A-Z_]+\b")
# Read by the command line itself, see `conveyor --help`, and the last one by Lambda functions.
NO_SETTINGS = {
    "CONVEYOR_SERVER",
    "CONVEYOR_API_KEY",
    "CONVEYOR_HOST",
    "CONVEYOR_PORT",
    "CONVEYOR_METRICS_HOST",
    "CONVEYOR_METRICS_PORT",
    "CONVEYOR_SECRETS",
}
SHELL_ENDS = {"|", ">", "<", "<<", "&&", "\\", "#", ";", "<<END"}


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors_of(page: Path) -> set[str]:
    """Give the anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands_in(text: str) -> Iterator[str]:
    """Give every command line that begins with `conveyor`."""
    for kind, block in _BLOCK.findall(text):
        if kind == "sh":
            yield from (
                c.strip() for c in re.findall(r"(?:^|\bdo )(conveyor .+)$", block, re.MULTILINE)
            )
    yield from _INDENTED.findall(text)
    yield from _INLINE.findall(text)


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(text_of(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors_of(target), link


def test_every_example_is_listed() -> None:
    said = text_of(ROOT / "examples" / "README.md")
    there = {path.name for path in (ROOT / "examples").iterdir() if path.name[0] not in "_R"}

    assert {name for name in there if f"| `{name}" not in said} == set()


@every_page
def test_code_is_that_of_an_example_which_a_test_runs(page: Path) -> None:
    examples = [text_of(file) for file in ROOT.glob("examples/**/*.py")]
    for kind, block in _BLOCK.findall(text_of(page)):
        if kind == "python":
            assert any(block.rstrip() in example for example in examples), block


@every_page
def test_commands_are_there_with_their_options(page: Path) -> None:
    for line in commands_in(text_of(page)):
        command: click.Command = main
        words = shlex.split(line.rstrip("\\ "), comments=True)[1:]
        for at, word in enumerate(words):
            if word in SHELL_ENDS:
                break
            if word.startswith("--"):
                known = {opt for p in command.params for opt in p.opts} | {"--help", "--version"}
                assert word.partition("=")[0] in known, line
            elif isinstance(command, click.Group) and word not in {"...", "and"}:
                assert word in command.commands, f"{line}: word {at + 1}"
                command = command.commands[word]


@every_page
def test_settings_are_there(page: Path) -> None:
    known = {f"CONVEYOR_{name.upper()}" for name in Settings.model_fields} | NO_SETTINGS
    assert set(_SETTING.findall(text_of(page))) <= known


def test_all_settings_are_listed_with_their_defaults() -> None:
    listed = dict(
        re.findall(r"^\| `(CONVEYOR_\w+)` \| (?:`(.*?)`)? *\|", text_of(OPERATIONS), re.MULTILINE)
    )
    settings = {
        f"CONVEYOR_{name.upper()}": f"{field.default:g}"
        if isinstance(field.default, float)
        else str(field.default)
        for name, field in Settings.model_fields.items()
    }
    assert listed == settings


def test_the_metrics_that_are_listed_are_those_that_are_told(tmp_path: Path) -> None:
    with running(tmp_path / "data") as (_, ready):
        url = f"{ready['url']}/metrics"
        told = urllib.request.urlopen(url).read().decode()
    listed = re.findall(
        r"^\| `(conveyor_\w+)(?:\{([\w,]+)\})?` \| (\w+) \|", text_of(OPERATIONS), re.MULTILINE
    )

    assert {(name, kind) for name, _, kind in listed} == set(
        re.findall(r"^# TYPE (\w+) (\w+)$", told, re.MULTILINE)
    )
    samples = dict(re.findall(r"^(\w+)\{(.+)\} ", told, re.MULTILINE))
    for name, labels, _ in listed:
        if name in samples:
            assert set(re.findall(r"(\w+)=", samples[name])) == set(labels.split(",")), name


def test_the_alarms_are_about_metrics_that_there_are() -> None:
    text = text_of(OPERATIONS)
    listed = set(re.findall(r"^\| `(conveyor_\w+)", text, re.MULTILINE))

    assert set(re.findall(r"\bconveyor_\w+", text)) == listed


def test_the_order_body_is_one_that_is_taken() -> None:
    bodies = [
        block for kind, block in _BLOCK.findall(text_of(ROOT / "README.md")) if kind == "json"
    ]

    assert [OrderBody.model_validate_json(body).amount for body in bodies] == [2_354]


def test_every_decision_is_listed() -> None:
    index = ROOT / "docs" / "decisions" / "README.md"
    pages = {page.name for page in index.parent.glob("0*.md")}

    assert set(_LINK.findall(text_of(index))) == pages
