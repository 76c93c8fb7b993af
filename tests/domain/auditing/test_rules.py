"""The audit's rules: each finds its difference, nothing else, and nothing in what is unknown."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.agreement import Unknown
from slipway.domain.auditing.picture import Applied, Moving, Picture, Program, Pull
from slipway.domain.auditing.rules import RULES, judge
from slipway.domain.config import KeyForm
from slipway.domain.finding import Severity
from slipway.domain.image import Digest
from slipway.domain.release import Kind, State
from slipway.domain.retention import Deletion, Plan, Policy
from slipway.domain.signature import SignedPayload
from tests.domain.auditing.pictures import (
    BEFORE,
    CHILD,
    DIGEST,
    HEAD,
    LIVE,
    NOW,
    OLD,
    REFERENCE,
    REPOSITORY,
    TARGET,
    WAY_BACK,
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
from tests.signing import Signer

PARTS = (
    "git",
    "registry",
    "config",
    "program",
    "stack",
    "cluster",
    "nodes",
    "pulls",
    "ledger",
)
OTHER = Digest("sha256:" + "d" * 64)
SIGNER = Signer()
FOREIGN = f"ghcr.io/mallory/adapter:{LIVE}"


def signed_picture(*signed: SignedPayload) -> Picture:
    """The target has a key, and this is signed of its image."""
    service = replace(TARGET.service, signed_by=SIGNER.public)
    held = holdings(signatures={REFERENCE: signed})
    return picture(target=replace(TARGET, service=service), registry=held)


TROUBLED: Mapping[str, tuple[set[str], Picture]] = {
    "the image is gone": (
        {"IMG001"},
        picture(registry=holdings(images={REFERENCE: None, str(WAY_BACK): image(OLD, BEFORE)})),
    ),
    "nobody may pull": ({"IMG003"}, picture(pulls=(Pull("ghcr-creds", "401"), Pull("b", "403")))),
    "a tag was overwritten": (
        {"IMG004"},
        picture(registry=holdings(tags={BEFORE.sha: image(OTHER, BEFORE), "main": image()})),
    ),
    ":main was moved": (
        {"IMG005"},
        picture(registry=holdings(tags={LIVE.sha: image(), "main": image(OLD, BEFORE)})),
    ),
    ":main is gone": ({"IMG005"}, picture(registry=holdings(tags={"main": None}))),
    "ESC was edited": ({"IMG006"}, picture(config=config(str(WAY_BACK)))),
    "kubectl set image": (
        {"IMG006", "SYS004"},
        picture(
            cluster=workloads(
                image=str(WAY_BACK),
                image_managers=("kubectl-set",),
                pods=(pod(container(OLD)),),
            )
        ),
    ),
    "a pod runs an old digest": (
        {"IMG007"},
        picture(cluster=workloads(pods=(pod(container(OLD)),))),
    ),
    "one of two pods does": (
        {"IMG007"},
        picture(
            cluster=workloads(
                replicas=2, updated=2, pods=(pod(), pod(container(OLD), name="adapter-1-b"))
            )
        ),
    ),
    "the node never pulls": ({"IMG008"}, picture(cluster=workloads(pull_policy="Never"))),
    "the label names another commit": (
        {"IMG009"},
        picture(
            registry=holdings(images={REFERENCE: image(revision=HEAD), str(WAY_BACK): image()})
        ),
    ),
    "the source is another repository": (
        {"IMG009"},
        picture(
            registry=holdings(
                images={REFERENCE: image(source="https://x/y"), str(WAY_BACK): image()}
            )
        ),
    ),
    "a node of another platform": (
        {"IMG010"},
        picture(nodes=frozenset({"linux/amd64", "linux/arm64"})),
    ),
    "a part of the index is gone": (
        {"IMG010"},
        picture(pulls=(Pull("ghcr-creds", missing="its part sha256:… is gone"),)),
    ),
    "a change waits": (
        {"IMG011"},
        picture(git=lineage(head=info(HEAD), pending=(info(HEAD),))),
    ),
    "no way back is left": (
        {"IMG012"},
        picture(registry=holdings(images={REFERENCE: image(), str(WAY_BACK): None})),
    ),
    "a pod can't pull": (
        {"IMG013"},
        picture(
            cluster=workloads(
                pods=(pod(), pod(container(ready=False, waiting="ImagePullBackOff"), "b"))
            )
        ),
    ),
    "a pod crashes": (
        {"IMG013"},
        picture(cluster=workloads(pods=(pod(container(ready=False, waiting="CrashLoopBackOff")),))),
    ),
    "a pod was killed for its memory": (
        {"IMG013"},
        picture(cluster=workloads(pods=(pod(container(ready=False, terminated="OOMKilled")),))),
    ),
    "a pod finds no node": (
        {"IMG013"},
        picture(
            cluster=workloads(pods=(pod(), pod(name="b", ready=False, unschedulable="no room")))
        ),
    ),
    "nobody has signed the image": ({"IMG014"}, signed_picture()),
    "nobody needs an image any more": (
        {"IMG016"},
        picture(prunable=Plan(REPOSITORY, Policy(), (Deletion(OLD, (BEFORE.sha,)),), {})),
    ),
    "the key is shadowed": (
        {"SYS002"},
        picture(program=Program("cluster/Pulumi.prod.yaml", shadow="other")),
    ),
    "the program does not read the key": (
        {"SYS002"},
        picture(program=Program("cluster/Pulumi.prod.yaml", mentions_key=False)),
    ),
    "the stack does not import the environment": (
        {"SYS002"},
        picture(program=Program("cluster/Pulumi.prod.yaml", problem="does not import it")),
    ),
    "another tool owns the image": (
        {"SYS003"},
        picture(cluster=workloads(image_managers=("argocd-controller",))),
    ),
    "kubectl scaled it": (
        {"SYS004"},
        picture(cluster=workloads(replicas_managers=("kubectl",))),
    ),
    "the key is a secret": ({"SYS005"}, picture(config=config(None, KeyForm.SECRET))),
    "a hold is old": ({"SYS006"}, picture(ledger=memory(holds=(hold(30),)))),
    "a release was interrupted": (
        {"SYS007"},
        picture(ledger=memory(interrupted=(release(HEAD, OTHER, state=State.RELEASING),))),
    ),
    "the Deployment is gone": ({"SYS008"}, picture(cluster=None)),
    "the Deployment is gone, and only it could tell its name": (
        {"SYS008"},
        picture(cluster=None, stack=Applied(None)),
    ),
}
"""What is wrong → the ids of exactly the findings that it makes."""


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


MISLABELLED = holdings(images={REFERENCE: image(revision=BEFORE), str(WAY_BACK): image()})


def test_where_the_newest_commit_has_its_own_image_it_is_deployed_for_a_mislabelled_one() -> None:
    newer = lineage(head=info(HEAD), deployed=info(LIVE))

    [found] = judge(picture(registry=MISLABELLED, git=newer)).findings

    assert found.remedy.command == f"slipway deploy {TARGET.name} {HEAD}"


def test_where_the_newest_commits_own_tag_is_mislabelled_another_image_is_the_way_out() -> None:
    [found] = judge(picture(registry=MISLABELLED, git=lineage(head=info(LIVE)))).findings

    # To deploy it would take the tag as it is.
    assert found.remedy.command.startswith(f"slipway rollback {TARGET.name} ")


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


@pytest.mark.parametrize("tag", [":main", ":latest", ""])
def test_a_tag_that_moves_is_found(tag: str) -> None:
    moving = f"{REPOSITORY}{tag}"
    seen = picture(
        config=config(moving),
        stack=Applied(moving),
        cluster=workloads(image=moving),
        registry=holdings(images={moving: image(), str(WAY_BACK): image()}),
    )

    [found] = judge(seen).findings

    assert found.rule == "IMG008"
    assert found.remedy.command == f"slipway deploy {TARGET.name} {LIVE}"


def test_a_commits_tag_without_its_digest_is_as_the_seed_writes_it() -> None:
    plain = f"{REPOSITORY}:{LIVE}"
    seen = picture(
        config=config(plain),
        stack=Applied(plain),
        cluster=workloads(image=plain),
        registry=holdings(images={plain: image(), str(WAY_BACK): image()}),
    )

    assert judge(seen).findings == ()


def test_equal_build_inputs_share_an_image_under_both_commits() -> None:
    other = {REFERENCE: image(revision=HEAD), str(WAY_BACK): image()}
    seen = picture(
        registry=holdings(images=other), git=lineage(same_inputs=frozenset({(LIVE, HEAD)}))
    )

    assert judge(seen).findings == ()


def test_main_may_be_ahead_of_what_was_deployed_last() -> None:
    seen = picture(
        registry=holdings(tags={"main": image(OTHER, HEAD)}), git=lineage(main_is_newer=True)
    )

    assert judge(seen).findings == ()


def test_a_rollback_leaves_main_where_it_is() -> None:
    back = release(BEFORE, OLD, request=replace_kind(Kind.ROLLBACK))
    seen = picture(ledger=memory(history=(back, release(), release(BEFORE, OLD))))

    assert judge(seen).findings == ()


def test_a_child_of_the_index_is_the_image_too() -> None:
    seen = picture(cluster=workloads(pods=(pod(container(CHILD)),)))

    assert judge(seen).findings == ()


@pytest.mark.parametrize(
    "under_way",
    [
        {"observed_generation": 2},
        {"updated": 0},
        {"pods": (pod(), pod(container(OLD), name="old", replica_set="adapter-0"))},
        {"pods": (pod(container(OLD), terminating=True), pod())},
    ],
)
def test_a_rollout_under_way_is_no_mixture(under_way: dict[str, object]) -> None:
    assert judge(picture(cluster=workloads(**under_way))).findings == ()


def test_one_pull_secret_that_pulls_is_enough() -> None:
    assert judge(picture(pulls=(Pull("a", "401"), Pull("b")))).findings == ()


def test_a_change_that_waits_for_long_is_more_than_news() -> None:
    def severity(days: int) -> Severity:
        waiting = lineage(head=info(HEAD), pending=(info(HEAD, days),))
        [found] = judge(picture(git=waiting)).findings
        return found.severity

    assert (severity(1), severity(60)) == (Severity.INFO, Severity.WARNING)


def test_a_hold_that_says_until_when_may_be_old() -> None:
    seen = picture(ledger=memory(holds=(hold(30, until=NOW + timedelta(days=1)), hold(1))))

    assert judge(seen).findings == ()


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
    [found] = judge(picture(**{part: Unknown("no route to host")})).findings

    assert found.rule == ("IMG002" if part == "registry" else "SYS001")
    assert found.seen == "no route to host"


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


def replaced(seen: Picture, parts: dict[str, Unknown]) -> Picture:
    return replace(seen, **parts)  # type: ignore[arg-type] # tests name real fields


def replace_kind(kind: Kind) -> object:
    return replace(release().request, kind=kind)
