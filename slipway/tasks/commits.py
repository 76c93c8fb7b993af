"""From what a person typed to one commit that may be released, or a refusal."""

import logging

from slipway.domain.commit import Commit, parse_commit
from slipway.domain.image import ImageReference
from slipway.errors import BackwardsDeploy, FolderAbsent, NotOnMainLine, Superseded
from slipway.ports import Ports, SourceRepository
from slipway.tasks.policies import repeatable

log = logging.getLogger(__name__)


@repeatable("resolve the commit")
async def resolve_commit(source: SourceRepository, wanted: str) -> Commit:
    """The one commit meant by `wanted`, after a fetch."""
    parsed = parse_commit(wanted)
    await source.fetch()
    commit = await source.resolve(parsed)
    info = await source.describe(commit)
    log.info("commit %s: %s (%s)", commit, info.subject, info.committed_at)
    return commit


@repeatable("check the commit")
async def require_releasable(ports: Ports, commit: Commit) -> None:
    """Refuse a commit off the main line, or without the service's folder."""
    target, source = ports.target, ports.source
    if not await source.on_main_line(commit, target.branch):
        head = await source.head(target.branch)
        raise NotOnMainLine(
            f"commit {commit} is not in the first-parent history of {target.branch} (now at "
            f"{head.short}): merge it first, and deploy the merge commit"
        )
    if not await source.has_folder(commit, target.service.folder):
        raise FolderAbsent(
            f"folder {target.service.folder}/ of service {target.service.name} does not exist at "
            f"commit {commit}: choose a commit that has it"
        )


async def require_forward(
    ports: Ports, commit: Commit, live: Commit | None, *, automatic: bool
) -> None:
    """Refuse to deploy an ancestor of what is live: going back is a rollback.

    To automation it is no failure: something newer was faster.
    """
    if live is None or live == commit:
        return
    if await ports.source.is_ancestor(commit, live):
        if automatic:
            raise Superseded(
                f"by {live}, which is newer than {commit} and live at {ports.target.name} already"
            )
        raise BackwardsDeploy(
            f"commit {commit} is older than {live}, which is live at {ports.target.name}: going "
            f"back is a rollback; slipway rollback {ports.target.name} --to {commit.short} "
            "--reason …"
        )


async def live_commit(ports: Ports, spec_image: str | None) -> Commit | None:
    """The commit of the image that the pod template asks for, by its tag, else by its label.

    The label names the commit that the image was built from, which an unchanged tree's newer
    commit shares.
    """
    if not spec_image:
        return None
    reference = ImageReference.parse(spec_image)
    if reference.commit is not None:
        return reference.commit
    image = await ports.registry.find(reference)
    return image.labelled if image else None
