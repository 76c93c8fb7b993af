"""How a plan's images are deleted: one after the other, each looked at right before."""

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from slipway.domain.image import Digest, ImageReference
from slipway.domain.removal import (
    Sight,
    records_of,
    require_kept,
    require_unnamed,
    require_untouched,
)
from slipway.domain.retention import Deletion, Plan
from slipway.ports import Lease, Ports
from slipway.tasks.lease import require_held
from slipway.tasks.newly_named import Marks, look_at_names
from slipway.tasks.retaining import find_lost, look_around

log = logging.getLogger(__name__)

LATELY = 5
"""Images whose tags are asked for although no list shows them: a list may be a little behind."""


@dataclass(slots=True)
class Carried:
    """A plan that is carried out: what was seen before, and what is done so far."""

    every: Sequence[Ports]
    plan: Plan
    before: Sight
    marks: Marks
    held: Sequence[Lease]
    deleted: list[Digest] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    """Tags that went with what is deleted."""
    lately: deque[tuple[str, ...]] = field(default_factory=lambda: deque(maxlen=LATELY))
    """Those of the last ones."""

    async def delete(self, image: Deletion) -> None:
        """Delete the image, then its parts, if nothing has come that speaks against it.

        The record of what its tags were published as goes first: a crash in between must not leave
        a commit that can never be published again. It goes once more afterwards, where a release
        has found the image in the last moment and recorded it.
        """
        await self._require_unnamed()
        await self._require_untouched()
        await self._forget(image, records_of(image, self.before))
        await self._remove(image.digest)
        await self._forget(image, image.tags)
        self.gone |= {*image.tags}
        self.lately.append(image.tags)
        if len(self.deleted) == 1:
            await self.require_kept()
        if image.parts:
            await self._require_untouched()
        for part in image.parts:
            await self._remove(part)

    async def require_kept(self) -> None:
        """`ImageMissing` where the registry has lost more than it was asked to."""
        require_kept(self.plan, await find_lost(self.every[0], self.plan))

    async def _require_untouched(self) -> None:
        lately = {tag for tags in self.lately for tag in tags}
        now = await look_around(self.every, self.gone, lately)
        require_untouched(self.plan.repository, self.before, now)

    async def _require_unnamed(self) -> None:
        found, marks = await look_at_names(self.every, self.marks)
        require_unnamed(self.plan, found, self.deleted)
        # Only once it is judged: a look that has failed must see the same again.
        self.marks = marks

    async def _remove(self, digest: Digest) -> None:
        for each in self.held:
            await require_held(self.every[0], each)
        await self.every[0].registry.remove(self.plan.repository, digest)
        self.deleted.append(digest)
        log.info("deleted %s@%s", self.plan.repository, digest)

    async def _forget(self, image: Deletion, tags: Iterable[str]) -> None:
        for tag in sorted(tags):
            reference = ImageReference(self.plan.repository, tag)
            await self.every[0].ledger.forget_published(reference, image.digest)
