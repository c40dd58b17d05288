"""How much may come in, and how slowly, before anybody has said who it is from."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from conveyor.entrypoints.http.bodies import MAX_BODY_BYTES
from conveyor.settings import Settings

RESERVED_DESCRIPTORS = 64
"""For the database, the queues, the logs: connections never take the last ones."""
MAX_HEADERS = 100
MAX_PIPELINED = 16
"""Requests that one connection may send ahead of the answer to an earlier one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, seconds and numbers of connections; see `Settings` for the reasons."""

    header_bytes: int
    url_bytes: int
    body_bytes: int
    unfinished_bytes: int
    header_seconds: float
    body_seconds: float
    answer_seconds: float
    connections: int
    connections_by_address: int
    trusted: tuple[str, ...] = ()

    def trusts(self, address: str) -> bool:
        """Whether this is a proxy of ours, which brings the connections of many."""
        return any(ip_address(address) in ip_network(network) for network in self.trusted)


def limits_of(settings: Settings) -> Limits:
    """Give the limits; there are never more connections than this process may have descriptors."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Limits(
        header_bytes=settings.header_bytes,
        url_bytes=settings.url_bytes,
        body_bytes=MAX_BODY_BYTES,
        unfinished_bytes=settings.unfinished_bytes,
        header_seconds=settings.header_seconds,
        body_seconds=settings.body_seconds,
        answer_seconds=settings.answer_seconds,
        connections=max(1, min(settings.connections, descriptors - RESERVED_DESCRIPTORS)),
        connections_by_address=settings.connections_by_address,
        trusted=settings.proxies,
    )
