"""Findings: what makes two of them the same, and what is new, stays and is gone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.finding import (
    Changes,
    Finding,
    Judged,
    RecordedFinding,
    Remedy,
    Severity,
    by_severity,
    compared,
    confirmed,
    worst,
)
from slipway.errors import InvalidInput

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RULES = ("IMG001", "IMG006", "SYS001")


def finding(rule: str = "IMG001", about: str = "an image", **more: object) -> Finding:
    made = Finding(rule, Severity.ERROR, "shop-prod", about, "one", "other", Remedy("do it"))
    return replace(made, **more)  # type: ignore[arg-type] # tests name real fields


SOME = st.builds(finding, st.sampled_from(RULES), st.sampled_from(["a", "b", "c"]))
JUDGED = st.builds(
    Judged,
    st.lists(SOME, unique_by=lambda each: each.fingerprint).map(tuple),
    st.dictionaries(st.sampled_from(RULES), st.just("no route to host")),
)


def recorded(judged: Judged) -> list[RecordedFinding]:
    return [RecordedFinding(each, NOW) for each in judged.findings]


def prints(found: tuple[RecordedFinding, ...]) -> set[str]:
    return {each.finding.fingerprint for each in found}


def test_a_fingerprint_stays_while_what_is_seen_changes() -> None:
    before, after = finding(seen="pod a"), finding(seen="pod b", severity=Severity.INFO)

    assert before.fingerprint == after.fingerprint


@pytest.mark.parametrize("change", [{"rule": "IMG002"}, {"about": "it"}, {"target": "sink-prod"}])
def test_another_rule_object_or_target_is_another_finding(change: dict[str, object]) -> None:
    assert finding(**change).fingerprint != finding().fingerprint  # type: ignore[arg-type] # fields


@given(JUDGED, JUDGED)
def test_every_finding_is_new_persisting_or_gone_and_only_one_of_them(
    before: Judged, now: Judged
) -> None:
    changes = compared(recorded(before), now, NOW + timedelta(hours=1))
    new, persisting, gone = map(prints, (changes.new, changes.persisting, changes.gone))

    was, is_ = prints(tuple(recorded(before))), {each.fingerprint for each in now.findings}
    assert new == is_ - was
    assert new | persisting >= is_
    assert persisting | gone == was
    assert not persisting & gone


@given(JUDGED, JUDGED)
def test_nothing_is_gone_that_could_not_be_looked_at(before: Judged, now: Judged) -> None:
    changes = compared(recorded(before), now, NOW)

    assert not {each.finding.rule for each in changes.gone} & now.unjudged


def test_a_finding_that_persists_keeps_when_it_was_first_seen_and_tells_what_is_seen_now() -> None:
    later = NOW + timedelta(days=1)

    changes = compared(recorded(judged(finding())), judged(finding(seen="c")), later)

    [kept] = changes.persisting
    assert (kept.since, kept.finding.seen) == (NOW, "c")


@pytest.mark.parametrize("before", Severity)
@pytest.mark.parametrize("now", Severity)
def test_a_finding_that_matters_more_than_before_is_told_as_such(
    before: Severity, now: Severity
) -> None:
    was, is_ = finding(severity=before), finding(severity=now)

    changes = compared(recorded(judged(was)), judged(is_), NOW)

    assert [each.finding for each in changes.persisting] == [is_]
    assert changes.raised == (changes.persisting if now.rank > before.rank else ())


def test_what_is_new_or_could_not_be_looked_at_does_not_matter_more() -> None:
    before = recorded(judged(finding(severity=Severity.INFO)))
    dark = Judged((), {"IMG001": "no route to host"})

    assert compared([], judged(finding()), NOW).raised == ()
    assert compared(before, dark, NOW).raised == ()


def test_what_only_one_of_two_looks_sees_was_on_the_move() -> None:
    first, second = judged(finding(about="a"), finding()), judged(finding(), finding(about="b"))

    assert [each.about for each in confirmed(first, second).findings] == ["an image"]


def test_what_one_look_could_not_judge_is_not_judged_by_both() -> None:
    dark = Judged((), {"IMG001": "no route to host"})

    assert confirmed(dark, judged()).reasons == dark.reasons
    assert confirmed(judged(), dark).reasons == dark.reasons


def test_the_worst_comes_first() -> None:
    some = [finding(severity=each) for each in (Severity.INFO, Severity.CRITICAL, Severity.ERROR)]

    assert [each.severity.value for each in by_severity(some)] == ["critical", "error", "info"]
    assert worst(some) is Severity.CRITICAL
    assert worst([]) is None
    standing = Changes(new=tuple(RecordedFinding(each, NOW) for each in some)).standing
    assert standing[0].finding.severity is Severity.CRITICAL


def test_a_severity_is_one_of_four_words() -> None:
    assert Severity.parse("Error") is Severity.ERROR
    with pytest.raises(InvalidInput, match="info, warning, error, critical"):
        Severity.parse("bad")


def judged(*findings: Finding) -> Judged:
    return Judged(findings)
