"""One sandbox: a folder that holds its ports, credentials, processes, logs and data."""

import hashlib
import json
import os
import secrets
import socket
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path

LONGEST_SOCKET = 100
"""Characters: the kernel takes 107 in a unix socket's path."""

USUAL_DOCKER = "unix:///var/run/docker.sock"
"""Where the Docker engine listens that most machines have."""

_writing = threading.Lock()  # parts start side by side


@dataclass(frozen=True)
class Options:
    """What of the user's own is taken instead of a part of the sandbox."""

    kubeconfig: str = ""
    docker_host: str = ""
    pulumi: str = ""

    def __str__(self) -> str:
        given = {name: value for name, value in asdict(self).items() if value}
        return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in given.items())


@dataclass(frozen=True)
class Box:
    """The state folder and what is written down in it."""

    root: Path
    options: Options = Options()

    @property
    def id(self) -> str:
        """Six characters that no other sandbox of this machine has."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:6]

    def remember_options(self) -> None:
        """Write down what of the user's own is used, for the commands that come after `up`."""
        self._write("options.json", dict(asdict(self.options)))

    def with_remembered_options(self) -> "Box":
        """The same box with the options that it was brought up with."""
        return replace(self, options=Options(**self._read("options.json")))  # type: ignore[arg-type] # written above

    def folder(self, *parts: str) -> Path:
        """A folder inside the sandbox, made when it is absent; others may not look into it."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.root.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def socket(self, name: str) -> Path:
        """The path of a unix socket; `ValueError` when the state folder's path is too long."""
        path = self.folder("run") / name
        if len(str(path)) > LONGEST_SOCKET:
            raise ValueError(f"{path} is too long for a unix socket: use a shorter --state folder")
        return path

    def port(self, name: str) -> int:
        """A free port of loopback, chosen once and written down."""
        with _writing:
            ports = self._read("ports.json")
            if name not in ports:
                ports[name] = _free_port(set(ports.values()))
                self._write("ports.json", ports)
        return int(ports[name])

    def secret(self, name: str) -> str:
        """A credential of this sandbox alone, made once."""
        with _writing:
            made = self._read("credentials.json")
            if name not in made:
                made[name] = secrets.token_hex(20)
                self._write("credentials.json", made)
        return str(made[name])

    @property
    def network(self) -> str:
        """The first three bytes of the pods' subnet, in 10.64.0.0/10, by the box's id."""
        number = int(self.id, 16)
        return f"10.{64 + number // 256 % 64}.{number % 256}"

    def _read(self, name: str) -> dict[str, str | int]:
        path = self.root / name
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def _write(self, name: str, values: dict[str, str | int]) -> None:
        path = self.folder() / name
        made = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
        made.touch(mode=0o600)
        made.write_text(json.dumps(values, indent=2, sort_keys=True))
        made.rename(path)


def listens(address: str) -> bool:
    """Whether somebody listens at a unix socket's address (`unix://PATH`)."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(address.removeprefix("unix://")) == 0


def free_port() -> int:
    """A port of loopback that nobody listens at now."""
    return _free_port(set())


def _free_port(taken: set[str | int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port
