"""What automation may not do, and what holds, vetoes and refusals must be true of."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from slipway.domain.commit import Commit
from slipway.domain.gates import AUTOMATION, DISPROVEN, came_later
from slipway.domain.hold import Hold, Veto
from slipway.domain.image import ImageReference
from slipway.domain.release import Kind, Phase, Release, State, code_of
from slipway.errors import InvalidInput
from slipway.ports import Lease
from tests.fakes.images import Behaviour, FakeImage
from tests.fakes.processes import Process
from tests.fakes.world import World
from tests.simulation.story import Story

LIFTED_BY = re.compile(r"release (\w+) made [0-9a-f]{40} live")
SUPERSEDED_BY = re.compile(r"superseded: by ([0-9a-f]{40})")

Violated = Callable[[str, str], None]


class Restraint:
    """Sees what deploys change while something forbids it, and which holds they have to end.

    What forbids a change is what stood when its release took the lease, stood at each of its own
    looks since, and stands now: whoever says it later may come too late.
    """

    def __init__(self, world: World, violated: Violated) -> None:
        self._world = world
        self._violated = violated
        self._mine: dict[Process, str] = {}
        self._holds: dict[str, set[int]] = {}
        self._vetoes: dict[str, set[int]] = {}
        self.left_standing: list[str] = []
        """Holds that stood when a person's deploy, which had overcome them, was live."""

    def opened(self, process: Process, release: Release) -> None:
        """A process has opened its release."""
        self._mine[process] = release.id

    def release_of(self, process: Process) -> str:
        """The id of the release that a process has opened; empty for none."""
        return self._mine.get(process, "")

    def leased(self, lease: Lease) -> None:
        """A release has the lease: it looks again at all that may forbid it."""
        row = self._world.ledger.releases.get(lease.holder)
        if row is not None:
            self._holds[row.id] = {each.number for each in self._standing(row.target)}
            self._vetoes[row.id] = {each.number for each in self._vetoed(row.target)}

    def looked(self, process: Process, effect: str, found: Sequence[Any]) -> None:
        """A release has looked at what stands."""
        seen = self._holds if effect == "ledger.holds" else self._vetoes
        release = self.release_of(process)
        if seen.get(release):
            seen[release] &= {each.number for each in found}

    def pins(self, process: Process) -> None:
        """A process is about to write into ESC, for its own release or to finish another."""
        row = self._world.ledger.releases.get(self.release_of(process))
        if row is not None and row.state is State.RELEASING and row.phase is Phase.PINNING:
            self._may_change(row, "pins")

    def applies(self, release: str, image: str) -> None:
        """An update of a deploy is about to change a pod template that asks for this image."""
        row = self._world.ledger.releases[release]
        self._may_change(row, "applies")
        live, line = commit_in(image), self._world.git._line
        if live and row.commit and live != row.commit and row.commit.sha in line(live.sha):
            seen = f"{row.id} applies {row.commit.short} where {live.short} is live"
            self._violated("A no deploy goes backwards", seen)

    def live(self, row: Release) -> None:
        """A release is live: a person's deploy of a newer commit ends what kept automation away."""
        if row.kind is not Kind.DEPLOY or row.request.automatic or row.commit is None:
            return
        for each in self._standing(row.target):
            if not came_later(each, row) and is_overcome(self._world, each, row.commit):
                self.left_standing.append(f"{row.id} left {each}")

    def _may_change(self, row: Release, does: str) -> None:
        request = row.request
        if row.kind is not Kind.DEPLOY:
            return
        stood = self._holds.get(row.id, set())
        held = [
            each
            for each in self._standing(row.target)
            if each.number in stood
            and (request.automatic or not request.why.strip() or came_later(each, row))
        ]
        if held:
            self._violated("A nothing passes a hold", f"{row.id} {does} in spite of {held[0]}")
        if request.options.even_if_vetoed and not request.automatic:
            return
        stood = self._vetoes.get(row.id, set())
        for each in self._vetoed(row.target):
            if each.number in stood and self._forbids(each, row):
                self._violated("A nothing passes a veto", f"{row.id} {does} in spite of {each}")

    def _forbids(self, veto: Veto, row: Release) -> bool:
        if veto.commit == row.commit:
            return True
        bad = self._world.ledger.releases.get(veto.release)
        return row.request.automatic and bad is not None and bad.digest == row.digest

    def _standing(self, target: str) -> list[Hold]:
        ledger = self._world.ledger
        here = [each for each in ledger.all_holds if each.target == target]
        return [each for each in here if each.stands(ledger.now())] if here else here

    def _vetoed(self, target: str) -> list[Veto]:
        every = self._world.ledger.all_vetoes
        return [each for each in every if each.target == target and each.lifted is None]


