"""Secrets of AWS Secrets Manager, read as an instance starts, and again from time to time.

Written into a function's environment, as a template could, they would be shown to whoever may look
at its configuration, and a new password would need a new deployment. `CONVEYOR_SECRETS` has the
ARNs; each secret is a JSON object: one of RDS, with `username` and `password`, which go into
PostgreSQL's own variables, or settings by their names.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping

import orjson

from conveyor.entrypoints.aws_lambda.secrets_manager import SecretError, text_of

log = logging.getLogger(__name__)

NAMES = "CONVEYOR_SECRETS"
SETTING = "CONVEYOR_"
OF_RDS = {"username": "PGUSER", "password": "PGPASSWORD"}
AGAIN_SECONDS = 300.0
"""For how long a secret that was changed may go unnoticed."""


class Secrets:
    """The secrets that the environment names, put into the environment."""

    def __init__(self) -> None:
        self._read_at: float | None = None

    def refresh(self, now: float) -> bool:
        """Read them if they are old, `now` in seconds; gives whether one has changed.

        Raises `SecretError`, the first time only: later those go on that are known.
        """
        arns = os.environ.get(NAMES, "").split()
        if not arns or (self._read_at is not None and now - self._read_at < AGAIN_SECONDS):
            return False
        is_first, self._read_at = self._read_at is None, now
        try:
            wanted = {name: value for arn in arns for name, value in _settings(arn, text_of(arn))}
        except SecretError:
            if is_first:
                self._read_at = None
                raise
            log.exception("secrets are not to be read now; those that are known go on")
            return False
        changed = any(os.environ.get(name) != value for name, value in wanted.items())
        os.environ.update(wanted)
        return changed


def _settings(arn: str, text: str) -> Iterator[tuple[str, str]]:
    try:
        read = orjson.loads(text)
    except orjson.JSONDecodeError:
        read = None
    if not isinstance(read, Mapping):
        raise SecretError(arn, 'is not JSON as in {"CONVEYOR_WEBHOOK_SECRET": "whsec_..."}')
    found = {OF_RDS.get(key, key): value for key, value in read.items()}
    ours = (*OF_RDS.values(), SETTING)
    known = {str(name): value for name, value in found.items() if str(name).startswith(ours)}
    if not known:
        raise SecretError(arn, f"has neither {', '.join(OF_RDS)} nor a {SETTING}... setting")
    for name, value in known.items():
        if not isinstance(value, str):
            raise SecretError(arn, f"has a {name} that is no text")
        yield name, value
