"""The ignore file hides what Docker's own rules hide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.dockerignore import IgnoreRules

NAMES = st.text("ab.*?[]!\\^-#", min_size=1, max_size=6)
PATHS = st.lists(st.text("ab.", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("text", "hidden", "seen"),
    [
        ("", [], ["a", "a/b"]),
        ("README.md", ["README.md"], ["docs/README.md", "README.mdx"]),
        ("**/*.md", ["a.md", "x/y/a.md"], ["a.mdx", "md"]),
        ("**/node_modules", ["node_modules/a", "x/node_modules/y/z"], ["node_modules2"]),
        ("docs", ["docs", "docs/a/b"], ["docs2", "a/docs"]),
        ("/docs/", ["docs/a"], ["a/docs/a"]),
        ("./docs/../src", ["src/a"], ["docs/a"]),
        ("*\n!keep.txt", ["a", "b/c"], ["keep.txt"]),
        ("*\n!src\nsrc/*.log", ["a", "src/x.log"], ["src/a.c", "src/deep/x.log"]),
        ("!a\na", ["a"], []),
        ("# a\n #b\n\n", [], ["a", "# a"]),
        ("  spaced  ", ["spaced"], []),
        ("a?c", ["abc"], ["ac", "a/c"]),
        ("[a-c]x", ["bx"], ["dx", "/x"]),
        ("[^a]x", ["bx"], ["ax"]),
        ("a.b", ["a.b"], ["axb"]),
        ("\\*", ["*"], ["a"]),
        ("a/**", ["a/b", "a/b/c"], ["b"]),
        ("a/**/z", ["a/z", "a/b/c/z"], ["az"]),
        ("\ufeffbom", ["bom"], []),
        ("$a(b)|+{}", ["$a(b)|+{}"], ["a"]),
        ("[^]", ["[^]"], ["a"]),
        ("[z-a]", ["[z-a]"], ["m"]),
    ],
)
def test_the_documented_rules_hold(text: str, hidden: list[str], seen: list[str]) -> None:
    rules = IgnoreRules.parse(text)

    assert [path for path in hidden if not rules.hides(path)] == []
    assert [path for path in seen if rules.hides(path)] == []


@given(st.lists(NAMES, max_size=5), PATHS)
def test_whatever_stands_in_the_file_it_can_be_read(lines: list[str], path: str) -> None:
    assert IgnoreRules.parse("\n".join(lines)).hides(path) in {True, False}


@given(st.from_regex(r"[ab]{1,2}(/[ab]{1,2}){0,2}", fullmatch=True), PATHS)
def test_a_hidden_folder_hides_all_in_it(folder: str, inside: str) -> None:
    assert IgnoreRules.parse(folder).hides(f"{folder}/{inside}")


@given(st.lists(NAMES, max_size=4), PATHS)
def test_keeping_everything_at_the_end_hides_nothing(lines: list[str], path: str) -> None:
    assert not IgnoreRules.parse("\n".join([*lines, "!**"])).hides(path)
