"""The audit's rules: each finds its difference, nothing else, and nothing in what is unknown."""

import json
import shlex
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.agreement import Unknown
from slipway.domain.auditing.picture import Applied, Moving, Picture, Pull
from slipway.domain.auditing.rules import RULES, judge
from slipway.domain.finding import Severity
from slipway.domain.hold import Hold
from slipway.domain.release import Kind
from slipway.domain.retention import Plan
from tests.domain.auditing.pictures import (
    BEFORE,
    CHILD,
    DIGEST,
    HEAD,
    NOW,
    OLD,
    REFERENCE,
    REPOSITORY,
    TARGET,
    config,
    container,
    hold,
    holdings,
    image,
    info,
    lineage,
    memory,
    picture,
    pod,
    release,
    workloads,
)
from tests.domain.auditing.troubled import (
    FOREIGN,
    OTHER,
    PARTS,
    SIGNER,
    TROUBLED,
    WAY,
    signed_picture,
)
from tests.signing import Signer


def test_what_others_own_is_let_go_of_at_once_and_only_where_they_still_stand() -> None:
    seen = workloads(
        image_managers=("pulumi-kubernetes", "kubectl-edit"),
        replicas_managers=("argocd-controller", "kubectl-edit"),
        owner_places=((0, "pulumi-kubernetes"), (2, "argocd-controller"), (3, "kubectl-edit")),
    )

    found = judge(picture(cluster=seen)).findings

    assert sorted(each.rule for each in found) == ["SYS003", "SYS004", "SYS004"]
    [typed] = {each.remedy.command for each in found}
    *words, patch = shlex.split(typed)
    assert words == [
        "kubectl",
        "--namespace",
        seen.namespace,
        "patch",
        "deployment",
        seen.name,
        "--type=json",
    ]
    assert json.loads(patch.removeprefix("--patch=")) == [
        {"op": "test", "path": "/metadata/managedFields/3/manager", "value": "kubectl-edit"},
        {"op": "remove", "path": "/metadata/managedFields/3"},
        {"op": "test", "path": "/metadata/managedFields/2/manager", "value": "argocd-controller"},
        {"op": "remove", "path": "/metadata/managedFields/2"},
    ]


def test_an_image_that_nobody_has_signed_is_found_where_there_is_a_key() -> None:
    [found] = judge(signed_picture()).findings

    assert (found.rule, found.severity) == ("IMG014", Severity.WARNING)
    assert found.remedy.command == f"cosign sign --key cosign.key {REPOSITORY}@{DIGEST}"


def test_a_signature_by_another_key_or_of_another_image_is_worse_than_none() -> None:
    wrong = (Signer().sign(DIGEST), SIGNER.sign(OLD))

    [found] = judge(signed_picture(*wrong)).findings

    assert (found.rule, found.severity) == ("IMG014", Severity.ERROR)


def test_what_nobody_needs_is_deleted_by_the_very_plan_that_was_made() -> None:
    seen = TROUBLED["nobody needs an image any more"][1]
    [found] = judge(seen).findings

    assert isinstance(seen.prunable, Plan)
    assert found.severity is Severity.INFO
    assert found.remedy.command == f"slipway prune {REPOSITORY} --apply {seen.prunable.hash}"


@pytest.mark.parametrize("prunable", [Unknown("not looked at"), Moving("a release is at work")])
def test_what_nobody_needs_is_no_trouble_while_it_was_not_looked_at(prunable: Unknown) -> None:
    judged = judge(picture(prunable=prunable))

    assert not judged.findings
    assert judged.unjudged == {"IMG016"}


def test_one_signature_by_the_key_is_enough() -> None:
    assert judge(signed_picture(Signer().sign(DIGEST), SIGNER.sign(DIGEST))).findings == ()


def test_a_quiet_system_has_no_findings() -> None:
    judged = judge(picture())

    assert judged.findings == ()
    assert judged.unjudged == frozenset()


@pytest.mark.parametrize("what", TROUBLED)
def test_a_rule_finds_its_difference_and_nothing_else(what: str) -> None:
    expected, seen = TROUBLED[what]

    found = judge(seen).findings

    assert {each.rule for each in found} == expected
    for each in found:
        assert each.target == TARGET.name
        assert all((each.about, each.expected, each.seen, each.remedy.sentence))


