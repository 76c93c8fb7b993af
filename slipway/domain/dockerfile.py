"""What a Dockerfile takes from its build context, as far as that can be told without running it."""

import json
import re
from collections.abc import Iterator

_DIRECTIVE = re.compile(r"#\s*([A-Za-z]+)\s*=\s*(\S+)\s*")
_HEREDOC = re.compile(r"<<-?[\"']?[A-Za-z_]")
_REMOTE = re.compile(r"(?:https?|ftp|git|ssh)://|git@|.*\.git(?:#|$)")
_HARMLESS_FLAGS = ("--chown=", "--chmod=", "--link", "--from=")

WHOLE_CONTEXT = "."


def sources(dockerfile: str) -> frozenset[str]:
    """The paths and patterns of the context that COPY and ADD name.

    `WHOLE_CONTEXT` alone wherever something can't be decided: a variable in a source, a remote one,
    a here-document, a mount, an unknown flag, a frontend of its own (`# syntax=`). Copies from
    other stages and images take nothing from the context. What `ONBUILD` triggers of a base image
    copy can't be seen from here.
    """
    if "syntax" in dict(_directives(dockerfile)):
        return frozenset({WHOLE_CONTEXT})
    found: set[str] = set()
    for instruction, rest in _instructions(dockerfile):
        taken = _taken(instruction, rest)
        if taken is None:
            return frozenset({WHOLE_CONTEXT})
        found |= taken
    return frozenset({WHOLE_CONTEXT}) if WHOLE_CONTEXT in found else frozenset(found)


def _taken(instruction: str, rest: str) -> set[str] | None:
    """What one instruction takes from the context; None if that can't be told."""
    if _HEREDOC.search(rest) or (instruction == "RUN" and "--mount" in rest):
        return None
    if instruction not in {"COPY", "ADD"}:
        return set()
    flags, words = _words(rest)
    if not all(each.startswith(_HARMLESS_FLAGS) for each in flags) or "$" in "".join(flags):
        return None
    if any(each.startswith("--from=") for each in flags):
        return set()
    named = words[:-1]
    if any("$" in each or _REMOTE.match(each) for each in named):
        return None
    cleaned = {_clean(each) for each in named}
    return None if any(each.startswith("..") for each in cleaned) else cleaned


def _words(rest: str) -> tuple[list[str], list[str]]:
    """Flags and arguments, in either of Docker's two forms."""
    flags = []
    while (found := re.match(r"(--\S+)\s*", rest)) is not None:
        flags.append(found.group(1))
        rest = rest[found.end() :]
    try:
        listed = json.loads(rest)
    except ValueError:
        listed = None
    if isinstance(listed, list) and all(isinstance(each, str) for each in listed):
        return flags, listed
    return flags, rest.split()


def _clean(source: str) -> str:
    """A source relative to the context; Docker reads a leading slash as the context's root."""
    kept: list[str] = []
    for part in source.split("/"):
        if part == ".." and kept and kept[-1] != "..":
            kept.pop()
        elif part not in {"", "."}:
            kept.append(part)
    return "/".join(kept) or WHOLE_CONTEXT


def _directives(dockerfile: str) -> Iterator[tuple[str, str]]:
    """The parser directives, which stand before anything else."""
    for line in dockerfile.removeprefix("\ufeff").splitlines():
        found = _DIRECTIVE.fullmatch(line.strip())
        if found is None:
            return
        yield found.group(1).lower(), found.group(2)


def _instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    escape = dict(_directives(dockerfile)).get("escape", "\\")
    pending = ""
    for line in dockerfile.removeprefix("\ufeff").splitlines():
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.endswith(escape):
            pending += text.removesuffix(escape) + " "
            continue
        instruction, _, rest = (pending + text).strip().partition(" ")
        pending = ""
        yield instruction.upper(), rest.strip()
    if pending.strip():
        instruction, _, rest = pending.strip().partition(" ")
        yield instruction.upper(), rest.strip()
