"""A real pooler in front of PostgreSQL: PgBouncer, which gives each transaction any connection.

What a session is told before its transaction, it may tell another: settings, prepared statements,
locks. RDS Proxy is milder, since it keeps such a session to one connection.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers.postgres import Postgres, accepts, unprivileged_account
from tests.servers.process import HOST, free_port, running_server

SCRIPT = Path(__file__).parents[2] / "scripts" / "ensure-system-packages"
CONNECTIONS = 3
"""To PostgreSQL: fewer than there are clients, so that they must share."""
SETTINGS = """\
[databases]
* = host={host} port={port} user=postgres

[pgbouncer]
listen_addr = {host}
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 500
server_lifetime = 5
ignore_startup_parameters = extra_float_digits
"""


def command() -> str:
    """Give where it is: a system's directory that is not on everybody's path."""
    return shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin") or "pgbouncer"


@contextmanager
def pooled(postgres: Postgres) -> Iterator[Postgres]:
    """Run PgBouncer before a server; what it gives is used like one.

    Installs it where it is missing and may be, see the script. Raises ServerFailedError.
    """
    subprocess.run([SCRIPT, "pgbouncer=pgbouncer"], check=True)
    with tempfile.TemporaryDirectory(prefix="conveyor-pooler-") as name:
        home, account = Path(name), unprivileged_account()
        behind, port = urlsplit(postgres.url), free_port()
        file = home / "pgbouncer.ini"
        file.write_text(
            SETTINGS.format(host=HOST, port=behind.port, own_port=port, connections=CONNECTIONS)
        )
        home.chmod(0o755)  # for the account that it runs under
        url = f"postgresql://postgres@{HOST}:{port}/postgres"
        with running_server(
            "PgBouncer", [command(), str(file)], home, ready=lambda: accepts(url), account=account
        ) as pid:
            yield Postgres(url, pid)
