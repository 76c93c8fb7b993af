"""The example's git repository: its history made by code, the same commits wherever it is made."""

import argparse
import hashlib
import itertools
import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TEMPLATES = Path(__file__).parents[1] / "examples"
AUTHOR = "Example Author <author@example.invalid>"
FIRST_SECOND = 1_767_603_600
"""2026-01-05 09:00 UTC; each commit comes an hour after the one before."""

ADAPTER = "adapter/src"
SINK = "sink/src"


@dataclass(frozen=True, slots=True)
class Edit:
    """A file's change: a passage for another one, or (without a passage) its whole text."""

    path: str
    new: str
    old: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One commit on the main line: its name in tests, its subject, and what it changes."""

    name: str
    subject: str
    edits: tuple[Edit, ...] = ()


def adapter(name: str, subject: str, *edits: Edit) -> Step:
    """A commit that gives the adapter a new release, named like the commit itself."""
    return Step(name, subject, (Edit(f"{ADAPTER}/release", f"{name}\n"), *edits))


_START = f"{ADAPTER}/start.sh"
_ANSWER = f"{ADAPTER}/answer.sh"
_PROGRAM = "cluster/Pulumi.yaml"
_LISTEN = "nc -ll -p 8080 -e /srv/answer.sh &\n"
_OPEN_MODELS = 'echo "ls-triton-adapter: models.json: no such file or directory" >&2\nexit 1\n'
CRASH = Edit(f"{ADAPTER}/start.sh", _OPEN_MODELS + _LISTEN, _LISTEN)
"""Makes the adapter end at its start."""
WELL = Edit(f"{ADAPTER}/start.sh", _LISTEN, _OPEN_MODELS + _LISTEN)
"""Takes that back."""
_WARM_UP = "cache=$(head -c 200000000 /dev/zero | tr '\\0' x)\necho \"cached ${#cache} bytes\"\n"
_LOSE = 'sleep 4\necho "ls-triton-adapter: lost the model server" >&2\nexit 1\n'
_WAIT = 'wait "$server"\n'

MAIN_LINE = (
    Step("first", "Serve health and the release's name"),
    adapter(
        "second", "Name the adapter in full", Edit(_ANSWER, '\\"ls-triton-adapter', '\\"adapter')
    ),
    adapter(
        "third", "Say when the adapter stops", Edit(_START, "trap 'echo stops; kill", "trap 'kill")
    ),
    Step(
        "docs_only",
        "Explain what the adapter does when the model server is away",
        (
            Edit(
                "adapter/README.md",
                "# ls-triton-adapter\n\nAnswers 404 while the model server is away.\n",
            ),
        ),
    ),
    adapter("does_not_compile", "Answer HEAD too", Edit(_ANSWER, "  # HEAD has no body\n", "fi\n")),
    adapter(
        "crashes",
        "Read the list of models at the start",
        Edit(_ANSWER, "fi\n", "  # HEAD has no body\n"),
        CRASH,
    ),
    adapter(
        "never_ready",
        "Wait for the model server before being ready",
        WELL,
        Edit(_ANSWER, '"503 Service Unavailable"', '"200 OK"'),
    ),
    adapter(
        "out_of_memory",
        "Keep the tensors in memory",
        Edit(_ANSWER, '"200 OK"', '"503 Service Unavailable"'),
        Edit(_START, _WARM_UP + _LISTEN, _LISTEN),
    ),
    adapter(
        "dies_soon",
        "Watch the model server",
        Edit(_START, _LISTEN, _WARM_UP + _LISTEN),
        Edit(_START, _LOSE, _WAIT),
    ),
    adapter(
        "breaks_program",
        "Read the adapter's image by another name",
        Edit(_START, _WAIT, _LOSE),
        Edit(_PROGRAM, "image: ${imageOfTheAdapter}", "image: ${adapterImage}"),
    ),
    adapter(
        "changes_more",
        "Run two adapters",
        Edit(_PROGRAM, "image: ${adapterImage}", "image: ${imageOfTheAdapter}"),
        Edit(_PROGRAM, "replicas: 2", "replicas: 1"),
    ),
    adapter("fourth", "Run one adapter again", Edit(_PROGRAM, "replicas: 1", "replicas: 2")),
    Step("sink_second", "Name the sink's second release", (Edit(f"{SINK}/release", "second\n"),)),
)
"""Oldest first; a merge (`inside_merge`, `merge`) and `fifth` follow.