@pytest.mark.parametrize("foreign", [FOREIGN, "not an image"])
def test_an_image_of_another_repository_is_found_wherever_it_is_named(foreign: str) -> None:
    seen = picture(config=config(foreign), stack=Applied(foreign), cluster=workloads(image=foreign))

    assert {each.rule for each in judge(seen).findings} == {"IMG015"}


def test_main_may_be_ahead_of_what_was_deployed_last() -> None:
    seen = picture(registry=holdings(tags={"main": OTHER}), git=lineage(main_is_newer=True))

    assert judge(seen).findings == ()


def test_a_rollback_leaves_main_where_it_is() -> None:
    back = release(BEFORE, OLD, request=replace_kind(Kind.ROLLBACK))
    seen = picture(ledger=memory(history=(back, release(), release(BEFORE, OLD))))

    assert judge(seen).findings == ()


def test_a_child_of_the_index_is_the_image_too() -> None:
    seen = picture(cluster=workloads(pods=(pod(container(CHILD)),)))

    assert judge(seen).findings == ()


@pytest.mark.parametrize(
    ("under_way", "why"),
    [
        ({"observed_generation": 2}, "has not begun"),
        ({"replica_sets": ()}, "has not begun"),
        ({"updated": 0}, "0 are updated, 1 are ready"),
        (
            {"pods": (pod(container(OLD), replica_set="adapter-0"), pod(container(ready=False)))},
            "old pods are still ready",
        ),
        (
            {"pods": (pod(), pod(container(OLD), name="old", replica_set="adapter-0"))},
            "old pods are still ready",
        ),
        (
            {"replicas": 2, "updated": 2, "pods": (pod(container(OLD)), pod(ready=False))},
            "2 are updated, 1 are ready",
        ),
        ({"replicas": 0, "updated": 0}, "0 are updated, 1 are ready"),
    ],
)
def test_a_rollout_under_way_is_no_mixture_and_nothing_that_was_one_is_over(
    under_way: dict[str, object], why: str
) -> None:
    seen = replace(workloads(), **under_way)  # type: ignore[arg-type] # tests name real fields

    judged = judge(picture(cluster=seen))

    assert judged.findings == ()
    assert why in judged.reasons["IMG007"]


def test_a_pod_that_is_ending_or_asked_for_no_more_runs_what_it_likes() -> None:
    ending = workloads(pods=(pod(container(OLD), terminating=True), pod()))
    none = workloads(replicas=0, updated=0, pods=())

    for seen in (ending, none):
        assert "IMG007" not in judge(picture(cluster=seen)).unjudged


def test_one_pull_secret_that_pulls_is_enough() -> None:
    assert judge(picture(pulls=(Pull("a", "401"), Pull("b")))).findings == ()


def test_a_change_that_waits_for_long_is_more_than_news() -> None:
    def severity(days: int) -> Severity:
        waiting = lineage(head=info(HEAD), pending=(info(HEAD, days),))
        [found] = judge(picture(git=waiting)).findings
        return found.severity

    assert (severity(1), severity(60)) == (Severity.INFO, Severity.WARNING)


@pytest.mark.parametrize("created", [None, NOW - timedelta(days=180)])
def test_an_image_that_does_not_say_its_age_or_is_young_is_not_old(
    created: datetime | None,
) -> None:
    held = holdings(images={REFERENCE: image(created=created), **WAY})

    assert judge(picture(registry=held)).findings == ()


def test_the_age_of_an_image_is_news_and_none_where_a_change_waits() -> None:
    held = TROUBLED["the image is old"][1].registry
    waiting = lineage(head=info(HEAD), pending=(info(HEAD),))

    [old] = judge(picture(registry=held)).findings
    [waits] = judge(picture(registry=held, git=waiting)).findings

    assert old.severity is Severity.INFO
    assert "adapter/Dockerfile" in old.remedy.sentence
    assert waits.about == "branch main"


