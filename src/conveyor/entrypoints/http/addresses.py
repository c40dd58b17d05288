"""What an address counts as, where one client is not to take everybody's part."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address

IPV6_PREFIX = 64
"""A site is given a whole /64, or more, so one machine in it has 2**64 addresses to come from
(https://www.rfc-editor.org/rfc/rfc6177, https://www.rfc-editor.org/rfc/rfc7421)."""
REMEMBERED = 10_000


@lru_cache(REMEMBERED)
def counted_as(address: str) -> str:
    """Give what is counted: an IPv4 address itself, of an IPv6 address the network that it is in.

    What is no address, as a proxy may name one, counts as itself.
    """
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed), IPV6_PREFIX), strict=False))
