"""Our signature is the SDK's own, whatever is signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore import auth
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from conveyor.adapters.sqs.signing import CONTENT_TYPE, Signer

TARGET = "AmazonSQS.SendMessageBatch"
URLS = (
    "https://sqs.eu-west-1.amazonaws.com",
    "https://sqs.eu-west-1.amazonaws.com:443",
    "http://127.0.0.1:4566",
    "http://localhost",
)
WORD = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=40)


@dataclass(frozen=True)
class Call:
    body: bytes
    now_ms: int


def theirs(call: Call, url: str, region: str, secret: ReadOnlyCredentials) -> dict[str, str]:
    """Give the headers with which the SDK would send this."""
    headers = {"Content-Type": CONTENT_TYPE, "X-Amz-Target": TARGET}
    request: Any = AWSRequest("POST", f"{url}/", headers, call.body)
    now = datetime.fromtimestamp(call.now_ms // 1000, UTC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "get_current_datetime", lambda: now)
        SigV4Auth(secret, "sqs", region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@given(
    call=st.builds(Call, st.binary(min_size=1), st.integers(0, 4_102_444_800_000)),
    url=st.sampled_from(URLS),
    region=WORD,
    secret=st.builds(ReadOnlyCredentials, WORD, WORD, st.none() | WORD),
)
def test_it_signs_as_the_sdk_does(
    call: Call, url: str, region: str, secret: ReadOnlyCredentials
) -> None:
    ours = Signer(url, region, "sqs").headers(secret, TARGET, call.body, call.now_ms)

    expected = theirs(call, url, region, secret)
    assert {name: ours[name] for name in expected} == expected
    assert ours.keys() - expected.keys() == {"host"}
