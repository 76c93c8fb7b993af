"""Which targets a verified delivery concerns, or why it concerns none."""

from collections.abc import Iterable
from dataclasses import dataclass

from slipway.domain.commit import Commit
from slipway.domain.delivery import Delivery, Push
from slipway.webhook.payload import Payload, PushPayload, WorkflowRunPayload


@dataclass(frozen=True, slots=True)
class Subscription:
    """A target waits for pushes to one branch of one repository."""

    target: str
    repository: str
    """`owner/name` at GitHub, which takes capitals and small letters for the same."""
    branch: str
    workflow: str = ""
    """Path of the workflow whose end the target waits for; empty for the push itself."""


class Subscriptions:
    """Who waits for what: looked up by repository and branch."""

    def __init__(self, subscriptions: Iterable[Subscription]) -> None:
        self._targets: dict[str, dict[str, tuple[str, ...]]] = {}
        self._workflows: dict[str, str] = {}
        for each in subscriptions:
            self._workflows[each.target] = each.workflow
            branches = self._targets.setdefault(each.repository.lower(), {})
            branches[each.branch] = (*branches.get(each.branch, ()), each.target)

    def targets(self, repository: str, branch: str) -> tuple[str, ...]:
        """The targets that are deployed from the branch."""
        return self._targets.get(repository.lower(), {}).get(branch, ())

    def built_by(self, workflow: str, repository: str, branch: str) -> tuple[str, ...]:
        """Of these targets, those whose image the workflow builds."""
        at = self.targets(repository, branch)
        return tuple(each for each in at if workflow and self._workflows[each] == workflow)

    def branches(self, repository: str) -> list[str]:
        """The branches that targets are deployed from; none where the repository is no target's."""
        return sorted(self._targets.get(repository.lower(), {}))


@dataclass(frozen=True, slots=True)
class Arrived:
    """A verified request, before it is known what to do with it."""

    id: str
    digest: str
    event: str
    payload: Payload


def route(arrived: Arrived, subscriptions: Subscriptions) -> Delivery:
    """The delivery as it is kept: for its targets, or with the reason why nothing happens."""
    match arrived.payload:
        case PushPayload() as push:
            return _route_push(arrived, push, subscriptions)
        case WorkflowRunPayload() as run:
            return _route_run(arrived, run, subscriptions)
        case _:
            return _delivery(arrived, ignored=_why_not(arrived.event))


def _route_push(arrived: Arrived, payload: PushPayload, subscriptions: Subscriptions) -> Delivery:
    if payload.is_deletion:
        return _delivery(arrived, ignored=f"{payload.ref} was deleted: nothing is left to deploy")
    branch = payload.branch
    if branch is None:
        why = f"{payload.ref} is not a branch: only a push to a target's branch is deployed"
        return _delivery(arrived, ignored=why)
    targets = subscriptions.targets(payload.repository_name, branch)
    if not targets:
        why = _why_no_target(branch, payload.repository_name, subscriptions)
        return _delivery(arrived, ignored=why)
    push = Push(branch, payload.commit_before, Commit(payload.after))
    return _delivery(arrived, push, targets)


def _route_run(
    arrived: Arrived, payload: WorkflowRunPayload, subscriptions: Subscriptions
) -> Delivery:
    """A workflow's end counts where it followed a push of the repository's own, and was good."""
    run = payload.workflow_run
    if payload.action != "completed":
        return _delivery(arrived, ignored=f"workflow run {payload.action}: only its end counts")
    if run.conclusion != "success":
        why = f"workflow run ended {run.conclusion}: nothing is taken from it"
        return _delivery(arrived, ignored=why)
    if run.event != "push" or payload.is_of_a_fork or run.head_branch is None:
        why = f"workflow run for {run.event}: only one for a push of the repository's own counts"
        return _delivery(arrived, ignored=why)
    targets = subscriptions.built_by(payload.workflow, payload.repository_name, run.head_branch)
    if not targets:
        why = (
            f"no target of branch {run.head_branch} of {payload.repository_name} waits for the "
            f"workflow {payload.workflow or 'without a path'}"
        )
        return _delivery(arrived, ignored=why)
    return _delivery(arrived, Push(run.head_branch, None, Commit(run.head_sha)), targets)


def _delivery(
    arrived: Arrived, push: Push | None = None, targets: tuple[str, ...] = (), ignored: str = ""
) -> Delivery:
    payload = arrived.payload
    return Delivery(
        arrived.id,
        arrived.digest,
        arrived.event,
        payload.repository_name,
        payload.sender_name,
        push,
        targets,
        ignored,
    )


def _why_not(event: str) -> str:
    if event == "ping":
        return "ping: the receiver works, and the secret is right"
    return f"event {event}: only a push to a target's branch, or its workflow's end, is deployed"


def _why_no_target(branch: str, repository: str, subscriptions: Subscriptions) -> str:
    branches = subscriptions.branches(repository)
    if not branches:
        return f"repository {repository} is that of no target"
    return (
        f"branch {branch} is that of no target: those of {repository} are deployed from "
        f"{', '.join(branches)}"
    )
