"""Which addresses only this machine can be at."""

from __future__ import annotations

from ipaddress import ip_address


def is_loopback(host: str | None) -> bool:
    """Whether this name or number is; False for what is neither."""
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False
