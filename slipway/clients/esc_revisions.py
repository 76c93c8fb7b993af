"""Who has changed an ESC environment: its revisions, as the REST API lists them."""

import logging
from collections.abc import AsyncIterator, Sequence

from slipway.clients.pulumi_api import PulumiApi
from slipway.domain.config import ConfigRevision
from slipway.domain.target import ConfigKey
from slipway.errors import ConfigKeyUnusable

log = logging.getLogger(__name__)

PAGE = 100


def path_of(key: ConfigKey) -> str:
    """The environment's own path."""
    return f"/api/esc/environments/{key.environment_name}"


async def newest(api: PulumiApi, key: ConfigKey) -> ConfigRevision | None:
    """The newest revision; None where it can't be read."""
    found = await _told(api, key, 0, 1)
    return found[0] if found else None


async def revisions_since(api: PulumiApi, key: ConfigKey, revision: int) -> list[ConfigRevision]:
    """The revisions after one, newest first; where some can't be read, those that can."""
    found: list[ConfigRevision] = []
    before = 0
    while True:
        page = await _told(api, key, before, PAGE)
        newer = [each for each in page if each.number > revision]
        found += newer
        if not page or len(newer) < len(page):
            return found
        before = page[-1].number


async def all_revisions(api: PulumiApi, key: ConfigKey) -> Sequence[ConfigRevision]:
    """Every revision; an error where one page of them can't be read."""
    found = [each async for each in backwards(api, key)]
    if not found:
        raise ConfigKeyUnusable(
            f"ESC environment {key.environment_name} tells of no revision, and it has one: "
            f"check what answers at {api.backend}"
        )
    return found


async def backwards(
    api: PulumiApi, key: ConfigKey, before: int = 0
) -> AsyncIterator[ConfigRevision]:
    """The revisions before one, or all, newest first; no more pages than are gone through."""
    while page := await _page(api, key, before, PAGE):
        for each in page:
            yield each
        before = page[-1].number


async def _told(api: PulumiApi, key: ConfigKey, before: int, count: int) -> list[ConfigRevision]:
    """Who has changed what, to be told beside something else: nobody where it can't be read."""
    try:
        return await _page(api, key, before, count)
    except ConfigKeyUnusable as error:
        log.info("%s", error)
        return []


async def _page(api: PulumiApi, key: ConfigKey, before: int, count: int) -> list[ConfigRevision]:
    answer = await api.ask(f"{path_of(key)}/versions?before={before}&count={count}")
    if not answer.good or not answer.is_list:
        raise ConfigKeyUnusable(
            f"the revisions of ESC environment {key.environment_name} can't be listed "
            f"({answer.problem}): give the token's account read access to them"
        )
    return [
        ConfigRevision(
            int(each.get("number", 0)),
            str(each.get("creatorLogin") or each.get("creatorName") or ""),
            str(each.get("created", "")),
        )
        for each in answer.items()
    ]
