"""What retention is decided on: all that a repository holds, and all that anybody may need of it.

Every read must succeed: an error ends the planning, because what can't be seen can't be protected.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from slipway.domain.image import Digest, ImageReference
from slipway.domain.inventory import Contents, Inventory, may_move
from slipway.domain.removal import Sight
from slipway.domain.retention import Plan, Policy, plan_retention
from slipway.errors import RegistryUnusable, Unreachable
from slipway.ports import Ports
from slipway.tasks.asking import Together, each_of
from slipway.tasks.in_use import AT_ONCE, read_in_use
from slipway.tasks.policies import repeatable

DEEPEST = 3
"""An index may hold an index; what is nested deeper is nothing that a build makes, and an error."""


async def make_plan(
    every: Sequence[Ports], together: Together, policy: Policy, at: datetime
) -> Plan:
    """What may be deleted from the one repository of these targets: all that take images from it.

    What is in use is read after what is there, so that nothing published meanwhile is in the plan.
    """
    held = _Held(every[0])
    tags = await held.read_tags()
    in_use = await read_in_use(every, together, policy, tags)
    await held.read_untagged(in_use.digests)
    return plan_retention(held.inventory(tags), in_use, policy, at)


@repeatable("look whether anything has come since")
async def look_around(
    every: Sequence[Ports], gone: Collection[str] = (), asked: Collection[str] = ()
) -> Sight:
    """What may change while a plan is carried out: tags, and what the ledger has.

    Of what digests they name is asked what anybody may move, and of tags that went already, which
    are `gone`, those that are listed again. Whatever else is `asked` for may stand on no list, as
    one may be a little behind. Open releases are looked at last: it is they who choose images.
    """
    repository, ledger = every[0].target.service.repository, every[0].ledger
    tags = frozenset(await every[0].registry.tags(repository))
    wanted = sorted({each for each in tags if may_move(each)} | (tags & {*gone}) | {*asked})
    found = await _digests(every[0], [ImageReference(repository, each) for each in wanted])
    recorded = await ledger.published_tags(repository)
    targets = {each.target.name for each in every}
    others = await ledger.elsewhere(repository, targets)
    opened: dict[str, Digest | None] = {}
    for stack in sorted({str(each.target.stack) for each in every}):
        unfinished = await ledger.unfinished(stack)
        opened |= {each.id: each.digest for each in unfinished if each.target in targets}
    named = {str(each.tag): digest for each, digest in found.items() if digest is not None}
    elsewhere = {each.id: each.digest for each in others}
    return Sight(tags, recorded, named, opened, elsewhere)


@repeatable("look whether all that stays is there still")
async def find_lost(ports: Ports, plan: Plan) -> Mapping[Digest, str]:
    """What the registry has lost of what the plan keeps, and by which number each is restored."""
    named = [ImageReference(plan.repository, digest=each) for each in sorted(plan.protected)]
    found = await _digests(ports, named)
    gone = [each.digest for each in named if found[each] is None and each.digest is not None]
    return {each: await ports.registry.restore_number(plan.repository, each) for each in gone}


async def _digests(
    ports: Ports, references: Sequence[ImageReference]
) -> Mapping[ImageReference, Digest | None]:
    ports.registry.expect(len(references))
    found = await each_of(references, ports.registry.digest, AT_ONCE)
    return dict(zip(references, found, strict=True))


@dataclass(slots=True)
class _Held:
    """What the target's repository holds, read as far as somebody asks; each manifest once."""

    ports: Ports
    contents: dict[Digest, Contents] = field(default_factory=dict)
    referrers: dict[Digest, frozenset[Digest]] = field(default_factory=dict)

    @property
    def repository(self) -> str:
        return self.ports.target.service.repository

    def inventory(self, tags: Mapping[str, Digest]) -> Inventory:
        """All that was read."""
        referrers = {digest: each for digest, each in self.referrers.items() if each}
        return Inventory(self.repository, tags, self.contents, referrers)

    async def read_tags(self) -> Mapping[str, Digest]:
        """Every tag, and every manifest that they lead to."""
        names = sorted(await self.ports.registry.tags(self.repository))
        self.ports.registry.expect(len(names))
        named = [ImageReference(self.repository, each) for each in names]
        found = await each_of(named, self.ports.registry.contents, AT_ONCE)
        tags = {}
        for name, each in zip(names, found, strict=True):
            if each is None:
                raise Unreachable(
                    f"{self.repository}:{name} was listed and is not there: somebody deletes at "
                    "the same time; try again when that is over"
                )
            tags[name] = each.digest
        await self._follow([each for each in found if each is not None])
        return tags

    async def read_untagged(self, digests: Iterable[Digest]) -> None:
        """Those that no tag leads to, as when it was pushed again, and what they lead to.

        Most that a cluster has is another repository's: what is not here is nothing to protect.
        """
        await self._follow(await self._read_digests(digests))

    async def _follow(self, wholes: Sequence[Contents]) -> None:
        """Read what belongs to these, and their parts."""
        self.contents |= {each.digest: each for each in wholes}
        unasked = dict.fromkeys(each.digest for each in wholes if each.digest not in self.referrers)
        answers = await each_of(unasked, self._refer, AT_ONCE)
        told = dict(zip(unasked, answers, strict=True))
        self.referrers |= told
        waiting = {part for each in wholes for part in each.children}
        waiting |= {each for some in told.values() for each in some}
        parts: Sequence[Contents] = ()
        for _ in range(DEEPEST):
            # A part that is gone protects nothing, and is not there to be deleted.
            parts = await self._read_digests(waiting)
            self.contents |= {each.digest: each for each in parts}
            waiting = {part for each in parts for part in each.children}
        for each in parts:
            if not {*each.children} <= {*self.contents}:
                raise RegistryUnusable(
                    f"{self.repository}@{each.digest} is an index inside {DEEPEST} others: what it "
                    "names is not looked at, and could not be kept; remove it by hand where nobody "
                    "needs it, and plan again"
                )

    async def _read_digests(self, digests: Iterable[Digest]) -> Sequence[Contents]:
        """Of those that were not read yet, what is there."""
        wanted = sorted({*digests} - {*self.contents})
        named = [ImageReference(self.repository, digest=each) for each in wanted]
        found = await each_of(named, self.ports.registry.contents, AT_ONCE)
        return [each for each in found if each is not None]

    async def _refer(self, digest: Digest) -> frozenset[Digest]:
        return await self.ports.registry.referrers(self.repository, digest)
