"""What an audit does, in which order: look, look again at what seems wrong, compare, keep.

It changes nothing outside but the ledger's own record of findings, and that only when asked to.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from flows.pruning import by_repository
from slipway.domain.agreement import Unknown
from slipway.domain.auditing.picture import NotAsked, Picture
from slipway.domain.auditing.rules import judge
from slipway.domain.finding import (
    Changes,
    Finding,
    Judged,
    RecordedFinding,
    Severity,
    by_severity,
    compared,
    confirmed,
    worst,
)
from slipway.ports import Ports
from slipway.tasks.asking import Together, asked, each_of
from slipway.tasks.audit_report import (
    finding_row,
    report_audit,
    states,
    tell_changes,
    unjudged_row,
    what_runs,
)
from slipway.tasks.collecting import Depth, look
from slipway.tasks.policies import repeatable
from slipway.tasks.report import all_told
from slipway.tasks.source_once import SourceOnce

log = logging.getLogger(__name__)

TARGETS_AT_ONCE = 8
NOTHING = Judged(())
LEFT_ALONE = 86400.0
"""Seconds after which nobody looks any more where no audit has been."""
CONFIRM_AFTER = 2.0
"""Seconds between two looks: what only one of them sees was on the move, and is no finding."""


@dataclass(frozen=True, slots=True)
class Audited:
    """One target: what was seen, what is wrong, and how that differs from the audit before."""

    picture: Picture
    judged: Judged
    changes: Changes | Unknown

    @property
    def target(self) -> str:
        """The target's name."""
        return self.picture.target.name

    @property
    def findings(self) -> Sequence[Finding]:
        """What was found, and what an earlier audit found that could not be judged this time."""
        if isinstance(self.changes, Unknown):
            return self.judged.findings
        return [each.finding for each in self.changes.standing]

    @property
    def unjudged(self) -> Mapping[str, str]:
        """Rule for which something was unknown → why; without those that nobody asked for."""
        of_all = {"IMG016": self.picture.prunable, "SYS009": self.picture.unread}
        left_out = {rule for rule, part in of_all.items() if isinstance(part, NotAsked)}
        reasons = self.judged.reasons
        return {each: reasons[each] for each in sorted(reasons) if each not in left_out}


@dataclass(frozen=True, slots=True)
class NotJudged:
    """Rules that say nothing of a target, and why."""

    target: str
    rules: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        return f"not judged at {self.target}: {', '.join(self.rules)}: {self.why}"


@dataclass(frozen=True, slots=True)
class Report:
    """An audit of some targets."""

    targets: Sequence[Audited]
    left: Mapping[str, Changes] = field(default_factory=dict)
    """Target that is registered no more → what was found there, which is gone with it."""

    @property
    def findings(self) -> Sequence[Finding]:
        """Everything that is wrong now, worst first."""
        return by_severity(each for audited in self.targets for each in audited.findings)

    @property
    def gone(self) -> Sequence[RecordedFinding]:
        """What an earlier audit has found, and is no more, target by target."""
        changed = [each.changes for each in self.targets if isinstance(each.changes, Changes)]
        return [each for changes in (*changed, *self.left.values()) for each in changes.gone]

    @property
    def not_judged(self) -> Mapping[str, Mapping[str, str]]:
        """Target → the rules that say nothing of it, each with what could not be looked at."""
        return {each.target: each.unjudged for each in self.targets if each.unjudged}

    @property
    def gaps(self) -> Sequence[NotJudged]:
        """The same for people: all rules that one reason keeps from being judged at a target."""
        grouped: dict[tuple[str, str], list[str]] = {}
        for target, reasons in self.not_judged.items():
            for rule, why in reasons.items():
                grouped.setdefault((target, why), []).append(rule)
        return [NotJudged(target, tuple(rules), why) for (target, why), rules in grouped.items()]

    @property
    def worst(self) -> Severity | None:
        """The highest severity there is."""
        return worst(self.findings)

    @property
    def states(self) -> Mapping[str, str]:
        """Fingerprint of each finding → new or persisting, where the ledger could be asked."""
        return {
            mark: state for each in self.targets for mark, state in states(each.changes).items()
        }

    def reaches(self, severity: Severity | None) -> bool:
        """Whether anything found is at least so severe; never for None."""
        found = self.worst
        return severity is not None and found is not None and found.rank >= severity.rank


