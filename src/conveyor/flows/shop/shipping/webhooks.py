"""Signed webhooks, by Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
The clock is handed in, which is why this is not the `standardwebhooks` package.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from itertools import combinations

from conveyor.core.errors import ConveyorError

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
SECRET_PREFIX = "whsec_"  # noqa: S105 - how a secret begins, not one
SCHEME = "v1"
TOLERANCE_SECONDS = 300
SECRET_BYTES = range(24, 65)
MAX_TIMESTAMP_DIGITS = 12


class WebhookRejectedError(ConveyorError):
    """A webhook that is not what it says it is; `header` is the one at fault."""

    def __init__(self, header: str, cause: str) -> None:
        super().__init__(f"{header}: {cause}")
        self.header = header
        self.cause = cause


class WebhookSecretError(ConveyorError):
    """A webhook secret is `whsec_` and the base64 of 24 to 64 random bytes."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"{self.__doc__} {cause}")
        self.cause = cause


class WebhookKey:
    """One or several secrets, the newest first: several are valid while one replaces another."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Read the secrets. Raises `WebhookSecretError`, which never shows one."""
        if not secrets:
            raise WebhookSecretError("None is given.")
        self._keys = [_read_secret(secret) for secret in secrets]

    def shares_with(self, other: WebhookKey) -> bool:
        """Whether both have a secret."""
        return not set(self._keys).isdisjoint(other._keys)

    def sign(self, webhook_id: str, body: bytes, now_ms: int) -> dict[str, str]:
        """Give the headers to send with the body, signed with each secret.

        `webhook_id` is the same for every attempt at one webhook, and has no dot in it.
        """
        timestamp = str(now_ms // 1000)
        signatures = (_signature(key, webhook_id, timestamp, body) for key in self._keys)
        return {
            ID_HEADER: webhook_id,
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: " ".join(signatures),
        }

    def verify(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> str:
        """Give the webhook's id; `headers` have lower-case names, or do not care for case.

        Raises `WebhookRejectedError`: a header is missing, the time is more than
        `TOLERANCE_SECONDS` off (a replay), or no signature is by one of our secrets.
        """
        webhook_id = _required(headers, ID_HEADER)
        timestamp = _required(headers, TIMESTAMP_HEADER)
        given = _required(headers, SIGNATURE_HEADER).split(" ")
        _check_time(timestamp, now_ms)
        valid = [_signature(key, webhook_id, timestamp, body).encode() for key in self._keys]
        # Bytes: comparing str in constant time takes ASCII only, and headers may hold more.
        if not any(hmac.compare_digest(one.encode(), ours) for one in given for ours in valid):
            raise WebhookRejectedError(SIGNATURE_HEADER, "no signature matches body, id and time")
        return webhook_id


class WebhookKeys:
    """The key of each who may sign, by name: a signature says who it is."""

    def __init__(self, keys: Mapping[str, WebhookKey]) -> None:
        """Take them. Raises `WebhookSecretError` for a secret that two of them have."""
        for one, other in combinations(keys, 2):
            if keys[one].shares_with(keys[other]):
                raise WebhookSecretError(f"{one} and {other} have the same.")
        self._keys = keys

    def __getitem__(self, name: str) -> WebhookKey:
        """Give the key of one."""
        return self._keys[name]

    def verify(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> str:
        """Give who has signed. Raises `WebhookRejectedError`: see `WebhookKey.verify`."""
        rejected: WebhookRejectedError | None = None
        for name, key in self._keys.items():
            try:
                key.verify(headers, body, now_ms)
            except WebhookRejectedError as error:
                rejected = error
            else:
                return name
        raise rejected or WebhookRejectedError(SIGNATURE_HEADER, "there is nobody to sign")


def write_secret(key: bytes) -> str:
    """Give the written form of a secret: `key` is 24 to 64 bytes from a safe random source."""
    return SECRET_PREFIX + base64.b64encode(key).decode()


def _read_secret(secret: str) -> bytes:
    if not secret.startswith(SECRET_PREFIX):
        raise WebhookSecretError(f"It does not begin with {SECRET_PREFIX}.")
    written = secret.removeprefix(SECRET_PREFIX)
    padding = "=" * (-len(written) % 4)
    try:
        key = base64.b64decode(written + padding, validate=True)
    except (binascii.Error, ValueError):
        raise WebhookSecretError("What follows is not base64.") from None
    if len(key) not in SECRET_BYTES:
        raise WebhookSecretError(f"It has {len(key)} bytes.")
    return key


def _signature(key: bytes, webhook_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return f"{SCHEME},{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


def _required(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value:
        raise WebhookRejectedError(name, "is missing")
    return value


def _check_time(timestamp: str, now_ms: int) -> None:
    digits = timestamp.isascii() and timestamp.isdigit()
    if not digits or len(timestamp) > MAX_TIMESTAMP_DIGITS:
        raise WebhookRejectedError(TIMESTAMP_HEADER, "is not a time in whole seconds")
    late = now_ms // 1000 - int(timestamp)
    if abs(late) > TOLERANCE_SECONDS:
        side = "behind" if late > 0 else "ahead of"
        raise WebhookRejectedError(TIMESTAMP_HEADER, f"is {abs(late)} s {side} our clock")