def is_overcome(world: World, hold: Hold, commit: Commit) -> bool:
    """Whether a commit is newer than what a hold keeps away."""
    about = hold.about
    return about is None or (about != commit and about.sha in world.git._line(commit.sha))


def commit_in(image: str) -> Commit | None:
    """The commit that a pod template's image names."""
    try:
        return ImageReference.parse(image).commit
    except InvalidInput:
        return None


def every_live_rollback_left_a_hold(world: World, story: Story) -> Iterator[str]:
    """A rollback stays rolled back."""
    del story
    left = {each.release for each in world.ledger.all_holds}
    for each in world.ledger.releases.values():
        if each.kind is Kind.ROLLBACK and each.state is State.LIVE and each.id not in left:
            yield f"{each.id} at {each.target} is live and has left none"


def every_hold_ended_for_a_reason(world: World, story: Story) -> Iterator[str]:
    """By somebody's hand, or by a person's later deploy of a newer commit that is live."""
    del story
    for hold in world.ledger.all_holds:
        found = LIFTED_BY.search(hold.lifted.why) if hold.lifted else None
        if found is None:
            continue
        row = world.ledger.releases[found.group(1)]
        newer = row.commit is not None and is_overcome(world, hold, row.commit)
        deployed = row.kind is Kind.DEPLOY and row.state is State.LIVE
        if row.request.automatic or came_later(hold, row) or not (deployed and newer):
            yield f"{hold} was ended by {row.kind} {row.commit}, {row.state}"


def only_a_bad_image_is_vetoed(world: World, story: Story) -> Iterator[str]:
    """A cancel, a conflict, credentials or an engine's error leave no veto."""
    del story
    for veto in world.ledger.all_vetoes:
        if veto.by != AUTOMATION:
            continue
        image = _image_of(world, world.ledger.releases[veto.release])
        if image is None or image.behaviour is Behaviour.GOOD:
            yield f"{veto.commit.short} at {veto.target}: {veto.reason}"


def every_disproven_image_is_vetoed(world: World, story: Story) -> Iterator[str]:
    """What was measured bad is not tried again by automation."""
    del story
    vetoed = {(each.target, each.commit) for each in world.ledger.all_vetoes}
    for row in world.ledger.releases.values():
        bad = code_of(row.reason) == DISPROVEN and row.state is not State.LIVE
        if bad and row.commit is not None and (row.target, row.commit) not in vetoed:
            yield f"{row.id} at {row.target}: {row.reason}"


def every_refusal_is_true(world: World, story: Story) -> Iterator[str]:
    """Who is held has published, or did not know of the hold; who is superseded is older.

    Nobody who is refused has applied anything.
    """
    del story
    applied = " ".join(each.message for each in world.updates)
    for row in world.ledger.releases.values():
        if row.state is not State.REFUSED:
            continue
        code = code_of(row.reason)
        if f"release={row.id}" in applied:
            yield f"{row.id} is refused, and was applied: {row.reason}"
        if code == "held" and row.request.automatic and not _image_of(world, row):
            yield f"{row.id} is held, without an image: {row.reason}"
        holds = [each for each in world.ledger.all_holds if each.target == row.target]
        unaware = not row.request.automatic and any(came_later(each, row) for each in holds)
        if code == "held" and not (row.request.automatic or unaware):
            yield f"{row.id} is held, and was asked for after every hold: {row.reason}"
        newer = SUPERSEDED_BY.match(row.reason)
        if newer and (not row.commit or row.commit.sha not in world.git._line(newer.group(1))[1:]):
            yield f"{row.id} of {row.commit} is no older: {row.reason}"


def _image_of(world: World, row: Release) -> FakeImage | None:
    if row.digest is None or row.commit is None:
        return None
    repository = world.targets[row.target].service.repository
    image = world.registry.held(ImageReference(repository, row.commit.sha))
    return image if image and row.digest in image.accepted else None
