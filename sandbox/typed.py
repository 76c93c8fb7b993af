"""Commands of the demo, as a person types them; one may be typed before its turn to be shown."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence


class Slipway:
    """A `slipway` command that has been typed."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self._words = words
        self._began = time.monotonic()
        program = [sys.executable, "-u", "-c", "from slipway.cli.main import main; main()"]
        self._process = subprocess.Popen(
            [*program, *words],
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def show(self, seen: Callable[[str], object] = lambda _: None) -> int:
        """Print what it prints until it ends, `seen` told of each line; its exit code."""
        quoted = (json.dumps(each) if " " in each else each for each in self._words)
        print(f"   $ slipway {' '.join(quoted)}", flush=True)
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        for line in self._process.stdout:
            print(line, end="", flush=True)
            seen(line)
        return self._process.wait()

    @property
    def age(self) -> float:
        """Seconds since it was typed."""
        return time.monotonic() - self._began


class Ahead:
    """A command that is typed at its cue, or at the latest when its turn has come."""

    def __init__(self, typing: Callable[[], Slipway]) -> None:
        self._typing = typing
        self._typed: Slipway | None = None

    def typed(self) -> Slipway:
        """Type it, unless that is done."""
        if self._typed is None:
            self._typed = self._typing()
        return self._typed
