"""The commands that go with subscriptions."""

from __future__ import annotations

import click

from conveyor.flows.renewal.cli_renewals import renewals
from conveyor.flows.renewal.cli_subscriptions import plans, subscriptions

COMMANDS: tuple[click.Command, ...] = (plans, subscriptions, renewals)
