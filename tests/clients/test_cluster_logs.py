"""What a real API server (Kubernetes 1.34) showed of bad images, look by look, and its judgement.

Recorded twice a second while a release went on; a look that showed nothing new is left out, and so
are addresses, the node's name and managed fields.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.clients.kubernetes_objects import read_workloads
from slipway.domain.image import Digest
from slipway.domain.rollout import PULL_GRACE, Expectation, Judgement, Verdict, Watch, judge
from slipway.domain.workloads import Workloads

LOGS = Path(__file__).parent / "cluster_logs"
OTHER = Digest("sha256:" + "0" * 64)


def looks(name: str) -> list[tuple[float, Workloads]]:
    """When, in seconds, and what was seen."""
    recorded = [json.loads(line) for line in (LOGS / f"{name}.jsonl").read_text().splitlines()]
    return [
        (
            each["at"],
            read_workloads(each["deployment"], each["replica_sets"], each["pods"], "adapter"),
        )
        for each in recorded
    ]


def judged(name: str) -> Iterator[Judgement]:
    """The judgement of each look, in the light of those before."""
    seen, watch = looks(name), Watch()
    expected = Expectation(seen[-1][1].image, frozenset({OTHER}), "adapter")
    for at, workloads in seen:
        watch, judgement = judge(expected, watch, workloads, at)
        yield judgement


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("crashes", "has ended 2 times: Error, exit code 1"),
        ("never-ready", "has ended 2 times: Completed, exit code 0"),
        ("out-of-memory", "was OOMKilled: it needs more than its limit"),
    ],
)
def test_a_bad_image_is_disproven_by_its_new_pod_and_not_before_its_time(
    name: str, why: str
) -> None:
    *before, last = judged(name)

    assert {each.verdict for each in before} == {Verdict.WAITING}
    assert last.verdict is Verdict.DISPROVEN
    assert why in last.why
    _, seen = looks(name)[-1]
    [new] = [each for each in seen.pods if each.name == last.pod]
    assert {each.name: each.image for each in seen.replica_sets}[new.replica_set] == seen.image


def test_a_registry_that_is_away_is_waited_for_and_then_the_image_is_disproven() -> None:
    seen = looks("registry-away")
    failed, _ = next(each for each in seen if "ImagePull" in repr(each[1]))
    at, last = seen[-1]
    expected = Expectation(last.image, frozenset({OTHER}), "adapter")
    watch = Watch()
    for when, workloads in seen:
        watch, judgement = judge(expected, watch, workloads, when)
        assert judgement.verdict is Verdict.WAITING

    _, judgement = judge(expected, watch, last, failed + PULL_GRACE)

    assert at < failed + PULL_GRACE
    assert judgement.verdict is Verdict.DISPROVEN
    assert "connection refused" in judgement.why


@pytest.mark.parametrize("name", ["crashes", "never-ready", "out-of-memory", "registry-away"])
def test_the_old_pod_runs_on_beside_the_bad_one_and_is_never_blamed(name: str) -> None:
    _, first = looks(name)[0]
    [old] = [each for each in first.pods if each.ready]

    for _, seen in looks(name):
        assert old.name in {each.name for each in seen.pods if each.ready}
    assert old.name not in {each.pod for each in judged(name)}
