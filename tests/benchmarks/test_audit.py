"""Audits: how what was taken becomes rows, and when their promises hold."""

import json

import pytest

from benchmarks.audit import asked, lookups
from benchmarks.many_targets import COUNT, findings_in
from benchmarks.samples import series


def test_a_lookup_may_be_a_quarter_slower_than_a_bare_client() -> None:
    taken = {"ours": series(5.1), "limit": series(4.0), "peer": series(200.0)}

    assert {each.id: each.ok for each in lookups(taken)} == {"P5": False, "P5-skopeo": True}


def test_ten_requests_are_little_and_eleven_too_many() -> None:
    promises = {each.id: each.ok for each in asked(series(10.0), series(11.0))}

    assert promises == {"P7": True, "P7-index": False}


def report(count: int = COUNT, unknown: str = "") -> str:
    seen = {"image": "r/a:b", "unknown": {"ESC": unknown} if unknown else {}}
    return json.dumps({"targets": [seen] * count, "findings": [{}, {}]})


def test_an_audit_that_saw_all_targets_is_counted_by_its_findings() -> None:
    assert findings_in(f"a warning\n{report()}\nanother") == 2


@pytest.mark.parametrize("broken", [report(COUNT - 1), report(unknown="no answer")])
def test_an_audit_that_missed_a_target_is_no_measurement(broken: str) -> None:
    with pytest.raises(RuntimeError, match="targets were not seen"):
        findings_in(broken)
