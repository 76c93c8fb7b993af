"""How the world stands: asked without Slipway, of those who know."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from sandbox import example, prefect_server, pulumi
from sandbox.box import Box
from slipway.domain.commit import Commit
from tests.sandbox.releases.real_world import ADAPTER, RealWorld
from tests.sqlite_file import opened

GIT_USER = "robot"


@dataclass
class World(RealWorld):
    """The example whose targets a Prefect worker knows; a person's shell knows the server too."""

    @property
    def environment(self) -> dict[str, str]:
        own = {"XDG_STATE_HOME": str(self.box.folder("state"))}
        return {**super().environment, **prefect_server.settings(self.box), **own}

    def commit(
        self,
        behaviour: str = "good",
        files: Mapping[str, str | bytes | None] | None = None,
        days_old: int = 0,
    ) -> Commit:
        """Push a commit once what runs is ready: on a busy machine probes time out meanwhile."""
        for name in ("ls-triton-adapter", "annotations-sink"):
            self.kubectl("rollout", "status", f"deployment/{name}", "--timeout=300s")
        return super().commit(behaviour, files, days_old)

    def stand(self) -> tuple[str, frozenset[str]]:
        """The adapter's value in ESC, and the digests of its pods that are ready."""
        [value] = re.findall(r"adapterImage: (\S+)", self.esc.definition())
        listed = json.loads(self.kubectl("get", "pods", "-l", "app=ls-triton-adapter", "-ojson"))
        return value, frozenset(
            status["imageID"].rpartition("@")[2]
            for pod in listed["items"]
            if "deletionTimestamp" not in pod["metadata"]
            for status in pod["status"].get("containerStatuses", [])
            if status["ready"]
        )

    def release_of(self, run: str) -> dict[str, Any]:
        """The one release that a flow run was."""
        process = self.slipway("history", ADAPTER, "--json")
        output, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        listed: list[dict[str, Any]] = json.loads(output)
        [found] = [each for each in listed if each["prefect_run"] == run]
        return found

    def recover(self) -> int:
        """`slipway recover`; its exit code."""
        process = self.slipway("recover", ADAPTER)
        output, errors = process.communicate(timeout=600)
        assert process.returncode in {0, 3}, output + errors
        return process.returncode

    def leftovers(self) -> list[str]:
        """What a release may not leave: a lease, an update under way, half-done operations."""
        checkpoint = self._stack("/export")["deployment"]
        pending = checkpoint.get("pending_operations") or []
        active = self._stack("").get("currentOperation")
        return [
            *(f"lease of {stack} is held by {holder}" for stack, holder in self._leases()),
            *(f"update {active} is under way" for _ in [active] if active),
            *(f"pending: {each['type']} {each['resource']['urn']}" for each in pending),
        ]

    def _leases(self) -> list[tuple[str, str]]:
        file = self.box.folder("ledger") / "ledger.db"
        with opened(file) as ledger:
            found = ledger.execute("SELECT stack, holder FROM lease WHERE holder IS NOT NULL")
            return found.fetchall()

    def _stack(self, path: str) -> dict[str, Any]:
        address = f"{pulumi.backend(self.box)}/api/stacks/{example.STACK}{path}"
        headers = {"Authorization": f"token {pulumi.token(self.box, 'operator')}"}
        answer = httpx.get(address, headers=headers, timeout=60).raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


def git_token(box: Box) -> str:
    """The token that opens the example's repository."""
    return box.secret("git")
