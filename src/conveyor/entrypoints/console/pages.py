"""Renders pages: what comes from outside is escaped, and no script but those of our files runs."""

from __future__ import annotations

from importlib.metadata import version

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from conveyor.core.untyped import Foreign
from conveyor.entrypoints.console import words
from conveyor.entrypoints.console.assets import address_of
from conveyor.entrypoints.console.viewer import Viewer, console_of
from conveyor.operations.faults import faults_of

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    # To our own pages it is said where one came from: without that a form would have no origin.
    "referrer-policy": "same-origin",
}
NAVIGATION = (
    ("Overview", "/console"),
    ("Orders", "/console/orders"),
    ("Dead letters", "/console/dead-letters"),
    ("Owed", "/console/owed"),
    ("Queues", "/console/queues"),
)
"""The pages that every page leads to."""
FAULTS = ("Faults", "/console/faults")
"""One more, where there is anything to break."""

_environment = Environment(
    loader=PackageLoader("conveyor.entrypoints.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.globals |= {
    "asset": address_of,
    "kinds": words.KINDS,
    "version": version("conveyor"),
}
_environment.filters |= words.FILTERS


def page(
    request: Request, template: str, viewer: Viewer | None, *, status: int = 200, **shown: Foreign
) -> HTMLResponse:
    """Give a page."""
    there = faults_of(console_of(request).api.app) if viewer else ()
    navigation = [*NAVIGATION, FAULTS] if there else NAVIGATION
    broken = [fault for fault in there if fault.is_on]
    always = {"here": request.url.path, "navigation": navigation, "broken": broken}
    html = render(template, viewer=viewer, **always, **shown)
    return HTMLResponse(html, status, HEADERS)


def render(template: str, **shown: Foreign) -> str:
    """Render a template, or the part of a page that changes while it is open."""
    return _environment.get_template(template).render(shown)
