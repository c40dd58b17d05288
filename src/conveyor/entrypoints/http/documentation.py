"""OpenAPI 3.1, and its page at /docs, which works without any other server."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from conveyor.entrypoints.http.headers import page_policy
from conveyor.entrypoints.http.problems import Problem
from conveyor.entrypoints.http.schemas import CancelBody
from conveyor.entrypoints.order_schemas import REF, flows_by_body, narrow_bodies
from conveyor.extension import Routes
from conveyor.system.installation import Installation

ASSETS = "/docs/assets"
# These are parsed by us (see `bodies`), or written by us: FastAPI does not know of them.
OUR_MODELS: tuple[type[BaseModel], ...] = (CancelBody, Problem)


def describe(
    http: FastAPI, installed: Installation, routes: Sequence[Routes], codes: Sequence[str]
) -> None:
    """Make `http.openapi()` complete: all models, and the flows and codes that are installed."""

    def openapi() -> dict[str, Any]:
        if http.openapi_schema is None:
            http.openapi_schema = document = _openapi(http, installed, routes)
            schemas = document["components"]["schemas"]
            schemas["Code"] = {"type": "string", "enum": sorted(map(str, codes)), "title": "Code"}
            schemas["Problem"]["properties"]["code"] = {"$ref": REF.format(model="Code")}
        return http.openapi_schema

    http.openapi = openapi  # type: ignore[method-assign]


def add_docs(http: FastAPI) -> None:
    """Add the page, with Swagger UI from the files that the package `fastapi-offline` ships."""
    found = find_spec("fastapi_offline")
    assert found is not None and found.origin  # noqa: PT018, S101 - it is a dependency
    http.mount(ASSETS, StaticFiles(directory=Path(found.origin).parent / "static"))

    @http.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        page = get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=f"{http.title} API",
            swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{ASSETS}/favicon.png",
            swagger_ui_parameters={"validatorUrl": None},  # which would ask a server elsewhere
        )
        page.headers["content-security-policy"] = page_policy(bytes(page.body).decode())
        return page


def _openapi(http: FastAPI, installed: Installation, routes: Sequence[Routes]) -> dict[str, Any]:
    described = get_openapi(
        title=http.title,
        version=http.version,
        description=http.description,
        routes=http.routes,
        tags=[{"name": n, "description": d} for it in routes for n, d in it.tags.items()],
        separate_input_output_schemas=False,
    )
    bodies = flows_by_body(installed)
    theirs = (model for it in routes for model in it.models)
    models: tuple[type[BaseModel], ...] = (*installed.bodies.models, *OUR_MODELS, *theirs)
    _, ours = models_json_schema([(model, "validation") for model in models], ref_template=REF)
    schemas = described["components"]["schemas"]
    schemas.update(ours["$defs"])
    narrow_bodies(schemas, installed)
    schemas["KeyBody"]["properties"]["scopes"]["items"] = {"enum": list(installed.scopes)}
    content = described["paths"]["/v1/orders"]["post"]["requestBody"]["content"]
    content["application/json"]["schema"] = _by_flow(bodies)
    for operations in described["paths"].values():
        for operation in operations.values():
            _offer_scopes(operation)
    return described


def _by_flow(bodies: dict[str, list[str]]) -> dict[str, Any]:
    """Say that the body is one of these, told apart by its flow."""
    refs = {name: REF.format(model=name) for name in bodies}
    flows = {flow: refs[name] for name, flows in bodies.items() for flow in flows}
    return {
        "oneOf": [{"$ref": ref} for ref in refs.values()],
        "discriminator": {"propertyName": "flow", "mapping": flows},
    }


def _offer_scopes(operation: dict[str, Any]) -> None:
    """Say that one of an operation's scopes is enough: FastAPI lists them as if all were needed."""
    needs = operation.get("security", ())
    if needs:
        scopes = [(name, scope) for need in needs for name in need for scope in need[name]]
        operation["security"] = [{name: [scope]} for name, scope in scopes]
