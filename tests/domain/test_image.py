"""References are read whole or refused; the digest is the identity."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.commit import Commit
from slipway.domain.image import Digest, ImageReference
from slipway.errors import InvalidInput

DIGEST = "sha256:" + "a" * 64
HOSTS = st.sampled_from(["ghcr.io", "127.0.0.1:5000", "registry.example:443"])
PATHS = st.lists(st.from_regex(r"[a-z0-9]+([._-][a-z0-9]+)?", fullmatch=True), min_size=1)
TAGS = st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
DIGESTS = st.none() | st.text("0123456789abcdef", min_size=64, max_size=64).map(
    lambda text: Digest(f"sha256:{text}")
)


@given(HOSTS, PATHS, TAGS, DIGESTS)
def test_what_is_written_is_read_back(
    host: str, path: list[str], tag: str | None, digest: Digest | None
) -> None:
    reference = ImageReference("/".join([host, *path]), tag, digest)

    assert ImageReference.parse(str(reference)) == reference
    assert reference.host == host
    assert reference.path == "/".join(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ubuntu",
        "ghcr.io/Acme/shop",
        "ghcr.io/acme/shop:",
        "ghcr.io/acme/shop@",
        "ghcr.io/acme/shop:a b",
        "ghcr.io/acme/shop@sha256:abc",
        "ghcr.io/acme/shop:tag\n",
        "ghcr.io//shop",
        "ghcr.io/acme/shop:x;rm -rf",
        f"ghcr.io/acme/shop@{DIGEST.upper()}",
    ],
)
def test_what_is_not_a_whole_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        ImageReference.parse(text)


@given(st.text(max_size=200))
def test_no_text_crashes_the_parser(text: str) -> None:
    try:
        reference = ImageReference.parse(text)
    except InvalidInput:
        return

    assert ImageReference.parse(str(reference)) == reference


def test_the_commit_of_a_reference_is_its_forty_character_tag() -> None:
    commit = "1" * 40

    assert ImageReference.parse(f"ghcr.io/acme/shop:{commit}").commit == Commit(commit)
    assert ImageReference.parse("ghcr.io/acme/shop:main").commit is None
    assert ImageReference.parse(f"ghcr.io/acme/shop@{DIGEST}").commit is None
