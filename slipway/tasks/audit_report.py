"""An audit for people: what runs where at one glance, and the findings; events for automations."""

from collections.abc import Mapping, Sequence
from typing import Any

from slipway.domain.agreement import Unknown
from slipway.domain.auditing.picture import Picture, reference_of
from slipway.domain.finding import Changes, Finding
from slipway.domain.fitness import ready_digests, untold_pods
from slipway.domain.workloads import Workloads
from slipway.tasks.report import leave_table, tell

NEW, GONE = "slipway.finding.new", "slipway.finding.gone"
RAISED = "slipway.finding.raised"
"""Prefect events, which automations can act on; docs/command-line.md has their fields."""
NOT_KNOWN = "?"
FINDING_COLUMNS = ("severity", "id", "target", "state", "about", "expected", "seen", "what to do")


def what_runs(picture: Picture) -> Mapping[str, str]:
    """One target in one line: `?` where a place can't be looked at or is being changed."""
    seen = picture.cluster
    return {
        "target": picture.target.name,
        "asked for": _asked(seen),
        "runs": _runs(picture),
        "ESC": _agrees(picture),
        ":main": _main(picture),
        **_in_git(picture),
    }


def running(picture: Picture) -> list[str]:
    """The digests that ready pods run; none where the cluster can't be looked at."""
    if not isinstance(picture.cluster, Workloads):
        return []
    container = picture.target.workload.container
    return sorted(str(each) for each in ready_digests(picture.cluster, container))


def finding_row(finding: Finding, state: str) -> Mapping[str, str]:
    """A finding in one line of a table."""
    values = (
        finding.severity.value,
        finding.rule,
        finding.target,
        state,
        finding.about,
        finding.expected,
        finding.seen,
        str(finding.remedy),
    )
    return dict(zip(FINDING_COLUMNS, values, strict=True))


def unjudged_row(target: str, rules: Sequence[str], why: str) -> Mapping[str, str]:
    """Rules that say nothing of a target, in one line of the same table."""
    row = dict.fromkeys(FINDING_COLUMNS, "")
    return {**row, "id": ", ".join(rules), "target": target, "state": "not judged", "seen": why}


def states(changes: Changes | Unknown) -> Mapping[str, str]:
    """Fingerprint → new or persisting; empty where the ledger could not be asked."""
    if isinstance(changes, Unknown):
        return {}
    return {
        **{each.finding.fingerprint: "new" for each in changes.new},
        **{each.finding.fingerprint: "persisting" for each in changes.persisting},
    }


async def report_audit(
    rows: Sequence[Mapping[str, str]], findings: Sequence[Mapping[str, str]], count: int
) -> None:
    """Leave both tables as artifacts of the run, under the same keys each time."""
    await leave_table("audit-what-runs", rows, "what runs where")
    await leave_table("audit-findings", findings, f"{count} findings, worst first")


async def tell_changes(changes: Changes | Unknown) -> None:
    """Say of each finding that is new, matters more or is gone so, as events for automations."""
    if isinstance(changes, Unknown):
        return
    for event, found in ((NEW, changes.new), (RAISED, changes.raised), (GONE, changes.gone)):
        for each in found:
            await tell(event, _resource(each.finding), payload(each.finding))


def payload(finding: Finding) -> dict[str, Any]:
    """What an event tells of a finding."""
    return {
        "fingerprint": finding.fingerprint,
        "id": finding.rule,
        "severity": finding.severity.value,
        "target": finding.target,
        "about": finding.about,
        "expected": finding.expected,
        "seen": finding.seen,
        "remedy": finding.remedy.sentence,
        "command": finding.remedy.command or None,
    }


def _resource(finding: Finding) -> dict[str, str]:
    return {
        "prefect.resource.id": f"slipway.finding.{finding.fingerprint}",
        "prefect.resource.name": f"{finding.rule} at {finding.target}",
        "slipway.target": finding.target,
        "slipway.severity": finding.severity.value,
        "slipway.rule": finding.rule,
    }


def _in_git(picture: Picture) -> Mapping[str, str]:
    git = picture.git
    if isinstance(git, Unknown) or isinstance(picture.cluster, Unknown) or git.untold:
        return {"behind": NOT_KNOWN, "last change": NOT_KNOWN}
    last = git.last_change
    return {
        "behind": str(len(git.pending)) if git.deployed else "",
        "last change": f"{last.commit.short} {last.subject}" if last else "",
    }


def _asked(seen: Workloads | Unknown | None) -> str:
    if isinstance(seen, Unknown):
        return NOT_KNOWN
    return _short(seen.image) if seen is not None else "no Deployment"


def _runs(picture: Picture) -> str:
    if isinstance(picture.cluster, Unknown):
        return NOT_KNOWN
    if picture.cluster is None:
        return "nothing"
    container = picture.target.workload.container
    digests = sorted(each.short for each in ready_digests(picture.cluster, container))
    untold = [NOT_KNOWN] if untold_pods(picture.cluster, container) else []
    return ", ".join([*digests, *untold]) or "nothing ready"


def _agrees(picture: Picture) -> str:
    if isinstance(picture.config, Unknown):
        return NOT_KNOWN
    if isinstance(picture.cluster, Workloads) and picture.cluster.image == picture.config.value:
        return "the same"
    return _short(picture.config.value or "") or picture.config.form.value


def _main(picture: Picture) -> str:
    if isinstance(picture.registry, Unknown):
        return NOT_KNOWN
    main = picture.registry.tags.get("main")
    return main.short if main is not None else "absent"


def _short(image: str) -> str:
    """The tag, a commit's abbreviated; the digest where there is none."""
    reference = reference_of(image)
    if reference is None:
        return image[:40]
    if reference.commit is not None:
        return reference.commit.short
    return reference.tag or (reference.digest.short if reference.digest else image)
