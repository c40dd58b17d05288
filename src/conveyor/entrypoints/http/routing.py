"""A router whose routes are whole from the beginning.

The routes of a router that is included FastAPI takes apart once more, for what the inclusion adds,
when the first request comes that may be for one of them: of all of ours, a fifth of a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute

from conveyor.entrypoints.http.context import known_query


def operation_id(route: APIRoute) -> str:
    """Name an operation as a client's method: `place_order` is `placeOrder`."""
    first, *further = route.name.split("_")
    return first + "".join(word.capitalize() for word in further)


class ApiRouter(APIRouter):
    """A router of ours: each of its routes refuses parameters that it does not have."""

    def __init__(
        self,
        prefix: str = "",
        *,
        tags: Sequence[str] = (),
        responses: Mapping[int | str, dict[str, Any]] | None = None,
    ) -> None:
        """`prefix` begins each path; `tags` and `responses` are said of each operation."""
        super().__init__(
            prefix=prefix,
            tags=list(tags),
            responses=dict(responses or {}),
            dependencies=[Depends(known_query)],
            generate_unique_id_function=operation_id,
        )


def add_routes(http: FastAPI, router: APIRouter) -> None:
    """Let the API answer what a router does, be it ours or anybody's."""
    if isinstance(router, ApiRouter):
        http.router.routes.extend(router.routes)
    else:
        http.include_router(router, dependencies=[Depends(known_query)])


def known_routes(http: FastAPI, added: Sequence[APIRouter]) -> list[APIRoute]:
    """Give what the API answers, also by the routers of others, which were `added` to it."""
    routers = [http.router, *(it for it in added if not isinstance(it, ApiRouter))]
    return [it for router in routers for it in router.routes if isinstance(it, APIRoute)]