def test_an_old_hold_that_says_until_when_is_news_and_one_that_does_not_is_more() -> None:
    holds = (hold(30, until=NOW + timedelta(days=90)), hold(30))

    news, more = judge(picture(ledger=memory(holds=holds))).findings

    assert (news.severity, more.severity) == (Severity.INFO, Severity.WARNING)
    assert "held for 30 days, until 2026-05-30 12:00 UTC, by ada" in news.seen
    assert "held for 30 days, without an end, by ada" in more.seen


def test_what_is_printed_of_an_old_hold_ends_that_one_and_nobody_elses() -> None:
    holds = (replace(hold(30), number=4), replace(hold(1), number=5))

    [found] = judge(picture(ledger=memory(holds=holds))).findings

    assert found.about == "hold 4"
    assert found.remedy.command == (
        f"slipway release-hold {TARGET.name} --number 4 --reason 'it is over'"
    )
    assert "release it and hold again with --until" in found.remedy.sentence


@pytest.mark.parametrize(
    "told", [hold(7), hold(1, until=NOW + timedelta(days=90)), hold(30, until=NOW)]
)
def test_a_hold_that_is_young_or_over_is_no_finding(told: Hold) -> None:
    assert judge(picture(ledger=memory(holds=(told,)))).findings == ()


def test_what_kubectl_changed_is_given_back_to_pulumis_own_manager() -> None:
    [drift, *_] = judge(TROUBLED["kubectl set image"][1]).findings

    assert f"adapter={REFERENCE}" in drift.remedy.command
    assert "--field-manager=pulumi-kubernetes-1a2b" in drift.remedy.command


def test_an_overwritten_tag_is_pointed_back_at_what_was_published() -> None:
    [found] = judge(TROUBLED["a tag was overwritten"][1]).findings

    assert found.remedy.command == (
        f"skopeo copy --all --preserve-digests docker://{REPOSITORY}@{OLD} "
        f"docker://{REPOSITORY}:{BEFORE}"
    )


@pytest.mark.parametrize("part", PARTS)
def test_a_place_that_does_not_answer_is_said_once_and_blamed_for_nothing(part: str) -> None:
    dark = Unknown("no route to host; mend the tunnel", "mend the tunnel")

    [found] = judge(picture(**{part: dark})).findings

    assert found.rule == ("IMG002" if part == "registry" else "SYS001")
    assert found.seen == dark.why
    assert found.remedy.sentence.startswith("mend the tunnel; ")


@pytest.mark.parametrize("part", PARTS)
def test_a_place_that_a_release_is_changing_is_no_trouble(part: str) -> None:
    assert judge(picture(**{part: Moving("a release is at work")})).findings == ()


@given(
    st.sampled_from([*TROUBLED.values(), (set(), picture())]),
    st.sets(st.sampled_from(PARTS)),
)
def test_nothing_is_found_in_what_is_unknown(
    troubled: tuple[set[str], Picture], hidden: set[str]
) -> None:
    """Whatever is hidden, what is found was there before, or says that something is hidden."""
    _, seen = troubled
    whole = judge(seen)
    dark = {each: Unknown("no route to host") for each in hidden}

    judged = judge(replaced(seen, dark))

    before = {each.fingerprint for each in whole.findings}
    new = [each for each in judged.findings if each.fingerprint not in before]
    assert {each.rule for each in new} <= {"IMG002", "SYS001"}
    assert len(new) == len(hidden)
    found = {each.fingerprint for each in judged.findings}
    lost = [each for each in whole.findings if each.fingerprint not in found]
    assert {each.rule for each in lost} <= judged.unjudged


def test_every_rule_finds_something_in_these_tests() -> None:
    tried = {rule for rules, _ in TROUBLED.values() for rule in rules}

    assert {rule for rule, _ in RULES} - tried == {"IMG002", "IMG015", "SYS001"}


def test_every_rule_finds_something_real_in_the_tests_on_the_sandbox() -> None:
    folder = Path(__file__).parents[2] / "sandbox" / "audit"
    tests = "".join(each.read_text() for each in folder.glob("test_*.py"))

    assert {rule for rule, _ in RULES if f'"{rule}"' not in tests} == set()


def replaced(seen: Picture, parts: dict[str, Unknown]) -> Picture:
    return replace(seen, **parts)  # type: ignore[arg-type] # tests name real fields


def replace_kind(kind: Kind) -> object:
    return replace(release().request, kind=kind)
