"""All rules, and what they say of a picture."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from slipway.domain.auditing import (
    image_rules,
    origin_rules,
    pod_rules,
    pulling_rules,
    running_rules,
    system_rules,
)
from slipway.domain.auditing.picture import NotKnown, Picture
from slipway.domain.finding import Finding, Judged, Remedy

Rule = Callable[[Picture], Iterator[Finding]]

RULES: tuple[tuple[str, Rule], ...] = (
    ("IMG001", image_rules.missing),
    ("IMG002", image_rules.unreachable),
    ("IMG003", pulling_rules.unpullable),
    ("IMG004", image_rules.overwritten),
    ("IMG005", image_rules.main_astray),
    ("IMG006", running_rules.not_applied),
    ("IMG006", running_rules.changed_behind_pulumi),
    ("IMG007", running_rules.runs_another),
    ("IMG008", image_rules.mutable),
    ("IMG009", origin_rules.mislabelled),
    ("IMG009", origin_rules.unlabelled),
    ("IMG009", origin_rules.from_elsewhere),
    ("IMG010", pulling_rules.wrong_platform),
    ("IMG010", pulling_rules.broken_index),
    ("IMG011", running_rules.behind),
    ("IMG011", running_rules.aged),
    ("IMG012", pulling_rules.no_way_back),
    ("IMG013", pod_rules.in_trouble),
    ("IMG014", origin_rules.unsigned),
    ("IMG015", origin_rules.foreign_registry),
    ("IMG016", image_rules.needless),
    ("SYS001", system_rules.unseen),
    ("SYS002", system_rules.not_read),
    ("SYS003", running_rules.owned_by_others),
    ("SYS004", running_rules.owned_by_others),
    ("SYS005", system_rules.not_plain),
    ("SYS006", system_rules.old_hold),
    ("SYS007", system_rules.interrupted),
    ("SYS008", running_rules.absent),
    ("SYS009", system_rules.unread),
)
"""Each rule under the id of the findings that it may have; the runbook explains every id."""

OWNED = frozenset({"SYS003", "SYS004"})
REFUSED_WHILE_OWNED = ("slipway deploy ", "slipway rollback ", "slipway restart ")


def judge(picture: Picture) -> Judged:
    """Everything that the rules find; a rule that misses a part of the picture finds nothing."""
    findings: list[Finding] = []
    reasons: dict[str, str] = {}
    for identity, rule in RULES:
        try:
            found = [each for each in rule(picture) if each.rule == identity]
        except NotKnown as error:
            before = reasons.get(identity, str(error))
            reasons[identity] = before if str(error) in before else f"{before}; {error}"
        else:
            findings += found
    stood = frozenset(each.fingerprint for each in picture.standing)
    return Judged(tuple(_in_order(findings)), reasons, stood)


def _in_order(findings: Sequence[Finding]) -> Iterator[Finding]:
    """What Slipway refuses while image or replicas are somebody else's comes after that is mended.

    The two are not one command: a rollout that the first begins would be in the other's way.
    """
    first = next((each.remedy for each in findings if each.rule in OWNED), None)
    for each in findings:
        if first is not None and each.remedy.command.startswith(REFUSED_WHILE_OWNED):
            told = f"first {first.sentence}; then, where this still stands, {each.remedy.sentence}"
            yield replace(each, remedy=Remedy(told, first.command))
        else:
            yield each
