"""`slipway status`: every place that speaks of a target's image, side by side."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import click

from slipway.cli.output import print_json, release_record
from slipway.cli.restriction_lines import hold_record, veto_record
from slipway.cli.session import Session
from slipway.cli.standing_lines import digest_text, print_standing, speaking_containers
from slipway.domain.agreement import Unknown
from slipway.domain.config import ConfigSnapshot
from slipway.domain.image import PublishedImage
from slipway.domain.target import CommitInfo
from slipway.domain.workloads import Workloads
from slipway.ports import Ports, StackState
from slipway.tasks.standing import Images, Recorded, Standing, look_around

T = TypeVar("T")


@click.command
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print an object; a list for many targets.")
@click.pass_obj
def status(session: Session, targets: tuple[str, ...], *, as_json: bool) -> None:
    """Show what git, registry, ESC, Pulumi, cluster and ledger say of TARGET (all by default)."""
    names = targets or tuple(session.targets())
    standings = session.run(_look([session.ports(name) for name in names]))
    if as_json:
        records = [standing_record(each) for each in standings]
        print_json(records[0] if len(targets) == 1 else records)
        return
    for each in standings:
        print_standing(each)


async def _look(every: Sequence[Ports]) -> list[Standing]:
    return await asyncio.gather(*(look_around(ports) for ports in every))


def standing_record(standing: Standing) -> dict[str, Any]:
    """A standing for scripts: a place that could not be looked at is null and in `unknown`."""
    places: dict[str, Any] = {
        "git": _known(standing.git, _git),
        "registry": _known(standing.registry, _registry),
        "config": _known(standing.config, _config),
        "stack": _known(standing.stack, lambda state: _stack(state, standing)),
        "deployment": _known(standing.cluster, _deployment),
        "pods": _known(standing.cluster, lambda seen: _pods(seen, standing)),
        "ledger": _known(standing.ledger, _ledger),
    }
    return {
        "target": standing.target.name,
        "agree": standing.agree,
        "disagreements": standing.disagreements,
        **places,
        "unknown": dict(_unknown(standing)),
    }


def _known(place: T | Unknown, record: Callable[[T], Any]) -> Any:
    return None if isinstance(place, Unknown) else record(place)


def _unknown(standing: Standing) -> Iterator[tuple[str, str]]:
    for name, place in (
        ("git", standing.git),
        ("registry", standing.registry),
        ("config", standing.config),
        ("stack", standing.stack),
        ("deployment", standing.cluster),
        ("pods", standing.cluster),
        ("ledger", standing.ledger),
    ):
        if isinstance(place, Unknown):
            yield name, place.why


def _git(head: CommitInfo) -> dict[str, Any]:
    return {
        "commit": head.commit.sha,
        "subject": head.subject,
        "committed_at": head.committed_at,
    }


def _registry(images: Images) -> dict[str, Any]:
    return {"pinned": _image(images.pinned), "main": _image(images.main)}


def _image(image: PublishedImage | None) -> dict[str, Any] | None:
    return None if image is None else {"digest": str(image.digest), "revision": image.revision}


def _config(snapshot: ConfigSnapshot) -> dict[str, Any]:
    return {
        "key": str(snapshot.key),
        "value": snapshot.value,
        "form": snapshot.form.value,
        "revision": snapshot.revision,
        "author": snapshot.author,
    }


def _stack(state: StackState, standing: Standing) -> dict[str, Any]:
    image = standing.recorded_image
    last = state.last_update
    return {
        "image": None if isinstance(image, Unknown) else image,
        "version": last and last.version,
        "kind": last and last.kind,
        "result": last and last.result,
        "busy": state.busy,
        "pending_operations": state.pending_operations,
    }


def _deployment(seen: Workloads | None) -> dict[str, Any]:
    if seen is None:
        return {"exists": False, "name": None, "namespace": None, "image": None}
    return {
        "exists": True,
        "name": seen.name,
        "namespace": seen.namespace,
        "image": seen.image,
        "replicas": seen.replicas,
        "updated": seen.updated,
        "paused": seen.paused,
    }


def _pods(seen: Workloads | None, standing: Standing) -> list[dict[str, Any]]:
    return [
        {
            "name": pod.name,
            "ready": pod.ready,
            "terminating": pod.terminating,
            "digest": digest_text(container),
            "restarts": container.restarts,
            "waiting": container.waiting,
        }
        for pod, container in speaking_containers(seen, standing)
    ]


def _ledger(recorded: Recorded) -> dict[str, Any]:
    return {
        "live": recorded.live and release_record(recorded.live),
        "unfinished": [release_record(each) for each in recorded.unfinished],
        "lease": recorded.held_by
        and {
            "holder": recorded.held_by.lease.holder,
            "until": recorded.held_by.until.isoformat(),
        },
        "holds": [hold_record(each) for each in recorded.holds],
        "vetoes": [veto_record(each) for each in recorded.vetoes],
    }
