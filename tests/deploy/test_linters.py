"""Linters and our rules find nothing in the templates, and name every fault that is planted."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.deploy.expanded import TEMPLATE, WORKERS, all_expanded, expanded
from tests.deploy.linters import Findings, cfn_lint, checkov
from tests.deploy.plants import CFN_LINT, CHECKOV, PLANTS, RULES, Plant, with_few_services
from tests.deploy.rules import complaints

AS_IT_IS = "as-it-is"


@cache
def planted() -> dict[str, str]:
    """Give the template with each of the faults, and with none, as CloudFormation sees it."""
    template = TEMPLATE.read_text(encoding="utf-8")
    texts = {AS_IT_IS: with_few_services(template)}
    texts |= {plant.name: plant.planted(template) for plant in PLANTS}
    with TemporaryDirectory() as directory:
        paths = [Path(directory) / f"{name}.yaml" for name in texts]
        for path, text in zip(paths, texts.values(), strict=True):
            path.write_text(text, encoding="utf-8")
        seen = map(json.dumps, all_expanded(paths))
        return dict(zip(texts, seen, strict=True))


@cache
def found_by_cfn_lint() -> Findings:
    # It writes out loops itself, and a part of what SAM does.
    sources = {it.name: it.read_text(encoding="utf-8") for it in (TEMPLATE, WORKERS)}
    return cfn_lint(sources | seen_by(CFN_LINT))


@cache
def found_by_checkov() -> Findings:
    return checkov({"workers.json": json.dumps(expanded(WORKERS))} | seen_by(CHECKOV))


def seen_by(whom: str) -> dict[str, str]:
    names = [AS_IT_IS, *(plant.name for plant in PLANTS if whom in plant.named_by)]
    return {f"{name}.json": planted()[name] for name in names}


@pytest.mark.timeout(600)  # cfn-lint and checkov look through everything, once
def test_nothing_is_found_in_ours() -> None:
    found = found_by_cfn_lint()
    assert [*found[TEMPLATE.name], *found[WORKERS.name], *found[f"{AS_IT_IS}.json"]] == []
    found = found_by_checkov()
    assert [*found["workers.json"], *found[f"{AS_IT_IS}.json"]] == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("plant", PLANTS, ids=[it.name for it in PLANTS])
def test_each_fault_is_named(plant: Plant) -> None:
    said = {
        RULES: lambda: complaints(json.loads(planted()[plant.name])),
        CFN_LINT: lambda: found_by_cfn_lint()[f"{plant.name}.json"],
        CHECKOV: lambda: found_by_checkov()[f"{plant.name}.json"],
    }
    for whom, words in plant.named_by.items():
        assert any(words in it for it in said[whom]()), (whom, said[whom]())
