"""What looks at orders page by page, each look in a short transaction of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from conveyor.checks import Examination, Examined, Finding, Page, PageCheck
from conveyor.checks.finding import together
from conveyor.core.transaction import Tx
from conveyor.operations.audit.judging import Belongings, ByRules
from conveyor.operations.audit.ordered import AsOrdered
from conveyor.operations.audit.owing import Owing
from conveyor.settings import Settings
from conveyor.system.installation import Installation


@dataclass(frozen=True, slots=True)
class Examinees:
    """Pages of the database that the settings name. Times are in milliseconds.

    A token that was owed before `lost_before` is lost; 0: nobody is to blame for it.
    """

    settings: Settings
    pages: Sequence[Page]
    now: int
    lost_before: int


class Found(NamedTuple):
    """What came of it: findings, one a name, and orders counted by their status."""

    findings: Sequence[Finding]
    statuses: Mapping[str, int]


async def look_here(installed: Installation, examined: Examined, examinees: Examinees) -> Found:
    """Look at all of the pages, one after the other."""
    examination = Examination({flow.key: flow for flow in installed.flows}, examinees.now)
    extensions = installed.extensions
    by_rules = ByRules(examination.flows, examinees.lost_before)
    belongings = Belongings([table for it in extensions for table in it.belongings])
    bodies = [AsOrdered(), *(look for it in extensions for look in it.page_checks(examination))]
    looks: Sequence[PageCheck] = [by_rules, Owing(examination.flows), belongings, *bodies]
    # Those of a group see a page as it is at one moment, and share what they read of it.
    for page in examinees.pages:
        for group in (looks[:2], [belongings], bodies):
            await examined.read(partial(_take, group, page, examinees.now))
    return Found(together(it for look in looks for it in look.findings), by_rules.statuses)


def _take(looks: Sequence[PageCheck], page: Page, now: int, tx: Tx) -> None:
    for look in looks:
        look.take(tx, page, now)
