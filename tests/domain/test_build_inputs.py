"""The build-inputs id changes exactly with what a build can see."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.build_inputs import SYMLINK, TreeEntry, build_inputs_id
from slipway.domain.dockerfile import WHOLE_CONTEXT, sources
from slipway.domain.target import Service

SERVICE = Service("adapter", "adapter", "ghcr.io/acme/adapter")
DOCKERFILE = "FROM base:1\nCOPY src/ /srv/\nRUN make\n"
IGNORE = "README.md\nsrc/*.log\n"
TREE = {
    "README.md": TreeEntry("100644", "readme"),
    "cluster/Pulumi.yaml": TreeEntry("100644", "program"),
    "adapter/.dockerignore": TreeEntry("100644", "ignore"),
    "adapter/Dockerfile": TreeEntry("100644", "dockerfile"),
    "adapter/README.md": TreeEntry("100644", "its-readme"),
    "adapter/notes.txt": TreeEntry("100644", "notes"),
    "adapter/src/main.c": TreeEntry("100644", "main"),
    "adapter/src/debug.log": TreeEntry("100644", "log"),
}

SEEN = {"adapter/src/main.c", "adapter/Dockerfile", "adapter/.dockerignore"}


def identity(tree: dict[str, TreeEntry], service: Service = SERVICE, text: str = DOCKERFILE) -> str:
    return build_inputs_id(tree, service, text, IGNORE)


@given(st.sampled_from(sorted(TREE)), st.text("0123456789abcdef", min_size=1, max_size=40))
def test_the_id_changes_exactly_with_a_file_that_the_build_sees(path: str, blob: str) -> None:
    changed = {**TREE, path: TreeEntry("100644", f"new-{blob}")}

    assert (identity(changed) != identity(TREE)) is (path in SEEN)


@given(st.permutations(sorted(TREE)))
def test_the_id_does_not_depend_on_the_order_of_the_tree(order: list[str]) -> None:
    assert identity({path: TREE[path] for path in order}) == identity(TREE)


@given(
    st.dictionaries(
        st.sampled_from(["adapter/src/a", "adapter/src/b", "adapter/x"]),
        st.text("ab", min_size=1, max_size=2),
    ),
    st.dictionaries(
        st.sampled_from(["adapter/src/a", "adapter/src/b", "adapter/x"]),
        st.text("ab", min_size=1, max_size=2),
    ),
)
def test_two_trees_have_one_id_exactly_when_what_is_seen_is_the_same(
    one: dict[str, str], other: dict[str, str]
) -> None:
    trees = [
        {**TREE, **{path: TreeEntry("100644", blob) for path, blob in more.items()}}
        for more in (one, other)
    ]
    seen = [{path: blob for path, blob in more.items() if "/src/" in path} for more in (one, other)]

    assert (identity(trees[0]) == identity(trees[1])) is (seen[0] == seen[1])


def test_a_file_that_becomes_executable_changes_the_id() -> None:
    changed = {**TREE, "adapter/src/main.c": TreeEntry("100755", "main")}

    assert identity(changed) != identity(TREE)


@pytest.mark.parametrize(
    "service",
    [
        replace(SERVICE, platform="linux/arm64"),
        replace(SERVICE, build_arguments=(("MODE", "release"),)),
        replace(SERVICE, context="."),
    ],
)
def test_how_the_service_is_built_belongs_to_the_id(service: Service) -> None:
    assert identity(TREE, service) != identity(TREE)


def test_what_a_service_is_called_does_not() -> None:
    renamed = replace(SERVICE, name="other", repository="ghcr.io/acme/other", source="https://x")

    assert identity(TREE, renamed) == identity(TREE)


def test_attributes_count_since_they_change_what_a_checkout_holds() -> None:
    assert identity({**TREE, ".gitattributes": TreeEntry("100644", "crlf")}) != identity(TREE)


def test_with_a_link_in_the_context_everything_counts() -> None:
    linked = {**TREE, "adapter/src/link": TreeEntry(SYMLINK, "to-notes")}
    changed = {**linked, "adapter/notes.txt": TreeEntry("100644", "changed")}

    assert identity(changed) != identity(linked)


@pytest.mark.parametrize(
    "undecidable",
    [
        "ARG D=src\nCOPY $D /srv/",
        "ADD https://example.com/x.tar /srv/",
        "COPY <<EOF /srv/x\nhello\nEOF",
        "RUN --mount=type=bind,target=/src make",
        "COPY --parents src /srv/",
        "COPY --from=$stage /a /b",
        "# syntax=docker/dockerfile:1\nFROM base\nCOPY src /srv",
        "COPY ../secret /srv/",
        "ADD git@example.com:x/y.git /srv/",
        "COPY . /srv/",
        "COPY ./ /srv/",
        "COPY / /srv/",
        'COPY [".", "/srv/"]',
        "COPY src/.. /srv/",
    ],
)
def test_what_cannot_be_decided_counts_as_the_whole_context(undecidable: str) -> None:
    assert sources(f"{undecidable}\n") == {WHOLE_CONTEXT}
    changed = {**TREE, "adapter/notes.txt": TreeEntry("100644", "changed")}
    assert identity(changed, text=undecidable) != identity(TREE, text=undecidable)
    hidden = {**TREE, "adapter/README.md": TreeEntry("100644", "changed")}
    assert identity(hidden, text=undecidable) == identity(TREE, text=undecidable)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("COPY a b /srv/", {"a", "b"}),
        ('COPY ["a b", "/srv/"]', {"a b"}),
        ("copy --chown=1:1 --chmod=755 a /srv/", {"a"}),
        ("ADD a.tar.gz /srv/", {"a.tar.gz"}),
        ("COPY --from=build /out /srv/", set()),
        ("COPY a \\\n  # why\n\n  b \\\n  /srv/", {"a", "b"}),
        ("# escape=`\nCOPY a `\n b /srv/", {"a", "b"}),
        ("COPY ./a/../b/ /srv/", {"b"}),
        ("COPY /a /srv/", {"a"}),
        ("COPY *.c h? /srv/", {"*.c", "h?"}),
        ("# COPY a /srv/\nRUN echo COPY b /srv/", set()),
        ("ONBUILD COPY . /srv/", set()),
        ("COPY a /srv/ \\", {"a"}),
        ("", set()),
    ],
)
def test_sources_are_read_in_every_form_that_docker_takes(text: str, named: set[str]) -> None:
    assert sources(text) == named


@pytest.mark.parametrize(
    ("source", "path", "reached"),
    [
        ("*.c", "main.c", True),
        ("*.c", "src/main.c", False),
        ("src", "src/deep/main.c", True),
        ("s?c/*.c", "src/main.c", True),
        ("s*", "src/deep/main.c", True),
        ("**", "src/deep/main.c", True),
        ("src/main", "src/main.c", False),
    ],
)
def test_a_pattern_reaches_what_docker_would_copy(source: str, path: str, reached: bool) -> None:  # noqa: FBT001 - a table's column
    text = f"COPY {source} /srv/\n"
    before = {f"adapter/{path}": TreeEntry("100644", "a")}
    after = {f"adapter/{path}": TreeEntry("100644", "b")}

    assert (identity(before, text=text) != identity(after, text=text)) is reached


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert isinstance(sources(text), frozenset)
