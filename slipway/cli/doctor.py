"""`slipway doctor`: everything a release needs, looked at without changing anything."""

from collections.abc import Sequence
from dataclasses import dataclass

import click

from slipway.cli.output import local, print_json
from slipway.cli.session import Session
from slipway.domain.candidate import proven_live
from slipway.domain.release import Options, Phase, Release
from slipway.domain.rollout import PULL_REASONS
from slipway.domain.workloads import Pod
from slipway.errors import DeploymentUnfit, SlipwayError, StackBusy
from slipway.ports import Ports
from slipway.tasks.preflight import Check, check_all, check_publishing, check_way_back
from slipway.tasks.standing import look_around

NOT_IN_ORDER = 4
EVENTS_SHOWN = 3
IMAGES_SHOWN = 5


@click.command
@click.argument("target")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@click.pass_context
def doctor(ctx: click.Context, target: str, *, as_json: bool) -> None:
    """Check what a release to TARGET needs, and say how to mend what is not in order.

    Exit code 0 when everything is in order, 4 when a deploy would be refused.
    """
    session: Session = ctx.obj
    found = session.run(examine(session.ports(target)))
    good = all(each.good for each in found.checks)
    if as_json:
        checks = [_record(each) for each in found.checks]
        images = [_image_record(each) for each in found.images]
        print_json({"target": target, "good": good, "checks": checks, "images": images})
    else:
        _print(target, found)
    ctx.exit(0 if good else NOT_IN_ORDER)


@dataclass(frozen=True, slots=True)
class Examination:
    """What was looked at, and which images were live before: newest first."""

    checks: list[Check]
    images: list[Release]


async def examine(ports: Ports) -> Examination:
    """Every check of preflight and publishing, and those that only a person asks for."""
    checks = [
        *await _with_program(ports),
        *await check_publishing(ports),
        await check_way_back(ports),
        Check("every pod is ready", await _pods_ready(ports)),
        Check("one image is pinned, applied and running", await _agreement(ports)),
        Check("no dead release stands open", await _nothing_open(ports)),
    ]
    return Examination(checks, await _images(ports))


async def _with_program(ports: Ports) -> list[Check]:
    """The preflight, with the program of the branch's head where git can give it."""
    try:
        await ports.source.fetch()
        head = await ports.source.head(ports.target.branch)
        async with ports.source.checkout(head) as tree:
            return [Check("git answers", None), *await check_all(ports, Options(), tree)]
    except SlipwayError as error:
        return [Check("git answers", error), *await check_all(ports, Options())]


async def _pods_ready(ports: Ports) -> SlipwayError | None:
    """Why a pod is not ready, in the words of the kubelet and its events."""
    workload = ports.target.workload
    try:
        seen = await ports.cluster.observe(workload)
        if seen is None:  # the Deployment's own check says so
            return None
        waiting = [each for each in seen.pods if not each.ready and not each.terminating]
        if not waiting:
            return None
        evidence = await ports.cluster.evidence(seen, workload.container, waiting[0].name)
    except SlipwayError as error:
        return error
    told = "; ".join([*evidence.pods, *evidence.events[-EVENTS_SHOWN:]])
    return DeploymentUnfit(
        f"{len(waiting)} of {len(seen.pods)} pods of {seen} are not ready: {told}; "
        f"{_remedy(waiting, ports)}"
    )


def _remedy(waiting: Sequence[Pod], ports: Ports) -> str:
    if any(part.waiting in PULL_REASONS for pod in waiting for part in pod.containers):
        return (
            "a pull secret that can't pull is made anew with the registry's user and token in ESC "
            "and pulumi up; an image that is gone is built by the deploy of a new commit"
        )
    name = ports.target.name
    return f"slipway restart {name} makes new pods; slipway history {name} tells what ran before"


async def _images(ports: Ports) -> list[Release]:
    """The releases that made an image live, each image once; none where the ledger is away."""
    try:
        live = proven_live(await ports.ledger.history(ports.target.name))
    except SlipwayError:  # said by the check of open releases
        return []
    newest = {each.digest: each for each in reversed(live)}
    return list(reversed(newest.values()))[:IMAGES_SHOWN]


async def _agreement(ports: Ports) -> SlipwayError | None:
    standing = await look_around(ports)
    if standing.agree:
        return None
    name = ports.target.name
    return DeploymentUnfit(
        f"{'; '.join(standing.disagreements)}. slipway status {name} shows every place; pods that "
        f"do not take up what is applied: slipway restart {name}"
    )


async def _nothing_open(ports: Ports) -> SlipwayError | None:
    """Whether a release began to change the stack and nobody works on it any more."""
    stack = str(ports.target.stack)
    try:
        unfinished = await ports.ledger.unfinished(stack)
        holder = await ports.ledger.holder(stack)
    except SlipwayError as error:
        return error
    # Before that point it waits, or builds; a holder who lives finishes what he finds.
    begun = [each for each in unfinished if each.phase.reached(Phase.DECIDED)]
    if not begun or holder is not None:
        return None
    listed = ", ".join(f"{each.id} at {each.target} ({each.state})" for each in begun)
    return StackBusy(
        f"releases of stack {stack} that nobody works on any more: {listed}; finish them: "
        f"slipway recover {ports.target.name}"
    )


def _record(check: Check) -> dict[str, object]:
    error = check.error
    return {
        "name": check.name,
        "good": check.good,
        "code": error and error.code,
        "problem": error and str(error),
        "note": check.note or None,
    }


def _image_record(release: Release) -> dict[str, object]:
    return {
        "commit": release.commit and release.commit.sha,
        "image": release.image,
        "digest": release.digest and str(release.digest),
        "live_since": release.live_since and release.live_since.isoformat(),
    }


def _print(target: str, found: Examination) -> None:
    click.secho(target, bold=True)
    for each in found.checks:
        mark = click.style("ok  ", fg="green") if each.good else click.style("FAIL", fg="red")
        click.echo(f"  {mark}  {each.name}")
        if each.error is not None:
            click.echo(f"        {each.error}")
        if each.note:
            click.echo(f"        {each.note}")
    click.echo("  images that were proven live here:" if found.images else "  no image yet")
    for release in found.images:
        since = local(release.live_since) if release.live_since else ""
        click.echo(f"        {since}  {release.image}")
    click.echo(
        f"        an older one comes back by slipway rollback {target} --to COMMIT --reason …; "
        f"slipway history {target} shows them all"
    )
