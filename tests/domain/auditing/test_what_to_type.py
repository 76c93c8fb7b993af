"""What findings print mends what is wrong, and has no word to fill in."""

import re
from dataclasses import replace

import pytest

from slipway.domain.auditing.picture import Applied, Program, Pull
from slipway.domain.auditing.rules import judge
from slipway.domain.commit import Commit
from tests.domain.auditing.pictures import (
    HEAD,
    LIVE,
    TARGET,
    info,
    lineage,
    memory,
    picture,
)
from tests.domain.auditing.troubled import TROUBLED

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
        (Pull("", "nobody may", rejected=True), REFRESH),
    ],
    ids=["rejected", "gone", "unreadable", "none named"],
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
