"""The console: pages for whoever is on call, at /console.

A page is a function that takes a request and gives an answer, and a line in `site.PAGES`. It asks
`viewer.viewer_of` who looks, and `viewer.form_of` for what was sent with a form; `pages.page`
renders a template, and `streams.stream` sends a part of one again whenever it changes.
"""

from __future__ import annotations

from conveyor.entrypoints.console.links import Links
from conveyor.entrypoints.console.site import add_console

__all__ = ["Links", "add_console"]
