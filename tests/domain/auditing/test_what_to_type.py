"""What findings print mends what is wrong, and has no word to fill in."""

import re
from dataclasses import replace

import pytest

from slipway.domain.auditing.picture import Applied, Program, Pull
from slipway.domain.auditing.rules import judge
from slipway.domain.commit import Commit
from slipway.domain.hold import Hold
from slipway.domain.image import ImageReference, PublishedImage
from slipway.domain.workloads import Workloads
from tests.domain.auditing.pictures import (
    BEFORE,
    DIGEST,
    HEAD,
    LIVE,
    NOW,
    OLD,
    REPOSITORY,
    TARGET,
    WAY_BACK,
    config,
    container,
    holdings,
    image,
    info,
    lineage,
    memory,
    picture,
    pod,
    workloads,
)
from tests.domain.auditing.troubled import OTHER, TROUBLED

REFRESH = f"pulumi up --refresh --stack {TARGET.stack}"


@pytest.mark.parametrize(
    ("pull", "typed"),
    [
        (Pull("creds", "401", rejected=True), f"pulumi up --stack {TARGET.stack}"),
        (Pull("creds", "no such secret"), REFRESH),
        (
            Pull("creds", "no JSON", unreadable=True),
            f"kubectl --namespace apps delete secret creds && {REFRESH}",
        ),
    ],
    ids=["rejected", "gone", "unreadable"],
)
def test_a_pull_secret_is_made_anew_as_what_is_wrong_with_it_asks(pull: Pull, typed: str) -> None:
    [found] = judge(picture(pulls=(pull,))).findings

    assert found.remedy.command == typed


def test_what_keeps_the_program_from_the_key_is_taken_away_by_a_commit() -> None:
    def typed(program: Program) -> str:
        [found] = judge(picture(program=program)).findings
        return found.remedy.command

    file = "cluster/Pulumi.prod.yaml"
    key, stack = TARGET.config_key, TARGET.stack
    assert typed(Program(file, shadow="x")).startswith(
        f"pulumi config rm {key.key} --stack {stack} && git commit "
    )
    assert typed(Program(file, problem="does not import it", lacks_import=True)).startswith(
        f"pulumi config env add {key.project}/{key.environment} --stack {stack} --yes && git "
    )
    assert typed(Program(file, mentions_key=False)) == ""


def test_no_remedy_has_a_word_to_fill_in() -> None:
    bare = memory(history=(), ways_back=(), published={})
    pictures = [seen for _, seen in TROUBLED.values()]
    pictures += [replace(each, ledger=bare) for each in pictures]

    for each in pictures:
        for found in judge(each).findings:
            assert not re.search(r"\b(?:COMMIT|IMAGE|TARGET)\b", found.remedy.command), found


def test_a_deployment_that_nobody_has_ever_made_is_made_by_its_first_deploy() -> None:
    bare = memory(history=(), ways_back=(), published={})

    [found] = judge(picture(cluster=None, stack=Applied(None), ledger=bare)).findings

    assert found.remedy.command == f"slipway deploy {TARGET.name} {LIVE} --first"


def test_a_commit_that_is_vetoed_is_not_what_a_finding_asks_to_deploy() -> None:
    """It was measured bad, or somebody said so: its deploy would be refused."""
    older = Commit("3" * 40)
    waiting = lineage(head=info(HEAD), pending=(info(HEAD), info(older)))

    def typed(*vetoed: Commit) -> str:
        known = memory(vetoed=frozenset(vetoed))
        [found] = judge(picture(git=waiting, ledger=known)).findings
        return found.remedy.command

    assert typed() == f"slipway deploy {TARGET.name} {HEAD}"
    assert typed(HEAD) == f"slipway deploy {TARGET.name} {older}"
    assert typed(HEAD, older) == ""


def test_what_follows_a_vetoed_commit_and_changes_nothing_is_refused_with_it() -> None:
    docs = lineage(head=info(Commit("3" * 40)), pending=(info(HEAD),))

    [found] = judge(picture(git=docs, ledger=memory(vetoed=frozenset({HEAD})))).findings

    assert found.remedy.command == ""
    assert "vetoed" in found.remedy.sentence


def test_what_is_live_and_vetoed_is_gone_back_from() -> None:
    """Its deploy would be refused, whatever else is wrong."""
    vetoed = memory(vetoed=frozenset({LIVE}))
    seen = picture(config=config(str(WAY_BACK)), ledger=vetoed)

    [found] = judge(seen).findings
    [nowhere] = judge(replace(seen, ledger=replace(vetoed, ways_back=()))).findings

    assert found.rule == nowhere.rule == "IMG006"
    assert found.remedy.command == (
        f"slipway rollback {TARGET.name} --no-way-back --reason '{LIVE.short} is vetoed'"
    )
    assert nowhere.remedy.command == f"slipway candidates {TARGET.name}"


