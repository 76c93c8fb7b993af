"""How a plan's images are deleted: one after the other, each looked at right before."""

import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from slipway.domain.image import Digest, ImageReference, RecordedTag
from slipway.domain.removal import (
    Sight,
    records_of,
    require_kept,
    require_unnamed,
    require_untouched,
)
from slipway.domain.retention import Deletion, Plan
from slipway.errors import PermanentError
from slipway.ports import Lease, Ports
from slipway.tasks.lease import require_held
from slipway.tasks.newly_named import Marks, look_at_names
from slipway.tasks.policies import repeatable
from slipway.tasks.retaining import find_lost, look_around

log = logging.getLogger(__name__)

MOST_IN_A_ROW = 3
"""New refusals that end it: so many look like a token that may delete nothing."""
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
    refused: dict[Digest, str] = field(default_factory=dict)
    """What the registry would not delete, or is a part of such, and why."""
    staying: set[Digest] = field(default_factory=set)
    """What those are made of: it must not go with another image either."""
    in_a_row: int = 0
    """New refusals without a deletion in between."""

    async def delete(self, image: Deletion) -> None:
        """Delete the image, then its parts, if nothing has come that speaks against it.

        The record of what its tags were published as goes first: a crash in between must not leave
        a commit that can never be published again. It goes once more afterwards, where a release
        has found the image in the last moment and recorded it. What the registry refuses stays as
        it was, with all its parts, and keeps no other back.
        """
        if image.digest in self.staying:
            self.refused[image.digest] = "a part of what the registry refused to delete"
            return
        await self._require_unnamed()
        await self._require_untouched(image)
        await self._forget(image, records_of(image, self.before))
        if (refusal := await self._remove(image.digest)) is not None:
            await self._leave(image, refusal)
            return
        self.in_a_row = 0
        await self._forget(image, image.tags)
        self.gone |= {*image.tags}
        self.lately.append(image.tags)
        if len(self.deleted) == 1:
            await self.require_kept()
        if image.parts:
            await self._require_untouched()
        for part in image.parts:
            if part not in self.staying and (refusal := await self._remove(part)) is not None:
                self.refused[part] = str(refusal)

    async def require_kept(self) -> None:
        """`ImageMissing` where the registry has lost more than it was asked to."""
        require_kept(self.plan, await find_lost(self.every[0], self.plan))

    async def _require_untouched(self, about: Deletion | None = None) -> None:
        """Also that what is to go has its tags still: another image of them may share its parts."""
        mine = about.tags if about else ()
        asked = {*mine, *(tag for tags in self.lately for tag in tags)}
        now = await look_around(self.every, self.gone, asked)
        had = dict.fromkeys(mine, about.digest) if about else {}
        before = replace(self.before, named={**self.before.named, **had})
        require_untouched(self.plan.repository, before, now)

    async def _require_unnamed(self) -> None:
        found, marks = await look_at_names(self.every, self.marks)
        require_unnamed(self.plan, found, self.deleted)
        # Only once it is judged: a look that has failed must see the same again.
        self.marks = marks

    async def _remove(self, digest: Digest) -> PermanentError | None:
        """Why the registry would not; None where it is deleted."""
        registry, repository = self.every[0].registry, self.plan.repository
        for each in self.held:
            await require_held(self.every[0], each)
        try:
            await registry.remove(repository, digest)
        except PermanentError as error:
            if await _is_there(self.every[0], ImageReference(repository, digest=digest)):
                log.warning("%s@%s stays: %s", repository, digest, error)
                return error
        self.deleted.append(digest)
        log.info("deleted %s@%s", repository, digest)
        return None

    async def _leave(self, image: Deletion, refusal: PermanentError) -> None:
        """Have everything as it was; the refusal itself where it seems to be of everything."""
        repository = self.plan.repository
        forgotten = {tag: self.before.recorded[tag] for tag in records_of(image, self.before)}
        await _put_back(self.every[0], repository, forgotten)
        await self.every[0].ledger.record_refusal(repository, image.digest, str(refusal))
        self.refused[image.digest] = str(refusal)
        self.staying |= image.names
        self.in_a_row += not image.refused
        if self.in_a_row >= MOST_IN_A_ROW:
            raise refusal

    async def _forget(self, image: Deletion, tags: Iterable[str]) -> None:
        for tag in sorted(tags):
            reference = ImageReference(self.plan.repository, tag)
            await self.every[0].ledger.forget_published(reference, image.digest)


@repeatable("look whether it is there still")
async def _is_there(ports: Ports, image: ImageReference) -> bool:
    return await ports.registry.digest(image) is not None


@repeatable("put back what was recorded")
async def _put_back(ports: Ports, repository: str, forgotten: Mapping[str, RecordedTag]) -> None:
    for tag, recorded in sorted(forgotten.items()):
        await ports.ledger.put_back_published(ImageReference(repository, tag), recorded)
