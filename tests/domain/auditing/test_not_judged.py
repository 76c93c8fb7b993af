"""What a rule can't judge it does not call quiet: it says why."""

import pytest

from slipway.domain.agreement import Unknown
from slipway.domain.auditing.picture import Pull
from slipway.domain.auditing.rules import judge
from slipway.domain.workloads import Container
from slipway.tasks.audit_report import what_runs
from tests.domain.auditing.pictures import CHILD, DIGEST, OLD, container, picture, pod, workloads


def test_a_rule_that_could_not_be_judged_says_why() -> None:
    judged = judge(picture(registry=Unknown("no route to ghcr.io")))

    assert judged.unjudged >= {"IMG001", "IMG004"}
    assert set(judged.reasons.values()) == {"no route to ghcr.io"}


def test_an_id_of_several_rules_has_the_reasons_of_all_once() -> None:
    judged = judge(picture(stack=Unknown("the CLI is gone"), config=Unknown("ESC is down")))

    assert judged.reasons["IMG006"] == "ESC is down; the CLI is gone"


DENIED = container(
    ready=False, image_id="", waiting="ErrImagePull", waiting_message="401 Unauthorized"
)
NOBODYS = (Pull("", "anonymous may not pull", rejected=True),)


def test_nodes_may_have_credentials_that_the_api_does_not_show() -> None:
    judged = judge(picture(pulls=NOBODYS))

    assert judged.findings == ()
    assert set(judged.reasons) == {"IMG003"}
    assert "anonymous may not pull" in judged.reasons["IMG003"]
    assert "registries.yaml" in judged.reasons["IMG003"]
    assert "1 ready pods run the image" in judged.reasons["IMG003"]


@pytest.mark.parametrize("unlike", [container(OLD), container(ready=False)])
def test_where_no_pod_shows_that_a_node_can_pull_it_is_not_told_either(unlike: Container) -> None:
    judged = judge(picture(pulls=NOBODYS, cluster=workloads(pods=(pod(unlike),))))

    assert "IMG003" not in {each.rule for each in judged.findings}
    assert "no ready pod shows" in judged.reasons["IMG003"]


def test_a_pod_whose_node_was_denied_the_image_is_evidence() -> None:
    seen = workloads(pods=(pod(), pod(DENIED, name="adapter-1-b")))

    judged = judge(picture(pulls=NOBODYS, cluster=seen))

    [found] = [each for each in judged.findings if each.rule == "IMG003"]
    assert found.seen == "anonymous may not pull; pod adapter-1-b: 401 Unauthorized"
    assert "name a pull secret" in found.remedy.sentence
    assert judged.unjudged == frozenset()


def test_a_pull_secret_that_is_named_and_rejected_is_one_whatever_runs() -> None:
    [found] = judge(picture(pulls=(Pull("creds", "401", rejected=True),))).findings

    assert found.rule == "IMG003"


ODD = ["", "0" * 64, f"docker://{'0' * 64}", f"{DIGEST}-dirty", "x@sha256:abc"]


@pytest.mark.parametrize("image_id", ODD)
def test_a_ready_pod_whose_image_the_runtime_does_not_tell_is_not_taken_for_right(
    image_id: str,
) -> None:
    seen = picture(cluster=workloads(pods=(pod(container(image_id=image_id)),)))

    judged = judge(seen)

    assert judged.findings == ()
    assert set(judged.reasons) == {"IMG007"}
    assert "pod adapter-1-a (imageID " in judged.reasons["IMG007"]
    assert what_runs(seen)["runs"] == "?"


@pytest.mark.parametrize(
    "image_id", [str(CHILD), f"docker-pullable://x@{CHILD}", f"docker://{CHILD}", f"x@{DIGEST}"]
)
def test_a_ready_pod_is_known_by_any_form_that_ends_in_a_digest(image_id: str) -> None:
    judged = judge(picture(cluster=workloads(pods=(pod(container(image_id=image_id)),))))

    assert (judged.findings, judged.unjudged) == ((), frozenset())


def test_a_ready_pod_without_the_container_tells_nothing_of_it() -> None:
    other = container(name="sidecar")

    judged = judge(picture(cluster=workloads(pods=(pod(other),))))

    assert set(judged.reasons) == {"IMG007"}


def test_beside_a_pod_of_another_image_one_that_is_not_told_is_said() -> None:
    pods = (pod(container(OLD)), pod(container(image_id=""), name="adapter-1-b"))

    [found] = judge(picture(cluster=workloads(replicas=2, updated=2, pods=pods))).findings

    assert found.rule == "IMG007"
    assert found.seen.endswith("does not tell the image of pod adapter-1-b (imageID '')")
