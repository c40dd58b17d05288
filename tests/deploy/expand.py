"""Writes out what CloudFormation makes of templates before it creates anything.

Run by the Python of `.venv-deploy`: expand.py PARAMETERS TEMPLATE..., the parameters as JSON. The
loops are written out by cfn-lint, after AWS's documentation; SAM's part is AWS's own translator.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from cfnlint.decode.cfn_yaml import load
from cfnlint.template import Template
from cfnlint.template.transforms._language_extensions import language_extension
from samtranslator.translator.transform import transform

REGION = "eu-west-1"
SAM = "AWS::Serverless-2016-10-31"


class NoManagedPolicies:
    """SAM asks AWS for the ARNs of policies that a template names; ours names none."""

    def load(self) -> dict[str, str]:
        return {}


def expand(path: str, parameters: dict[str, str]) -> dict[str, Any]:
    source = load(path)
    for name, value in parameters.items():
        source["Parameters"][name]["Default"] = value
    problems, looped = language_extension(Template(path, source, [REGION]))
    if problems:
        raise SystemExit("\n".join(map(str, problems)))
    plain: dict[str, Any] = json.loads(json.dumps(looped))
    declared = plain.pop("Transform")
    if SAM not in declared:
        return plain
    return dict(transform(plain | {"Transform": SAM}, {}, NoManagedPolicies()))


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    json.dump([expand(path, given) for path in sys.argv[2:]], sys.stdout, indent=1)
