"""What must hold when the faults are over and recovery has run."""

from collections.abc import Callable, Iterator, Sequence

from slipway.domain.candidate import present
from slipway.domain.image import ImageReference
from slipway.domain.release import Phase, Release, State
from slipway.domain.target import Target
from tests.fakes.images import Behaviour
from tests.fakes.pulumi import Resource
from tests.fakes.world import World
from tests.simulation import automation
from tests.simulation.story import Edit, Event, Meanwhile, Revoked, Story
from tests.simulation.witness import Violation

Invariant = Callable[[World, Story], Iterator[str]]
SECRET = "pull-password"
BAD = {Behaviour.CRASHES, Behaviour.SICK, Behaviour.NEVER_READY, Behaviour.OUT_OF_MEMORY}


def every_release_has_an_end(world: World, story: Story) -> Iterator[str]:
    """I1: nothing that had begun to change the stack stands open."""
    del story
    for each in world.ledger.releases.values():
        if each.is_open and each.phase.reached(Phase.DECIDED):
            yield f"{each.id} at {each.target} is {each.state} ({each.phase}): {each.reason}"


def attention_is_asked_for_with_cause(world: World, story: Story) -> Iterator[str]:
    """Once everything answers again, a person is needed only where a person has interfered."""
    if _somebody_interfered(story):
        return
    for each in world.ledger.releases.values():
        if each.state is State.NEEDS_ATTENTION and not each.stays:
            yield f"{each.id} at {each.target}: {each.reason}"


def a_rollback_from_what_was_broken_stays(world: World, story: Story) -> Iterator[str]:
    """It is never taken back, and tells a person the ways on."""
    del story
    for each in world.ledger.releases.values():
        told = f"slipway candidates {each.target}" in each.reason
        if each.stays and (
            each.state in {State.RESTORED, State.RESTORING}
            or (each.state is State.NEEDS_ATTENTION and not each.is_open and not told)
        ):
            yield f"{each.id} at {each.target}: {each.state}, {each.reason}"


def four_agree(world: World, story: Story) -> Iterator[str]:
    """I4: ESC, Pulumi's state, the pod template and the ledger name the same image."""
    edited = {each.key for each in _all_events(story) if isinstance(each, Edit)}
    for target, resource in _settled(world):
        value = world.config.latest.values.get(resource.key)
        asked = resource.deployment.image
        if resource.key in edited:
            value = asked  # somebody's value that nothing has applied: reported, not restored
        if not value == resource.recorded == asked:
            yield f"{target.name}: ESC {value}, Pulumi {resource.recorded}, cluster {asked}"
        live = _present(world, target)
        running = world.runs(resource.deployment)
        if live is not None and not running <= {*live.accepted, live.digest}:
            yield f"{target.name}: {live.id} is live with {live.digest}, but {running} runs"


def what_runs_is_proven(world: World, story: Story) -> Iterator[str]:
    """I5: one digest runs, of an image that is well."""
    del story
    for target, resource in _settled(world):
        running = world.runs(resource.deployment)
        if len(running) != 1:
            yield f"{target.name} runs {len(running)} digests"
        for digest in running:
            image = world.registry.held(ImageReference(target.service.repository, None, digest))
            if image is None or image.behaviour in BAD:
                yield f"{target.name} runs {digest}: {image.behaviour if image else 'unknown'}"


def nothing_is_leaked(world: World, story: Story) -> Iterator[str]:
    """I6: nobody holds the lease, no update the stack, and none was cancelled that was alive."""
    del story
    for stack, held in world.ledger.leases.items():
        if held.holder is not None and held.expires > world.ledger.now():
            yield f"{stack} is held by {held.holder}"
    if world.busy:
        yield "an update holds the stack"
    for message in world.cancelled_alive:
        yield f"cancelled while its process was alive: {message}"


