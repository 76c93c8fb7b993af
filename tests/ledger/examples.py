"""What the tests of every ledger write into it, and how they wait."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import update

from slipway.domain.commit import Commit
from slipway.domain.image import Digest, ImageReference
from slipway.domain.release import Baseline, Kind, Options, Release, Request
from slipway.domain.target import Allowance, ConfigKey, Service, StackName, Target, Workload
from slipway.ledger.settings import LedgerSettings
from slipway.ledger.sql import SqlLedger
from slipway.ledger.tables import release
from slipway.ports import Lease, Ledger

COMMIT = Commit("1" * 40)
DIGEST = Digest("sha256:" + "a" * 64)
OTHER = Digest("sha256:" + "b" * 64)
IMAGE = ImageReference("ghcr.io/acme/shop/adapter", COMMIT.sha, DIGEST)
INPUTS = "e" * 64
STACK = "acme/cluster/prod"
TINY = 0.02
"""Seconds that a lease lasts in the tests that outlive it."""


def a_target(name: str = "adapter-prod", stack: str = "prod") -> Target:
    return Target(
        name,
        Service("adapter", "adapter", IMAGE.repository),
        ConfigKey("acme", "default", "cluster", "cluster:adapterImage"),
        StackName("acme", "cluster", stack),
        Workload("apps", "adapter", "adapter"),
    )


def a_request(kind: Kind = Kind.DEPLOY) -> Request:
    return Request(
        kind,
        COMMIT.short,
        "ada",
        why="because — née",
        options=Options(first=True, allow_changes=(Allowance("urn:a::b", "spec.replicas"),)),
        automatic=True,
        prefect_run="0b8e",
    )


def a_release(id_: str = "release", target: str = "adapter-prod") -> Release:
    """A release whose commit is known."""
    moment = datetime(2026, 11, 26, tzinfo=UTC)
    return Release(id_, target, STACK, a_request(), moment, commit=COMMIT)


BASELINE = Baseline(
    config_revision=7,
    config_etag='"etag"',
    config_value="ghcr.io/acme/shop/adapter:old",
    recorded_image=None,
    spec_image="ghcr.io/acme/shop/adapter:old",
    running=OTHER,
    ready=2,
    accepted=frozenset({DIGEST, OTHER}),
    way_back=f"{IMAGE.repository}:old@{OTHER}",
    program=Commit("2" * 40),
    last_update=41,
    urn="urn:pulumi:prod::cluster::kubernetes:apps/v1:Deployment::adapter",
)


def sqlite_at(path: Path) -> LedgerSettings:
    return LedgerSettings(url=SecretStr(f"sqlite:///{path}"))


async def eventually(attempt: Callable[[], Awaitable[Lease | None]]) -> Lease:
    """Poll until the attempt gives a lease, for at most a minute."""
    async with asyncio.timeout(60):
        while (lease := await attempt()) is None:  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(TINY / 4)
    return lease


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Poll until something is so, for at most a minute."""
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(TINY / 4)


async def let_an_hour_have_passed(ledger: Ledger) -> None:
    """What the database's clock being set back an hour looks like: every time is an hour later."""
    assert isinstance(ledger, SqlLedger)
    await ledger._database.change(update(release).values(ended=release.c.ended + 3600))
