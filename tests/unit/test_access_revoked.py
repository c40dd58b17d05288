"""For how long a key that was revoked elsewhere still works here: seconds, and no longer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.core_driver import Core

from conveyor.services.access import store
from conveyor.services.access.access import Access
from conveyor.testing.loop import run_virtual


def token(count: int) -> bytes:
    return bytes(range(count))


@pytest.mark.parametrize(("seconds", "works"), [(4.999, True), (5.0, False)])
def test_a_key_that_was_revoked_elsewhere_works_for_five_seconds(
    tmp_path: Path, seconds: float, *, works: bool
) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            now, access = core.engine.now(), Access(core.database, core.ambient)
            key, text = await core.database.run(
                lambda tx: store.create(tx, token, merchant="m", scopes=["read"], label="", now=now)
            )
            grant = await access.grant_of(text)
            assert grant is not None
            assert (grant.merchant, grant.scopes) == ("m", frozenset({"read"}))
            await core.database.run(lambda tx: store.revoke(tx, key.id, "m", now))
            await asyncio.sleep(seconds)
            assert (await access.grant_of(text) is not None) is works
            access.forget()
            assert await access.grant_of(text) is None

    run_virtual(main())
