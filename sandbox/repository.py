"""The git repository that services and program are deployed from, served by its path."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.box import Box
from sandbox.example_history import make_repository, write_history


class Repository:
    """The part that holds the example's commits."""

    name = "git"
    needs: Sequence[str] = ()
    processes: Sequence[str] = ()

    def start(self, box: Box) -> None:
        """Make the repository, unless it is there, and write down which commit is which."""
        write_history(box.root / "history.json", make_repository(path(box)))

    def clean(self, box: Box) -> None:
        """Leave nothing: there is no process."""

    def environment(self, box: Box) -> Mapping[str, str]:
        """Where a person clones from and pushes to."""
        return {"SANDBOX_REPOSITORY": str(path(box))}


def path(box: Box) -> Path:
    """The bare repository."""
    return box.folder("example.git")


def commits(box: Box) -> dict[str, str]:
    """The example's commits by their names (`sandbox/example_history.py`)."""
    return dict(json.loads((box.root / "history.json").read_text()))
