"""How the pulumi CLI is called: its words, its environment, and what its complaints mean."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from slipway.clients import command
from slipway.clients.pulumi_api import PulumiApi
from slipway.domain.target import StackName
from slipway.errors import StackUnusable

OLDEST = (3, 254)
"""Older ones can't read an ESC environment at a given revision (`--override-env`)."""
_INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
)
"""All that a program gets of ours: no CI and no PULUMI_OPTION_*, which would change a deploy."""
_BUSY = re.compile(r"Another update is currently in progress|the stack is currently locked by")
_SCRATCH = "slipway-pulumi-"
_GREETING = "Logging in using access token from PULUMI_ACCESS_TOKEN"
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class Scratch:
    """A private folder for one call: the engine's events, a stack file, the CLI's credentials."""

    folder: Path

    @property
    def event_log(self) -> Path:
        """Where the engine writes its events."""
        return self.folder / "events.jsonl"

    def event_lines(self) -> list[str]:
        """The engine's events so far."""
        if not self.event_log.exists():
            return []
        return self.event_log.read_text("utf-8", "replace").splitlines()


@contextmanager
def scratch() -> Iterator[Scratch]:
    """A folder that only we can read, gone when the call has ended, or at the next one."""
    _sweep()
    with TemporaryDirectory(prefix=f"{_SCRATCH}{os.getpid()}-") as folder:
        yield Scratch(Path(folder))


def _sweep() -> None:
    """Remove the folders of killed processes: the CLI has written its token there."""
    for path in Path(gettempdir()).glob(f"{_SCRATCH}*"):
        pid = path.name.removeprefix(_SCRATCH).partition("-")[0]
        if pid.isdecimal() and not _is_alive(int(pid)):
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@dataclass(frozen=True, slots=True)
class PulumiCli:
    """A pulumi command, and what its programs find in their environment beside the account."""

    api: PulumiApi
    program: str = "pulumi"
    home: Path | None = None
    """Where its plugins are; None takes the CLI's own choice."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def environment_for(self, where: Scratch, **options: str) -> dict[str, str]:
        """The whole environment of a call. The token is here and nowhere else."""
        chosen = {
            "PULUMI_BACKEND_URL": self.api.backend,
            "PULUMI_ACCESS_TOKEN": self.api.token.get_secret_value(),
            # The CLI writes the token down here instead of in its home, which others may share.
            "PULUMI_CREDENTIALS_PATH": str(where.folder),
            # Without it `--event-log` is not known.
            "PULUMI_DEBUG_COMMANDS": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "NO_COLOR": "1",
        }
        if self.home is not None:
            chosen["PULUMI_HOME"] = str(self.home)
        return {**inherited(), **self.environment, **chosen, **options}

    async def require_version(self) -> None:
        """`StackUnusable` unless the CLI is there and can pin ESC revisions."""
        with scratch() as where:
            done = await command.run(
                [self.program, "version"], env=self.environment_for(where), within=30
            )
        said = done.stdout.decode("utf-8", "replace").strip()
        found = _VERSION.match(said)
        if done.code or found is None:
            raise StackUnusable(
                f"{self.program} version failed: {said or done.complaint}; install the pulumi CLI, "
                "or correct the key cli of the target's [pulumi] table"
            )
        if (int(found[1]), int(found[2])) < OLDEST:
            raise StackUnusable(
                f"{self.program} is {said}, which can't pin ESC revisions: install 3.254 or newer"
            )


def inherited() -> dict[str, str]:
    """What of our own environment a program may see."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


def words(
    program: str, verb: str, stack: StackName, where: Scratch, *more: str, only: str = ""
) -> list[str]:
    """A command line: never interactive, without colours, telling its events."""
    target = ["--target", only] if only else []
    common = ["--color", "never", "--suppress-outputs", "--suppress-progress"]
    log = ["--event-log", str(where.event_log)]
    return [
        program,
        verb,
        "--non-interactive",
        "--stack",
        str(stack),
        *common,
        *log,
        *target,
        *more,
    ]


def is_busy(complaint: str) -> bool:
    """Whether the CLI was turned away because another update holds the stack."""
    return _BUSY.search(complaint) is not None


def last_lines(errors: Sequence[str], stderr: str, stdout: str) -> str:
    """Why a call failed: the engine's own errors, else the end of what the CLI wrote."""
    said = "; ".join(dict.fromkeys(errors))
    if not said:
        told = (" ".join(each.replace(_GREETING, "").split()) for each in (stderr, stdout))
        said = next((each for each in told if each), "")[-600:]
    return said[:1500] or "it said nothing"
