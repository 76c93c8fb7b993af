"""The parts of the sandbox, and the example that it leaves."""

from collections.abc import Mapping, Sequence

from sandbox import example
from sandbox.box import Box
from sandbox.docker_engine import Docker
from sandbox.github.part import GitHub, Webhook
from sandbox.image_registry import Registry
from sandbox.kubernetes import Kubernetes
from sandbox.part import Part
from sandbox.prefect_server import Prefect, Worker
from sandbox.pulumi import PulumiCloud
from sandbox.repository import Repository


class Example:
    """The services of the example, as deployed by hand; what Slipway needs to find them."""

    name = "example"
    needs: Sequence[str] = ("docker", "registry", "git", "pulumi", "kubernetes")
    processes: Sequence[str] = ()

    def __init__(self, *, tells_github: bool = False) -> None:
        """Releases tell GitHub of themselves where its part is up too."""
        self._tells_github = tells_github

    def start(self, box: Box) -> None:
        """Publish, pin and apply, unless it stands there already; write slipway.toml."""
        example.seed(box)
        example.write_configuration(box, tells_github=self._tells_github)

    def clean(self, box: Box) -> None:
        """Nothing stays behind."""

    def environment(self, box: Box) -> Mapping[str, str]:
        """What slipway.toml takes from the environment, and where the ledger is."""
        return example.variables(box)


def _parts(services: Example) -> tuple[Part, ...]:
    return (
        Docker(),
        Registry(),
        Repository(),
        PulumiCloud(),
        Kubernetes(),
        Prefect(),
        services,
        Worker(),
    )


WITHOUT_GITHUB: Sequence[Part] = _parts(Example())
"""Where what is pushed shall not be deployed by itself, and nobody is told of it."""
PARTS: Sequence[Part] = (*_parts(Example(tells_github=True)), GitHub(), Webhook())
