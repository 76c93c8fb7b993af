"""GitHub's two halves here: what it does after a push (post-receive), and its REST API."""

import argparse
import functools
import sys
from pathlib import Path

import uvicorn

from sandbox.box import Box
from sandbox.example_images import REPOSITORIES
from sandbox.github import places
from sandbox.github.api import Api
from sandbox.github.packages import Packages, RegistryShelf
from sandbox.github.push import FULL_NAME, knows, payload
from sandbox.github.shown import Shown


def main() -> None:
    """`pushed` is run by the repository after a push; `serve` answers the API until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.github", description=__doc__)
    parser.add_argument("what", choices=("pushed", "serve"))
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--repository", type=Path, required=True)
    chosen = parser.parse_args()
    box = Box(chosen.state)
    if chosen.what == "pushed":
        pushed(box, chosen.repository)
    else:
        serve(box, chosen.repository)


def pushed(box: Box, repository: Path) -> None:
    """Read `BEFORE AFTER REF` lines, as git gives them to the hook, and tell the webhook."""
    hook = places.hook(box)
    for line in sys.stdin:
        before, after, ref = line.split()
        print(f"github: {ref}: {hook.deliver('push', payload(repository, before, after, ref))}")


def serve(box: Box, repository: Path) -> None:
    """Answer the API on loopback."""
    shown = Shown(f"{places.api(box)}/repos/{FULL_NAME}", functools.partial(knows, repository))
    packages = Packages(REPOSITORIES["adapter"].partition("/")[0], RegistryShelf(box))
    app = Api(FULL_NAME, places.token(box), shown, places.hook(box), packages).app()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=box.port("github"),
        log_level="info",
        lifespan="off",
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
