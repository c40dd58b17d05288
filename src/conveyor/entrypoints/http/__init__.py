"""The HTTP API: one router module a resource, and what they share."""

from __future__ import annotations

from conveyor.entrypoints.http.application import create_http

__all__ = ["create_http"]
