"""The servers that a measurement needs: one PostgreSQL for all, an SQS server for each run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from benchmarks.counting_sqs import counting_sqs_server
from tests.servers.ministack import AWS_TEST_ENVIRONMENT
from tests.servers.postgres import Postgres, postgres_server


class Servers:
    """Gives databases and queues that are new, with nothing of an earlier run still to be done."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    @contextmanager
    def database(self) -> Iterator[str]:
        """Create a database, give its URL, and drop it afterwards."""
        url = self._postgres.fresh_database()
        self._administer("CHECKPOINT")
        try:
            yield url
        finally:
            name = url.rpartition("/")[2]
            for each in (name, f"{name}_simulated"):
                self._administer(f'DROP DATABASE IF EXISTS "{each}" WITH (FORCE)')

    @contextmanager
    def queues(self) -> Iterator[str]:
        """Run an SQS server that counts, and give its endpoint URL."""
        with counting_sqs_server() as server:
            yield server.endpoint_url

    def postgres_version(self) -> str:
        """Give the version of the server."""
        with psycopg.connect(self._postgres.url) as connection:
            return str(connection.info.parameter_status("server_version"))

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self._postgres.url, autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def running_servers() -> Iterator[Servers]:
    """Run PostgreSQL, with its own, durable defaults; the environment gets AWS credentials."""
    os.environ.update(AWS_TEST_ENVIRONMENT)
    with postgres_server() as postgres:
        yield Servers(postgres)