The image of `breaks_program` and of `changes_more` is good: it is the program of these commits that
a preview finds broken, or changing more than the image.
"""

INSIDE_MERGE = adapter("inside_merge", "Prepare the fifth release")
FIFTH = adapter("fifth", "Release for the fifth time")
SIDE = adapter("side", "Try something beside the main line")
TWINS = ("twin_a", "twin_b")
"""Two commits beside the main line whose names begin with the same seven characters."""


@dataclass(slots=True)
class _Import:
    """A stream for `git fast-import`."""

    templates: Mapping[str, tuple[str, bytes]]
    trees: dict[str, dict[str, tuple[str, bytes]]] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    out: list[bytes] = field(default_factory=list)

    def commit(self, step: Step, branch: str, parents: Sequence[str]) -> None:
        """Apply a step to its last parent's files and record the result as a commit.

        A merge takes the merged branch's files: the main line has not moved meanwhile.
        """
        files = dict(self.trees[parents[-1]] if parents else self.templates)
        for edit in step.edits:
            files[edit.path] = _edited(files, edit)
        self.trees[step.name] = files
        mark = self.marks[step.name] = len(self.marks) + 1
        who = f"{AUTHOR} {FIRST_SECOND + 3600 * mark} +0000"
        self._line(f"commit refs/heads/{branch}\nmark :{mark}\nauthor {who}\ncommitter {who}")
        self._data(f"{step.subject}\n".encode())
        for verb, parent in zip(("from", "merge"), parents, strict=False):
            self._line(f"{verb} :{self.marks[parent]}")
        self._line("deleteall")
        for path, (mode, content) in sorted(files.items()):
            self._line(f"M {mode} inline {path}")
            self._data(content)

    def _line(self, text: str) -> None:
        self.out.append(text.encode() + b"\n")

    def _data(self, content: bytes) -> None:
        self.out.append(b"data %d\n%s\n" % (len(content), content))


def make_repository(repository: Path, templates: Path = TEMPLATES) -> dict[str, str]:
    """Make the bare repository, unless it is there; the commits by their names."""
    marks = repository / "slipway-marks"
    stream = _history(_templates(templates))
    if not marks.exists():
        repository.mkdir(parents=True, exist_ok=True)
        _git(repository, "init", "--quiet", "--bare", "--initial-branch=main", ".")
        _git(
            repository,
            "fast-import",
            "--quiet",
            f"--export-marks={marks.resolve()}",
            stdin=b"".join(stream.out),
        )
    by_mark = dict(line.split() for line in marks.read_text().splitlines())
    commits = {name: by_mark[f":{mark}"] for name, mark in stream.marks.items()}
    return commits | _add_twins(repository, commits["side"])


def push(repository: Path, step: Step, branch: str = "main") -> str:
    """Commit a step on top of a branch, as somebody's push does; the new commit."""
    parent = _git(repository, "rev-parse", branch).decode().strip()
    who = f"{AUTHOR} {int(time.time())} +0000"
    out = [f"commit refs/heads/{branch}\nauthor {who}\ncommitter {who}\n".encode()]
    out += [b"data %d\n%s\n" % (len(step.subject), step.subject.encode())]
    out += [f"from {parent}\n".encode()]
    for edit in step.edits:
        listed = _git(repository, "ls-tree", parent, edit.path).split()
        content = _git(repository, "cat-file", "blob", f"{parent}:{edit.path}")
        mode, text = _edited({edit.path: (listed[0].decode(), content)}, edit)
        out += [f"M {mode} inline {edit.path}\n".encode(), b"data %d\n%s\n" % (len(text), text)]
    _git(repository, "fast-import", "--quiet", stdin=b"".join(out))
    return _git(repository, "rev-parse", branch).decode().strip()


def write_history(path: Path, commits: Mapping[str, str]) -> None:
    """Record which commit has which name, for tests and for people."""
    path.write_text(json.dumps(commits, indent=1) + "\n")


def _history(files: dict[str, tuple[str, bytes]]) -> _Import:
    stream = _Import(files)
    before: list[str] = []
    for step in MAIN_LINE:
        stream.commit(step, "main", before)
        before = [step.name]
    stream.commit(INSIDE_MERGE, "prepare-fifth", before)
    stream.commit(Step("merge", "Merge branch prepare-fifth"), "main", [*before, "inside_merge"])
    stream.commit(FIFTH, "main", ["merge"])
    stream.commit(SIDE, "side", ["third"])
    return stream


def _templates(folder: Path) -> dict[str, tuple[str, bytes]]:
    return {
        path.relative_to(folder).as_posix(): (
            "100755" if os.access(path, os.X_OK) else "100644",
            path.read_bytes(),
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {"bin", "node_modules", "__pycache__"} & set(path.parts)
    }


def _edited(files: Mapping[str, tuple[str, bytes]], edit: Edit) -> tuple[str, bytes]:
    mode, content = files[edit.path]
    if not edit.old:
        return mode, edit.new.encode()
    text = content.decode()
    if edit.old not in text:
        raise ValueError(f"{edit.path} of the example no longer contains {edit.old!r}")
    return mode, text.replace(edit.old, edit.new, 1).encode()


def _add_twins(repository: Path, parent: str) -> dict[str, str]:
    """Two commits with the same first seven characters, found by trying messages."""
    tree = _git(repository, "rev-parse", f"{parent}^{{tree}}").decode().strip()
    found = {}
    for name, content in zip(TWINS, _twins(tree, parent), strict=True):
        written = _git(repository, "hash-object", "-t", "commit", "-w", "--stdin", stdin=content)
        found[name] = written.decode().strip()
        _git(repository, "update-ref", f"refs/heads/{name}", found[name])
    return found


def _twins(tree: str, parent: str) -> tuple[bytes, bytes]:
    who = f"{AUTHOR} {FIRST_SECOND} +0000"
    head = f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\n"
    seen: dict[str, bytes] = {}
    for number in itertools.count():
        content = f"{head}Twin {number}\n".encode()
        sha = hashlib.sha1(b"commit %d\0%s" % (len(content), content)).hexdigest()  # noqa: S324 - git's own
        if sha[:7] in seen:
            return seen[sha[:7]], content
        seen[sha[:7]] = content
    raise AssertionError("itertools.count has no end")


def _git(repository: Path, *words: str, stdin: bytes = b"") -> bytes:
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    return subprocess.run(
        ["git", *words],  # noqa: S607 - the git that the user has
        cwd=repository,
        env=environment,
        input=stdin,
        check=True,
        capture_output=True,
    ).stdout


def main() -> None:
    """Make the repository by hand: `python -m sandbox.example_history DIR`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="example.git and history.json are put here")
    folder = parser.parse_args().folder
    commits = make_repository(folder / "example.git")
    write_history(folder / "history.json", commits)
    print(json.dumps(commits, indent=1))


if __name__ == "__main__":
    main()
