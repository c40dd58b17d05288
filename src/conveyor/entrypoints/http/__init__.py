"""The HTTP API: one router module a resource, and what they share.

What a router of yours may ask for: `TheApi`, the system behind it; a key, with `Reader`, `Placer`,
`Operator`, or one with a scope of your own by `key_with`.
"""

from __future__ import annotations

from conveyor.access.model import Grant
from conveyor.entrypoints.http.context import Operator, Placer, Reader, TheApi, key_with

__all__ = [
    "Grant",
    "Operator",
    "Placer",
    "Reader",
    "TheApi",
    "key_with",
]