def other_keys_are_as_their_editors_left_them(world: World, story: Story) -> Iterator[str]:
    """I7: no concurrent edit is lost."""
    edits = sorted(
        (each for each in _all_events(story) if isinstance(each, Edit)), key=lambda e: e.at
    )
    for key, value in {each.key: each.value for each in edits}.items():
        now = world.config.latest.values.get(key)
        if key == "otherKey" and now != value:
            yield f"{key} was set to {value} and is {now}"


def no_secret_is_told(world: World, story: Story) -> Iterator[str]:
    """I9: not in the ledger, nor in an update's message."""
    del story
    told = [*map(str, world.ledger.releases.values()), *(each.message for each in world.updates)]
    if any(SECRET in each for each in told):
        yield "the pull secret's password is in the ledger or in the stack's history"


def nothing_crashes(world: World, story: Story) -> Iterator[str]:
    """No release has met a defect of ours."""
    del story
    for each in world.ledger.releases.values():
        if "crashed: " in each.reason:
            yield f"{each.id} at {each.target}: {each.reason}"


def nothing_is_pending(world: World, story: Story) -> Iterator[str]:
    """I4: Pulumi's state has neither pending operations nor init errors left."""
    del story
    for target, each in _settled(world):
        if each.pending or each.init_errors:
            yield f"{target.name}: pending {each.pending}, init errors {each.init_errors}"


AT_REST: dict[str, Invariant] = {
    "I1 every release has an end": every_release_has_an_end,
    "P attention has a cause": attention_is_asked_for_with_cause,
    "P a rollback from what was broken stays": a_rollback_from_what_was_broken_stays,
    "I4 four agree": four_agree,
    "I4 nothing is pending": nothing_is_pending,
    "I5 what runs is proven": what_runs_is_proven,
    "I6 nothing is leaked": nothing_is_leaked,
    "I7 no edit is lost": other_keys_are_as_their_editors_left_them,
    "I9 no secret is told": no_secret_is_told,
    "P nothing crashes": nothing_crashes,
    "A a live rollback leaves a hold": automation.every_live_rollback_left_a_hold,
    "A a hold ends for a reason": automation.every_hold_ended_for_a_reason,
    "A only a bad image is vetoed": automation.only_a_bad_image_is_vetoed,
    "A a disproven image is vetoed": automation.every_disproven_image_is_vetoed,
    "A a refusal is true": automation.every_refusal_is_true,
}


NOT_AFTER_A_LATE_UPDATE = {
    "I4 four agree",
    "I4 nothing is pending",
    "I5 what runs is proven",
    "P attention has a cause",
}
"""What a process can break that is stopped between its last check of the fence and the start of
`pulumi up`, and resumed past its successor's proof: the one request it had sent. Nothing refuses
it, and it applies a whole ESC revision: a target that another release has moved since goes back
with its own (seed 40391), so that no target of the stack is held to these. A successor that is
still proving asks for attention and names the image that it sees, after that `slipway status` and
the audit show it (docs/reliability.md)."""


def broken_at_rest(world: World, story: Story, late: Sequence[str] = ()) -> list[Violation]:
    """Every invariant that does not hold in this world."""
    return [
        Violation(name, seen)
        for name, holds in AT_REST.items()
        if not (late and name in NOT_AFTER_A_LATE_UPDATE)
        for seen in holds(world, story)
    ]


def _all_events(story: Story) -> Iterator[Event]:
    for each in story.events:
        yield each.event if isinstance(each, Meanwhile) else each


def _somebody_interfered(story: Story) -> bool:
    return any(
        isinstance(each, Revoked) or (isinstance(each, Edit) and each.key != "otherKey")
        for each in _all_events(story)
    )


def _settled(world: World) -> Iterator[tuple[Target, Resource]]:
    """The targets, but for those that wait for a person."""
    asking = {
        each.target
        for each in world.ledger.releases.values()
        if each.state is State.NEEDS_ATTENTION
    }
    for target, resource in zip(world.targets.values(), world.resources, strict=True):
        if target.name not in asking:
            yield target, resource


def _present(world: World, target: Target) -> Release | None:
    rows = [each for each in world.ledger.releases.values() if each.target == target.name]
    return present(list(reversed(rows)))
