"""Where a PostgreSQL is: one server, or several that stand in for one another."""

from __future__ import annotations

import re

import sqlalchemy as sa

from conveyor.adapters.postgres.errors import PostgresUrlError

SESSION = "target_session_attrs"
"""Which of several servers libpq takes: https://www.postgresql.org/docs/current/libpq-connect.html"""
WRITABLE = "read-write"
"""The one that takes writes: whichever was promoted."""
STANDBY = "prefer-standby"
"""One that replays another's writes; where there is none, whichever there is."""

_SEVERAL = re.compile(r"(?s)(\w[\w+]*://(?:[^/?]*@)?)([^/?@]*,[^/?@]*)([/?].*)?")
_SERVER = re.compile(r"(\[[^\]]*\]|[^:]*)(?::(\d*))?")


def place_of(url: str, among_several: str = WRITABLE) -> sa.URL:
    """Read `postgresql://...`, which may name several servers as libpq's does: `HOST:PORT,HOST`.

    Of several it is the one that `among_several` tells, unless the URL says which. Raises
    `PostgresUrlError`.
    """
    try:
        place = _read(url)
    except (ValueError, sa.exc.ArgumentError):
        cause = "it is not as in postgresql://USER:PASSWORD@HOST:PORT/NAME"
        raise PostgresUrlError(url, cause) from None  # what was raised may show the password
    if "," in str(place.query.get("host", "")) and SESSION not in place.query:
        return place.update_query_dict({SESSION: among_several})
    return place


def shown(place: sa.URL) -> str:
    """Give the servers and the database of a place, as they may be shown to anybody."""
    hosts = str(place.query.get("host", "")).split(",")
    if len(hosts) == 1:
        return str(sa.URL.create("postgresql", None, None, place.host, place.port, place.database))
    ports = str(place.query.get("port", "")).split(",")
    ports += ports[-1:] * (len(hosts) - len(ports))  # one port is that of all
    servers = ",".join(
        f"{it}:{port}" if port else it for it, port in zip(hosts, ports, strict=False)
    )
    return f"postgresql://{servers}/{place.database or ''}"


def _read(url: str) -> sa.URL:
    several = _SEVERAL.fullmatch(url)
    if several is None:
        return sa.make_url(url)
    servers = [_SERVER.fullmatch(it) for it in several[2].split(",")]
    named = [(it[1].strip("[]"), it[2] or "") for it in servers if it]
    if len(named) < len(servers):
        raise ValueError
    query = {"host": ",".join(host for host, _ in named)}
    if any(port for _, port in named):
        query["port"] = ",".join(port for _, port in named)
    return sa.make_url(several[1] + (several[3] or "")).update_query_dict(query)
