"""A standing as lines for people."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import click

from slipway.cli.output import local
from slipway.cli.restriction_lines import restriction_lines
from slipway.domain.agreement import Unknown
from slipway.domain.config import ConfigSnapshot
from slipway.domain.image import PublishedImage
from slipway.domain.target import CommitInfo
from slipway.domain.workloads import Container, Pod, Workloads, running_digest
from slipway.ports import StackState
from slipway.tasks.standing import Images, Recorded, Standing

T = TypeVar("T")


def print_standing(standing: Standing) -> None:
    """Print what each place says, and what does not agree."""
    verdict = ("agrees", "green") if standing.agree else ("does not agree", "red")
    click.echo(
        f"{click.style(standing.target.name, bold=True)} {click.style(verdict[0], fg=verdict[1])}"
    )
    for place, lines in _sections(standing):
        for number, line in enumerate(lines):
            click.echo(f"  {'' if number else place:<12}{line}")
    for each in standing.disagreements:
        click.secho(f"  ! {each}", fg="red")


def _sections(standing: Standing) -> Iterator[tuple[str, list[str]]]:
    yield "git", _lines(standing.git, lambda each: _git_lines(each, standing))
    yield "registry", _lines(standing.registry, _registry_lines)
    yield "ESC", _lines(standing.config, _config_lines)
    yield "stack", _lines(standing.stack, lambda each: _stack_lines(each, standing))
    yield "deployment", _lines(standing.cluster, lambda each: _deployment_lines(each, standing))
    if not isinstance(standing.cluster, Unknown):
        yield "pods", [_pod_line(*each) for each in speaking_containers(standing.cluster, standing)]
    yield "ledger", _lines(standing.ledger, _ledger_lines)


def _lines(place: T | Unknown, lines: Callable[[T], list[str]]) -> list[str]:
    return [f"unknown: {place.why}"] if isinstance(place, Unknown) else lines(place)


def _git_lines(head: CommitInfo, standing: Standing) -> list[str]:
    branch = standing.target.branch
    return [f"{branch} is {head.commit.short} {head.subject} ({head.committed_at})"]


def _registry_lines(images: Images) -> list[str]:
    def shown(name: str, image: PublishedImage | None) -> str:
        if image is None:
            return f"{name} is absent"
        made_of = f", made of {image.revision[:7]}" if image.revision else ""
        return f"{name} is {image.digest}{made_of}"

    return [shown("the pinned image", images.pinned), shown(":main", images.main)]


def _config_lines(snapshot: ConfigSnapshot) -> list[str]:
    value = snapshot.value or f"{snapshot.key} is {snapshot.form}"
    author = f" by {snapshot.author}" if snapshot.author else ""
    return [value, f"revision {snapshot.revision}{author}"]


def _stack_lines(state: StackState, standing: Standing) -> list[str]:
    image = standing.recorded_image
    shown = f"unknown: {image.why}" if isinstance(image, Unknown) else image or "no such Deployment"
    last = state.last_update
    told = f"{last.kind} {last.version} {last.result}" if last else "never updated"
    return [shown, f"{told}{', an update is under way' if state.busy else ''}"]


def _deployment_lines(seen: Workloads | None, standing: Standing) -> list[str]:
    if seen is None:
        return [f"there is no {standing.target.workload}"]
    paused = ", paused" if seen.paused else ""
    return [seen.image, f"{seen.name}: {seen.updated} of {seen.replicas} pods up to date{paused}"]


def _pod_line(pod: Pod, container: Container) -> str:
    ready = "terminating" if pod.terminating else "ready" if pod.ready else "not ready"
    waiting = f", {container.waiting}" if container.waiting else ""
    restarts = f", {container.restarts} restarts" if container.restarts else ""
    return f"{pod.name} {ready} {digest_text(container) or 'no digest'}{waiting}{restarts}"


def _ledger_lines(recorded: Recorded) -> list[str]:
    lines = []
    if (live := recorded.live) is not None and live.live_since is not None:
        commit = live.commit.short if live.commit else live.image
        by = live.request.requested_by
        lines.append(f"{commit} live since {local(live.live_since)} ({live.kind} by {by})")
    lines.extend(
        f"release {each.id} at {each.target} stands open: {each.state}, {each.phase}"
        for each in recorded.unfinished
    )
    if (held_by := recorded.held_by) is not None:
        lines.append(f"the stack is held by {held_by.lease.holder} until {local(held_by.until)}")
    lines = lines or ["no release yet"]
    return [*lines, *restriction_lines(recorded.holds, recorded.vetoes)]


def speaking_containers(
    seen: Workloads | None, standing: Standing
) -> Iterator[tuple[Pod, Container]]:
    """Each pod with the container that the target names."""
    wanted = standing.target.workload.container
    for pod in seen.pods if seen else ():
        for container in pod.containers:
            if container.name == wanted:
                yield pod, container


def digest_text(container: Container) -> str | None:
    """The digest that a container runs, None where it reports none."""
    digest = running_digest(container.image_id)
    return None if digest is None else str(digest)
