"""Agreement: one image pinned, applied and running, and known to be."""

from dataclasses import replace
from typing import Any

import pytest

from slipway.domain.agreement import Places, Unknown, disagreements
from slipway.domain.image import Digest

IMAGE = "ghcr.io/acme/shop/web:1"
INDEX, CHILD, OTHER = (Digest(f"sha256:{each * 64}") for each in "abc")
GOOD = Places(IMAGE, frozenset({INDEX, CHILD}), IMAGE, IMAGE, {"web-1": INDEX, "web-2": CHILD})


def test_one_image_everywhere_agrees_by_whichever_digest_it_runs() -> None:
    assert disagreements(GOOD) == []


@pytest.mark.parametrize("place", ["pinned", "accepted", "recorded", "asked", "running"])
def test_a_place_that_is_unknown_is_no_agreement(place: str) -> None:
    unknown: dict[str, Any] = {place: Unknown("no route")}

    told = disagreements(replace(GOOD, **unknown))

    assert [each for each in told if each.endswith("unknown: no route")] == told != []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"pinned": "other"}, "nobody has applied"),
        ({"pinned": None}, "ESC names no image"),
        ({"recorded": None}, "applied no image"),
        ({"asked": "other"}, "changed one without the other"),
        ({"asked": None, "running": {}}, "there is none"),
        ({"accepted": None}, "the registry has no image ghcr.io/acme/shop/web:1"),
        ({"running": {}}, "no pod is ready"),
        ({"running": {"web-1": INDEX, "web-2": OTHER}}, f"pod web-2 runs {OTHER}"),
        ({"running": {"web-1": None}}, "pod web-1 runs a digest that can't be read"),
    ],
)
def test_what_differs_is_told(changes: dict[str, Any], told: str) -> None:
    assert told in " ".join(disagreements(replace(GOOD, **changes)))