def test_what_is_live_and_vetoed_is_no_better_than_what_crashes() -> None:
    by_hand = f"{REPOSITORY}:{HEAD}@{OTHER}"
    crashing = pod(container(ready=False, waiting="CrashLoopBackOff"), "b")
    seen = picture(
        config=config(by_hand),
        stack=Applied(by_hand),
        cluster=workloads(image=by_hand, pods=(pod(replica_set="adapter-0"), crashing)),
        registry=holdings(images={by_hand: image(OTHER, HEAD), str(WAY_BACK): image(OLD, BEFORE)}),
        ledger=memory(vetoed=frozenset({LIVE})),
    )

    [found] = [each for each in judge(seen).findings if each.rule == "IMG013"]

    assert found.remedy.command.startswith(f"slipway rollback {TARGET.name} ")


def test_where_a_vetoed_commit_is_asked_for_what_is_live_is_deployed() -> None:
    by_hand = f"{REPOSITORY}:{HEAD}"
    seen = picture(
        config=config(by_hand),
        cluster=workloads(image=by_hand, pods=(pod(container(OTHER)),)),
        registry=holdings(images={by_hand: image(OTHER, HEAD), str(WAY_BACK): image(OLD, BEFORE)}),
        ledger=memory(vetoed=frozenset({HEAD})),
    )

    found = {each.about: each.remedy.command for each in judge(seen).findings}

    assert found[str(TARGET.config_key)] == f"slipway deploy {TARGET.name} {LIVE}"


@pytest.mark.parametrize(
    ("what", "rule"),
    [
        ("ESC was edited", "IMG006"),
        ("a change waits", "IMG011"),
        ("a pod crashes", "IMG013"),
        ("no label says what it was built from", "IMG009"),
        ("the image is gone", "IMG001"),
        ("a part of the index is gone", "IMG010"),
    ],
)
@pytest.mark.parametrize("manager", ["argocd-controller", "kubectl-edit"])
def test_what_is_refused_while_another_manager_owns_the_image_comes_after_that_is_mended(
    what: str, rule: str, manager: str
) -> None:
    _, troubled = TROUBLED[what]
    assert isinstance(troubled.cluster, Workloads)
    owners, places = ("pulumi-kubernetes", manager), ((0, "pulumi-kubernetes"), (1, manager))
    shared = replace(troubled.cluster, image_managers=owners, owner_places=places)

    found = {each.rule: each.remedy for each in judge(replace(troubled, cluster=shared)).findings}
    [alone] = [each.remedy for each in judge(troubled).findings if each.rule == rule]
    owned = found["SYS004" if manager.startswith("kubectl") else "SYS003"]

    assert found[rule].command == owned.command
    assert found[rule].sentence.endswith(alone.sentence)


def test_a_missing_image_that_only_esc_names_takes_nothing_back_that_runs_well() -> None:
    missing = f"{REPOSITORY}:{HEAD}"
    seen = picture(
        config=config(missing),
        registry=holdings(images={**holdings().images, missing: None}),
    )

    found = {each.rule: each.remedy.command for each in judge(seen).findings}

    assert found == dict.fromkeys(("IMG001", "IMG006"), f"slipway deploy {TARGET.name} {LIVE}")


def test_a_missing_image_that_nobody_applied_is_given_back_to_pulumi() -> None:
    missing = f"{REPOSITORY}:{HEAD}"
    unready = pod(container(ready=False, waiting="ErrImagePull"), "b", replica_set="b")
    seen = picture(
        cluster=workloads(image=missing, pods=(pod(), unready)),
        registry=holdings(images={**holdings().images, missing: None}),
    )

    found = {each.rule: each.remedy.command for each in judge(seen).findings}

    assert set(found) == {"IMG001", "IMG006", "IMG013"}
    assert len(set(found.values())) == 1
    assert "kubectl apply --server-side" in found["IMG001"]


def test_what_was_rolled_back_is_not_what_a_finding_asks_to_deploy() -> None:
    waiting = lineage(head=info(HEAD), pending=(info(HEAD),))
    held = Hold(1, TARGET.name, "it ate the queue", "ada", NOW, about=HEAD)

    [found] = judge(picture(git=waiting, ledger=memory(holds=(held,)))).findings

    assert found.remedy.command == ""
    assert "rolled back" in found.remedy.sentence


def test_a_tag_is_not_pointed_back_at_an_image_that_is_gone() -> None:
    published = str(ImageReference(REPOSITORY, digest=DIGEST))
    old, tags = holdings(), {**holdings().tags, BEFORE.sha: OTHER}
    recorded = memory(published={BEFORE.sha: DIGEST})

    def typed(images: dict[str, PublishedImage | None]) -> str:
        held = holdings(images={**old.images, **images}, tags=tags)
        found = judge(picture(registry=held, ledger=recorded)).findings
        [command] = [each.remedy.command for each in found if each.rule == "IMG004"]
        return command

    assert typed({published: image()}).startswith("skopeo copy ")
    assert "skopeo" not in typed({published: None})
