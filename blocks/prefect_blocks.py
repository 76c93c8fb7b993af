"""The Prefect blocks: the schema of `settings`, with what Prefect wants to know beside it.

`python -m prefect block register -m blocks.prefect_blocks` tells a server about them. They hold
data only: clients are built in `clients`, from blocks and from slipway.toml alike.
"""

from prefect.blocks.core import Block
from pydantic import Field, HttpUrl

from blocks.settings import (
    ClusterSettings,
    DockerSettings,
    PulumiSettings,
    RegistrySettings,
    RepositorySettings,
    TargetSettings,
)


class GitRepository(RepositorySettings, Block):
    """The git repository of services and program.

    Example:
        ```python
        from blocks.prefect_blocks import GitRepository

        repository = GitRepository.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "Slipway Git Repository"
    _block_type_slug = "slipway-git-repository"
    _documentation_url = HttpUrl("https://git-scm.com/docs/git-clone#_git_urls")


class RegistryCredentials(RegistrySettings, Block):
    """The image registry, with an account that may pull and push.

    Example:
        ```python
        from blocks.prefect_blocks import RegistryCredentials

        registry = RegistryCredentials.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "Slipway Registry Credentials"
    _block_type_slug = "slipway-registry-credentials"
    _documentation_url = HttpUrl(
        "https://docs.github.com/packages/working-with-a-github-packages-registry/"
        "working-with-the-container-registry"
    )


class PulumiCredentials(PulumiSettings, Block):
    """The Pulumi account that holds stack and ESC environment, and the CLI that uses it.

    Example:
        ```python
        from blocks.prefect_blocks import PulumiCredentials

        pulumi = PulumiCredentials.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "Slipway Pulumi Credentials"
    _block_type_slug = "slipway-pulumi-credentials"
    _documentation_url = HttpUrl("https://www.pulumi.com/docs/esc/")


class KubernetesCluster(ClusterSettings, Block):
    """The Kubernetes cluster, by a kubeconfig.

    Example:
        ```python
        from blocks.prefect_blocks import KubernetesCluster

        cluster = KubernetesCluster.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "Slipway Kubernetes Cluster"
    _block_type_slug = "slipway-kubernetes-cluster"
    _documentation_url = HttpUrl(
        "https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/"
    )


class DockerEngine(DockerSettings, Block):
    """The Docker engine that builds and pushes.

    Example:
        ```python
        from blocks.prefect_blocks import DockerEngine

        docker = DockerEngine.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "Slipway Docker Engine"
    _block_type_slug = "slipway-docker-engine"
    _documentation_url = HttpUrl("https://docs.docker.com/reference/api/engine/")


class DeployTarget(TargetSettings, Block):
    """A service in an environment: what is built from where, and where it must run.

    Example:
        ```python
        from blocks.prefect_blocks import DeployTarget

        target = DeployTarget.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "Slipway Deploy Target"
    _block_type_slug = "slipway-deploy-target"
    _documentation_url = HttpUrl("https://docs.prefect.io/v3/concepts/blocks")

    # Narrowed to blocks, so that Prefect saves them once and refers to them.
    repository: GitRepository = Field(description="The repository of service and program.")
    registry: RegistryCredentials = Field(description="Where the service's images are.")
    pulumi: PulumiCredentials = Field(description="The account of stack and ESC environment.")
    cluster: KubernetesCluster = Field(description="Where the service runs.")
    docker: DockerEngine = Field(description="What builds the service's images.")
