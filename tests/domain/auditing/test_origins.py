"""Rules about what an image is called, what it says of itself, and which pods run it."""

import json
import shlex
from dataclasses import replace

import pytest

from slipway.domain.auditing.rules import judge
from slipway.domain.commit import Commit
from slipway.domain.finding import Severity
from slipway.domain.release import Kind, Options, Release, Request, State
from tests.domain.auditing.pictures import (
    BEFORE,
    DIGEST,
    HEAD,
    LIVE,
    OLD,
    REFERENCE,
    REPOSITORY,
    TARGET,
    WAY_BACK,
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
from tests.domain.auditing.troubled import OTHER, PLAIN, TROUBLED, WAY, by_tag


def test_a_pod_on_another_digest_than_a_tag_is_replaced_by_what_pins_the_digest() -> None:
    """A node that has an older copy of the tag would start it again."""
    [found] = judge(by_tag(registry=holdings(images={PLAIN: image(), **WAY}))).findings

    assert found.rule == "IMG007"
    assert found.remedy.command == f"slipway deploy {TARGET.name} {LIVE}"


def test_a_pod_on_another_digest_than_the_pinned_one_is_replaced_by_a_new_one() -> None:
    [found] = judge(TROUBLED["a pod runs an old digest"][1]).findings

    assert found.remedy.command == "kubectl --namespace apps delete pod adapter-1-a"


def test_pods_are_not_blamed_for_a_tag_that_was_overwritten_since() -> None:
    """They run what was published, and new ones would not."""
    mallorys = image(OTHER, LIVE)
    held = holdings(images={PLAIN: mallorys, **WAY}, tags={LIVE.sha: OTHER, "main": DIGEST})

    [found] = judge(by_tag(registry=held)).findings

    assert found.rule == "IMG004"


def test_pods_are_not_blamed_where_the_tag_holds_another_commits_image() -> None:
    """New pods would run it; whoever deploys what is right replaces them."""
    held = holdings(images={PLAIN: image(revision=HEAD), **WAY})

    [found] = judge(by_tag(registry=held)).findings

    assert found.rule == "IMG009"


def test_where_a_release_is_newer_than_what_the_template_names_it_is_deployed_again() -> None:
    """To deploy an older commit than what is live would be refused."""
    older = f"{REPOSITORY}:{BEFORE}"
    behind = lineage(head=info(LIVE), deployed=info(BEFORE), pending=(info(LIVE),))
    held = holdings(images={older: image(OLD, BEFORE), **WAY})
    pods = (pod(container(OTHER)),)
    seen = by_tag(older, registry=held, git=behind, cluster=workloads(image=older, pods=pods))

    found = {each.rule: each for each in judge(seen).findings}

    assert found.keys() == {"IMG007", "IMG011"}
    assert found["IMG007"].remedy.command == f"slipway deploy {TARGET.name} {LIVE}"


def test_where_automation_is_held_a_deploy_that_is_printed_says_why() -> None:
    seen = by_tag(
        registry=holdings(images={PLAIN: image(), **WAY}), ledger=memory(holds=(hold(1),))
    )

    [found] = judge(seen).findings

    words = shlex.split(found.remedy.command)
    assert words[:4] == ["slipway", "deploy", TARGET.name, LIVE.sha]
    assert words[4:] == ["--reason", found.remedy.sentence]


UNLABELLED = holdings(images={REFERENCE: image(revision=None), **WAY})


def test_an_image_without_a_label_gives_way_to_the_newest_commits() -> None:
    newer = lineage(head=info(HEAD), deployed=info(LIVE))

    [found] = judge(picture(registry=UNLABELLED, git=newer)).findings

    assert (found.rule, found.severity) == ("IMG009", Severity.WARNING)
    assert found.remedy.command == f"slipway deploy {TARGET.name} {HEAD}"


@pytest.mark.parametrize(("workflow", "head"), [("", LIVE), (".github/workflows/x.yml", HEAD)])
def test_where_no_deploy_would_label_it_a_person_may_adopt_it(workflow: str, head: Commit) -> None:
    target = replace(TARGET, workflow=workflow)
    git = lineage(head=info(head), deployed=info(LIVE))

    [found] = judge(picture(target=target, registry=UNLABELLED, git=git)).findings

    assert found.remedy.command == f"slipway deploy {TARGET.name} {LIVE} --adopt-image"


@pytest.mark.parametrize(
    "adopted",
    [
        release(request=Request(Kind.ADOPTED, REFERENCE, "slipway")),
        release(request=Request(Kind.DEPLOY, LIVE.sha, "ada", options=Options(adopt_image=True))),
        release(
            request=Request(Kind.DEPLOY, LIVE.sha, "ada", options=Options(adopt_image=True)),
            state=State.REFUSED,
            live_since=None,
            reason="unchanged: it runs already",
        ),
    ],
    ids=["at first contact", "by a person", "as it ran already"],
)
def test_an_image_that_was_adopted_needs_no_label(adopted: Release) -> None:
    known = memory(history=(adopted,))

    assert judge(picture(registry=UNLABELLED, ledger=known)).findings == ()


def test_an_image_that_was_adopted_and_did_not_go_live_is_no_exception() -> None:
    wanted = Request(Kind.DEPLOY, LIVE.sha, "ada", options=Options(adopt_image=True))
    tried = release(request=wanted, state=State.RESTORED, live_since=None)

    [found] = judge(
        picture(registry=UNLABELLED, ledger=memory(history=(tried, release())))
    ).findings

    assert found.rule == "IMG009"


MISLABELLED = holdings(images={REFERENCE: image(revision=BEFORE), str(WAY_BACK): image()})


def test_where_the_newest_commit_has_its_own_image_it_is_deployed_for_a_mislabelled_one() -> None:
    newer = lineage(head=info(HEAD), deployed=info(LIVE))

    [found] = judge(picture(registry=MISLABELLED, git=newer)).findings

    assert found.remedy.command == f"slipway deploy {TARGET.name} {HEAD}"


def test_where_the_newest_commits_own_tag_is_mislabelled_another_image_is_the_way_out() -> None:
    [found] = judge(picture(registry=MISLABELLED, git=lineage(head=info(LIVE)))).findings

    # To deploy it would take the tag as it is.
    assert found.remedy.command.startswith(f"slipway rollback {TARGET.name} ")


@pytest.mark.parametrize("tag", [":main", ":latest", ""])
def test_a_tag_that_moves_is_found(tag: str) -> None:
    moving = f"{REPOSITORY}{tag}"
    seen = by_tag(
        moving,
        cluster=workloads(image=moving),
        registry=holdings(images={moving: image(), str(WAY_BACK): image()}),
    )

    [found] = judge(seen).findings

    assert found.rule == "IMG008"
    assert "imagePullPolicy IfNotPresent" in found.seen
    assert found.remedy.command == f"slipway deploy {TARGET.name} {LIVE}"


def test_where_every_pod_pulls_no_node_runs_an_old_copy_of_a_tag_that_moves() -> None:
    moving = f"{REPOSITORY}:main"
    seen = by_tag(
        moving,
        cluster=workloads(image=moving, pull_policy="Always"),
        registry=holdings(images={moving: image(), **WAY}),
    )

    [found] = judge(seen).findings

    assert (found.rule, found.seen) == ("IMG008", "tag main")


def test_a_policy_that_somebody_has_set_is_set_back_and_one_of_the_program_there() -> None:
    theirs = workloads(pull_policy="Never", pull_policy_managers=("kubectl-patch",))
    ours = workloads(pull_policy="Never", pull_policy_managers=("pulumi-kubernetes",))

    [by_hand] = judge(picture(cluster=theirs)).findings
    [by_program] = judge(picture(cluster=ours)).findings

    *words, patch = shlex.split(by_hand.remedy.command)
    assert words[-2:] == ["deployment", theirs.name]
    [container_] = json.loads(patch.removeprefix("--patch="))["spec"]["template"]["spec"][
        "containers"
    ]
    assert container_ == {"name": "adapter", "imagePullPolicy": "IfNotPresent"}
    assert by_program.remedy.command == f"pulumi up --stack {TARGET.stack}"


def test_a_commits_tag_without_its_digest_is_as_the_seed_writes_it() -> None:
    plain = f"{REPOSITORY}:{LIVE}"
    seen = by_tag(
        plain,
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
