"""AWS Signature Version 4 for a POST to one URL, which is all that SQS's JSON protocol needs.

The SDK's signer takes any request, and a quarter of a millisecond: it reads the URL, sorts the
headers and derives the day's key anew each time. Here the URL and the names of the headers are
fixed, and the key is kept for its day. A property test holds the signature to the SDK's.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import time
from functools import lru_cache
from hashlib import sha256
from typing import Protocol
from urllib.parse import urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
CONTENT_TYPE = "application/x-amz-json-1.0"
DEFAULT_PORTS = {"http": 80, "https": 443}
MS = 1000


class Credentials(Protocol):
    """As the SDK's chain gives them."""

    @property
    def access_key(self) -> str:
        """Which key it is."""
        ...

    @property
    def secret_key(self) -> str:
        """What requests are signed with."""
        ...

    @property
    def token(self) -> str | None:
        """What goes along, where the key is good for a while only."""
        ...


class Signer:
    """Signs calls to one endpoint, given by its URL without path or query."""

    def __init__(
        self, url: str, region: str, service: str, content_type: str = CONTENT_TYPE
    ) -> None:
        parts = urlsplit(url)
        is_default = parts.port in {None, DEFAULT_PORTS.get(parts.scheme)}
        self._host = f"{parts.hostname}" if is_default else f"{parts.hostname}:{parts.port}"
        self._region = region
        self._service = service
        self._content_type = content_type

    def headers(
        self, credentials: Credentials, target: str, body: bytes, now_ms: int
    ) -> dict[str, str]:
        """Give the headers of a call that is made now, `Authorization` among them."""
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_ms // MS))
        signed = {"content-type": self._content_type, "host": self._host, "x-amz-date": at}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        signed["x-amz-target"] = target
        names = ";".join(signed)  # written down in the order of their names
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        request = f"POST\n/\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
        scope = f"{at[:8]}/{self._region}/{self._service}/aws4_request"
        text = f"{ALGORITHM}\n{at}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        key = _day_key(credentials.secret_key, at[:8], self._region, self._service)
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        signed["authorization"] = (
            f"{ALGORITHM} Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return signed


@lru_cache(maxsize=8)
def _day_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
