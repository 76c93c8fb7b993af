"""A finding: one thing at a target that is not as it should be, and what to do about it."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

from slipway.errors import InvalidInput


class Severity(StrEnum):
    """How much a finding matters, least first."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """A number that grows with how much it matters."""
        return list(Severity).index(self)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a severity that a person typed."""
        try:
            return cls(text.lower())
        except ValueError as error:
            known = ", ".join(each.value for each in cls)
            raise InvalidInput(
                f"{text[:40]!r} is no severity of a finding: give one of {known}"
            ) from error


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do: a sentence, and the command to type where one does it."""

    sentence: str
    command: str = ""

    def __str__(self) -> str:
        return f"{self.sentence}: {self.command}" if self.command else self.sentence


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between what is and what should be.

    `rule` is the stable id that the runbook explains. `about` names the object so that it stays the
    same from one look to the next: no pod's name, no time.
    """

    rule: str
    severity: Severity
    target: str
    about: str
    expected: str
    seen: str
    remedy: Remedy

    @property
    def fingerprint(self) -> str:
        """The same for the same difference at every look: rule, target and object."""
        identity = f"{self.rule}\n{self.target}\n{self.about}"
        return hashlib.sha256(identity.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Judged:
    """What the rules say of one look; a rule that could not be judged says nothing."""

    findings: tuple[Finding, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Id of a rule that could not be judged → why, in words for people."""

    stood: frozenset[str] | None = None
    """Fingerprints of what stood when the look began; None where nobody else may have found more.

    What another audit has found since is not gone: it was not looked for.
    """

    @property
    def unjudged(self) -> frozenset[str]:
        """Ids of rules for which something was unknown: their older findings are not gone."""
        return frozenset(self.reasons)


@dataclass(frozen=True, slots=True)
class RecordedFinding:
    """A finding as the ledger remembers it."""

    finding: Finding
    since: datetime
    """When it was first seen, without a gap since."""
    gone: datetime | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """How the findings of an audit differ from those of the one before."""

    new: tuple[RecordedFinding, ...] = ()
    persisting: tuple[RecordedFinding, ...] = ()
    """Those seen again, and those whose rule could not be judged this time."""
    gone: tuple[RecordedFinding, ...] = ()
    raised: tuple[RecordedFinding, ...] = ()
    """Those of the persisting that matter more than when they were kept last."""

    @property
    def standing(self) -> tuple[RecordedFinding, ...]:
        """What is wrong now, worst first."""
        return tuple(sorted((*self.new, *self.persisting), key=_worst_first))


def compared(before: Iterable[RecordedFinding], judged: Judged, at: datetime) -> Changes:
    """What is new, stays, matters more and is gone; nothing is gone that could not be looked at."""
    known = {each.finding.fingerprint: each for each in before}
    now = {each.fingerprint: each for each in judged.findings}
    new = [RecordedFinding(each, at) for print_, each in now.items() if print_ not in known]
    again = [
        RecordedFinding(now[print_], each.since) for print_, each in known.items() if print_ in now
    ]
    raised = [each for each in again if _matters_more(each, known[each.finding.fingerprint])]
    unseen = [each for print_, each in known.items() if print_ not in now]
    kept = [each for each in unseen if not _could_be_seen(each.finding, judged)]
    gone = [
        RecordedFinding(each.finding, each.since, at)
        for each in unseen
        if _could_be_seen(each.finding, judged)
    ]
    return Changes(tuple(new), (*again, *kept), tuple(gone), tuple(raised))


def _matters_more(now: RecordedFinding, before: RecordedFinding) -> bool:
    return now.finding.severity.rank > before.finding.severity.rank


def _could_be_seen(finding: Finding, judged: Judged) -> bool:
    stood = judged.stood is None or finding.fingerprint in judged.stood
    return stood and finding.rule not in judged.unjudged


def confirmed(first: Judged, second: Judged) -> Judged:
    """What two looks agree on: what only one of them sees was on the move."""
    again = {each.fingerprint for each in first.findings}
    return Judged(
        tuple(each for each in second.findings if each.fingerprint in again),
        {**first.reasons, **second.reasons},
        first.stood,
    )


def worst(findings: Collection[Finding]) -> Severity | None:
    """The highest severity among findings."""
    return max((each.severity for each in findings), key=lambda each: each.rank, default=None)


def by_severity(findings: Iterable[Finding]) -> Sequence[Finding]:
    """Worst first, then by target and rule."""
    return sorted(findings, key=lambda each: (-each.severity.rank, each.target, each.rule))


def _worst_first(each: RecordedFinding) -> tuple[int, str, str]:
    return -each.finding.severity.rank, each.finding.target, each.finding.rule
