"""A registered target that can't be used says so, and is not taken for one that is not there."""

from typing import NoReturn

import pytest

from blocks.loading import load_target
from blocks.prefect_blocks import DeployTarget, GitRepository
from slipway.errors import InvalidInput


async def test_blocks_that_break_the_schema_are_told_without_what_they_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def aload(_: str) -> NoReturn:
        raise AssertionError(GitRepository(url="https://canary@github.com/acme/shop.git"))

    monkeypatch.setattr(DeployTarget, "aload", aload)

    with pytest.raises(InvalidInput, match=r"blocks of target 'web-prod'.*slipway register") as no:
        await load_target("web-prod")

    assert "canary" not in str(no.value)
