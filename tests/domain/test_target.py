"""Allowances: exact, and each only where it may stand."""

import pytest

from slipway.domain.target import Allowance
from slipway.errors import InvalidInput

URN = "urn:pulumi:prod::shop::kubernetes:core/v1:Service::web"
MARK = "0123456789ab"


@pytest.mark.parametrize(
    "path", ["spec.replicas", "*", "spec.ports[0].port", 'metadata.annotations["a:b@c/d"]']
)
def test_what_a_refusal_prints_is_read_as_it_was_meant(path: str) -> None:
    meant = Allowance(URN, path, MARK)

    assert Allowance.parse(str(meant)) == meant


@pytest.mark.parametrize(
    "text",
    [
        f"{URN}:spec.replicas",
        f"{URN}:*",
        f"{URN}:spec@abc",
        f"spec.replicas@{MARK}",
        f"{URN}@{MARK}",
        "",
    ],
)
def test_what_is_not_bound_to_a_change_is_no_approval(text: str) -> None:
    with pytest.raises(InvalidInput, match="as the refusal printed it"):
        Allowance.parse(text)


@pytest.mark.parametrize("text", [f"{URN}:*", f"{URN}:spec@{MARK}", "x", URN])
def test_what_a_target_allows_is_one_property(text: str) -> None:
    with pytest.raises(InvalidInput, match="one property"):
        Allowance.parse_standing(text)

    assert Allowance.parse_standing(f"{URN}:spec.ports") == Allowance(URN, "spec.ports")
