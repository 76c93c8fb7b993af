"""Which files of a build context a build can see, as Docker's own `.dockerignore` rules have it.

The rules are those of moby/patternmatcher (`MatchesOrParentMatches`) and of its ignorefile reader.
"""

import posixpath
import re
from dataclasses import dataclass
from typing import Self

_SPECIAL_IN_CLASS = re.compile(r"[\\\[&~|]")


@dataclass(frozen=True, slots=True)
class _Pattern:
    expression: re.Pattern[str]
    keeps: bool

    def fits(self, path: str) -> bool:
        """Whether the pattern names the path or a folder that it lies in."""
        return any(self.expression.fullmatch(each) for each in _self_and_parents(path))


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """A `.dockerignore` file, read."""

    patterns: tuple[_Pattern, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the file's text; an empty one hides nothing."""
        return cls(tuple(filter(None, map(_pattern, text.removeprefix("\ufeff").splitlines()))))

    def hides(self, path: str) -> bool:
        """Whether the file at `path` inside the context is left out; the last word counts."""
        hidden = False
        for each in self.patterns:
            if hidden is each.keeps and each.fits(path):
                hidden = not each.keeps
        return hidden


def translate(pattern: str, *, doublestar: bool) -> re.Pattern[str]:
    """Go's path pattern as a regular expression; without `doublestar`, `**` is just two stars."""
    out, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*" and doublestar and pattern[at : at + 1] == "*":
            at += 1
            if pattern[at : at + 1] == "/":
                at += 1
            out += ".*" if at >= len(pattern) else "(?:.*/)?"
        elif char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif char == "[" and (end := pattern.find("]", at + 1)) > 0:
            out += _character_class(pattern[at:end])
            at = end + 1
        elif char == "\\" and at < len(pattern):
            out += re.escape(pattern[at])
            at += 1
        else:
            out += re.escape(char)
    try:
        return re.compile(out, re.DOTALL)
    except re.error:
        # An empty class or a range backwards: Docker refuses to build with such a line.
        return re.compile(re.escape(pattern))


def _character_class(inside: str) -> str:
    negated = inside.startswith("^")
    members = _SPECIAL_IN_CLASS.sub(r"\\\g<0>", inside[1:] if negated else inside)
    return f"[{'^' if negated else ''}{members}]"


def _pattern(line: str) -> _Pattern | None:
    if line.startswith("#"):
        return None
    text = line.strip()
    keeps = text.startswith("!")
    if keeps:
        text = text[1:].strip()
    if not text:
        return None
    cleaned = posixpath.normpath(text)
    if len(cleaned) > 1:
        cleaned = cleaned.lstrip("/")
    return _Pattern(translate(cleaned, doublestar=True), keeps)


def _self_and_parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
