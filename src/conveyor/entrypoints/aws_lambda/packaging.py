"""`conveyor package lambda`: what the functions import, in one file that is the same each time.

Only what is installed here goes in, so it is built on what it is to run on: Linux of the same
processor, with the same Python. Byte code goes in too, since compiling it takes a cold start most
of its time; it is not checked against its source, whose date the unpacking changes.
https://docs.aws.amazon.com/lambda/latest/dg/python-package.html
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import conveyor
from conveyor.core.errors import ConveyorError

OURS = "conveyor"
EXTRAS = frozenset({"aws", "lambda", "postgres"})
OF_TRACES = frozenset({"otel"})
MOST_BYTES = 30_000_000
"""What a package should stay under: Lambda's limit is 50 MB zipped, and a cold start unpacks it."""
SAME_DAY = (1980, 1, 1, 0, 0, 0)
"""The date of every file in it: the earliest that the format knows."""
UNPACKED_AT = "/var/task"
NOT_NEEDED = frozenset(
    {"alembic", "click", "httptools", "httpx", "jinja2", "packaging", "rich", "uvicorn", "uvloop"}
)
"""Servers, the console, the command line, migrations, and the client of our own commands."""
NOT_CALLED = (
    "conveyor/adapters/embedded_queue/",
    "conveyor/entrypoints/cli/",
    "conveyor/entrypoints/console/",
    "conveyor/testing/",
    "sqlalchemy/dialects/mssql/",
    "sqlalchemy/dialects/mysql/",
    "sqlalchemy/dialects/oracle/",
)
LEFT_OUT = ("tests", "test", "__pycache__")
SDK_DATA = PurePosixPath("botocore/data")
SDK_SERVICES = frozenset({"secretsmanager", "sqs"})
"""Of the SDK's hundreds of services those that we call."""


class NotInstalledError(ConveyorError):
    """A distribution that is to go into the package is not installed here."""

    def __init__(self, name: str, wanted_by: str) -> None:
        super().__init__(f"{name} is not installed, and {wanted_by} needs it: pip install {name}")
        self.name = name
        self.wanted_by = wanted_by


@dataclass(frozen=True, slots=True)
class Package:
    """What was built."""

    path: str
    bytes: int
    files: int
    python: str
    distributions: tuple[str, ...]


def build(target: Path, extensions: Iterable[str] = (), *, traces: bool = False) -> Package:
    """Build the package; `extensions` are distributions of the user's that go in with it.

    With `traces` it can send them.

    Raises `NotInstalledError`, and `OSError` where the target cannot be written.
    """
    found = distributions_of(extensions, EXTRAS | OF_TRACES if traces else EXTRAS)
    with TemporaryDirectory() as directory:
        root = Path(directory)
        for it in found.values():
            for path, source in _files_of(it):
                if _is_needed(path):
                    copy = root / path
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, copy)
        _compile(root)
        count = _zip(root, target)
    version = ".".join(map(str, sys.version_info[:2]))
    names = tuple(sorted(f"{it.name} {it.version}" for it in found.values()))
    return Package(str(target), target.stat().st_size, count, version, names)


def distributions_of(
    extensions: Iterable[str], extras: frozenset[str] = EXTRAS
) -> dict[str, Distribution]:
    """Give what we and these extensions need, by name. Raises `NotInstalledError`."""
    found: dict[str, Distribution] = {}
    waiting = [(OURS, extras, "the package"), *((it, frozenset(), "--with") for it in extensions)]
    while waiting:
        name, of_it, wanted_by = waiting.pop()
        name = canonicalize_name(name)
        if name in NOT_NEEDED or (name in found and not of_it):
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError as error:
            raise NotInstalledError(name, wanted_by) from error
        for text in found[name].requires or ():
            needed = Requirement(text)
            wanted = of_it or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in wanted):
                waiting.append((needed.name, frozenset(needed.extras), name))
    return found


def _files_of(it: Distribution) -> Iterator[tuple[PurePosixPath, Path]]:
    """Give the files of a distribution, by where they go."""
    if it.name == OURS:
        # It may be installed in place, and then its files are not among those of its distribution.
        package = Path(conveyor.__file__).parent
        for source in sorted(package.rglob("*")):
            if source.is_file():
                yield PurePosixPath(OURS, *source.relative_to(package).parts), source
    for file in it.files or ():
        path = PurePosixPath(file)
        ours = path.parts[0] == OURS
        if ".." not in path.parts and not ours and path.suffix != ".pth":
            yield path, Path(str(it.locate_file(file)))


def _is_needed(path: PurePosixPath) -> bool:
    if str(path).startswith(NOT_CALLED) or any(part in LEFT_OUT for part in path.parts):
        return False
    if SDK_DATA in path.parents and len(path.parts) > len(SDK_DATA.parts) + 1:
        return path.parts[len(SDK_DATA.parts)] in SDK_SERVICES
    return path.suffix not in {".pyc", ".pyi", ".c", ".pyx", ".h"}


def _compile(root: Path) -> None:
    """Compile in a process of its own, whose sets have the same order each time."""
    where = ("-s", str(root), "-p", UNPACKED_AT)
    unchecked = ("--invalidation-mode", "unchecked-hash")
    subprocess.run(  # noqa: S603 - this Python, with arguments of ours
        [sys.executable, "-m", "compileall", "-q", "-j", "1", *where, *unchecked, str(root)],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        check=False,  # what does not compile, such as a template, is left as it is
        stdout=subprocess.DEVNULL,
    )


def _zip(root: Path, target: Path) -> int:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.relative_to(root).as_posix(), SAME_DAY)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16  # readable by whatever account Lambda chooses
            archive.writestr(entry, file.read_bytes())
    return len(files)