async def audit(
    every: Sequence[Ports],
    *,
    every_tag: bool = False,
    complete: bool = False,
    record: bool = False,
    at: datetime | None = None,
) -> Report:
    """Audit targets; `record` keeps the findings, so that the next audit knows what is new.

    `every_tag` also looks up every tag that the ledger has ever recorded. Where these are all the
    targets there are (`complete`), keys of ESC that are nobody's are told, and with `every_tag`
    images that nobody needs. `at` is now, by the clock by which holds and commits are old.
    """
    now = at or datetime.now(UTC)
    depths = _depths(every, every_tag=every_tag, complete=complete)
    pictures = await look_at(every, now, depths)
    judged = {name: judge(picture) for name, picture in pictures.items()}
    doubtful = [each for each in every if judged[each.target.name].findings]
    if doubtful:
        await asyncio.sleep(CONFIRM_AFTER)
        for name, picture in (await look_at(doubtful, now, depths)).items():
            pictures[name] = picture
            judged[name] = confirmed(judged[name], judge(picture))
    names = [each.target.name for each in every]
    changes = [await asked(_compare(each, judged[each.target.name], record)) for each in every]
    return Report(
        [
            Audited(pictures[name], judged[name], change)
            for name, change in zip(names, changes, strict=True)
        ]
    )


@repeatable("look at every target")
async def look_at(
    every: Sequence[Ports], at: datetime, depths: Mapping[str, Depth]
) -> dict[str, Picture]:
    """The pictures of targets, by name; what they share is asked once."""
    async with Together() as together:

        async def one(ports: Ports) -> Picture:
            sharing = replace(ports, source=SourceOnce(ports.source, together))
            return await look(sharing, together, at, depths[ports.target.name])

        pictures = await each_of(every, one, TARGETS_AT_ONCE)
    return {each.target.name: each for each in pictures}


def _depths(every: Sequence[Ports], *, every_tag: bool, complete: bool) -> dict[str, Depth]:
    """How far each is looked at; what nobody needs is told at the first of its repository."""
    if not complete:
        return {each.target.name: Depth(every_tag) for each in every}
    if not every_tag:
        return {each.target.name: Depth(registered=every) for each in every}
    return {
        each.target.name: Depth(every_tag, sharing if each is sharing[0] else (), every)
        for sharing in by_repository(every).values()
        for each in sharing
    }


async def _compare(ports: Ports, judged: Judged, record: bool) -> Changes:  # noqa: FBT001 - private
    if record:
        return await ports.ledger.record_findings(ports.target.name, judged)
    before = await ports.ledger.findings(ports.target.name)
    return compared(before, judged, datetime.now(UTC))


async def audit_and_report(
    every: Sequence[Ports], *, every_tag: bool = False, complete: bool = False
) -> Report:
    """The scheduled audit: findings are told as events, shown as the run's tables, and kept.

    They are kept last: what an audit that dies has told is told again by the next, never lost.
    """
    report = await audit(every, every_tag=every_tag, complete=complete)
    if complete:
        report = replace(report, left=await _find_left(every))
    for changes in (*(each.changes for each in report.targets), *report.left.values()):
        await tell_changes(changes)
    told = await all_told()
    await report_audit(what_runs_where(report), finding_rows(report), len(report.findings))
    if told:
        await _keep_all(every, report)
    else:
        log.warning("what was found is not kept, so that the next audit tells it again")
    return report


async def _keep_all(every: Sequence[Ports], report: Report) -> None:
    for ports, each in zip(every, report.targets, strict=True):
        if isinstance(each.changes, Changes):  # else nobody was told
            await _keep(ports, each.target, each.judged)
    for name in report.left:
        await _keep(every[0], name, NOTHING)


async def _find_left(every: Sequence[Ports]) -> Mapping[str, Changes]:
    """What stands at targets that are registered no more: nobody would ever look there again.

    Whoever else registers targets with the same ledger looks at theirs within the day.
    """
    known = {each.target.name for each in every}
    if not every:
        return {}
    ledger, now = every[0].ledger, datetime.now(UTC)
    names = await asked(ledger.left_alone(LEFT_ALONE))
    left: dict[str, Changes] = {}
    for name in () if isinstance(names, Unknown) else names:
        standing = await asked(ledger.findings(name))
        if name not in known and not isinstance(standing, Unknown):
            left[name] = compared(standing, NOTHING, now)
    return left


async def _keep(ports: Ports, name: str, judged: Judged) -> None:
    kept = await asked(ports.ledger.record_findings(name, judged))
    if isinstance(kept, Unknown):
        log.warning(
            "findings of %s were not kept, so the next audit tells them again: %s", name, kept.why
        )


def what_runs_where(report: Report) -> list[Mapping[str, str]]:
    """The report's first table: a line a target."""
    return [what_runs(each.picture) for each in report.targets]


def finding_rows(report: Report) -> list[Mapping[str, str]]:
    """The report's second table: a line a finding, worst first, then what is gone or not judged."""
    known = report.states
    return [
        *(finding_row(each, known.get(each.fingerprint, "")) for each in report.findings),
        *(finding_row(each, "gone") for each in by_severity(each.finding for each in report.gone)),
        *(unjudged_row(each.target, each.rules, each.why) for each in report.gaps),
    ]
