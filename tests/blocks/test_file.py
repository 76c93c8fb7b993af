"""slipway.toml: what it says is what the target is, and what is wrong in it is told by name."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from blocks.file import SlipwayFile
from slipway.domain.target import Allowance, ConfigKey, Service, StackName, Workload
from slipway.errors import InvalidInput

EXAMPLE = Path(__file__).parents[2] / "slipway.example.toml"
URN = "urn:pulumi:prod::cluster::kubernetes:apps/v1:Deployment::adapter"
ENVIRONMENT = {
    "SHOP_GIT_TOKEN": "canary-git",
    "GHCR_TOKEN": "canary-registry",
    "PULUMI_ACCESS_TOKEN": "canary-pulumi",
}
ADAPTER = "ls-triton-adapter-prod"
SINK = "annotations-sink-prod"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "slipway.toml"
    path.write_text(EXAMPLE.read_text())
    return path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1))


def refusal(path: Path, target: str = ADAPTER, environment: Mapping[str, str] = ENVIRONMENT) -> str:
    with pytest.raises(InvalidInput) as refused:
        SlipwayFile(path, environment).target(target)
    message = str(refused.value)
    assert message.startswith(str(path))
    assert "canary" not in message
    return message.removeprefix(f"{path}: ")


def test_the_example_is_a_target_of_the_domain() -> None:
    target = SlipwayFile(EXAMPLE, ENVIRONMENT).target(ADAPTER).target()

    assert target.service == Service(
        "ls-triton-adapter",
        "adapter",
        "ghcr.io/acme/shop/ls-triton-adapter",
        source="https://github.com/acme/shop.git",
    )
    assert target.config_key == ConfigKey(
        "acme", "default", "oceanid-cluster", "oceanid-cluster:adapterImage"
    )
    assert target.stack == StackName("acme", "oceanid-cluster", "prod")
    assert target.workload == Workload("apps", "adapter", labels=(("app", "ls-triton-adapter"),))


def test_the_example_shows_every_key_with_its_default(path: Path) -> None:
    file = SlipwayFile(path, ENVIRONMENT)
    full, short = file.target(ADAPTER), file.target(SINK)

    shown = set(full.model_fields_set)
    assert shown == set(type(full).model_fields)
    for name, field in type(full).model_fields.items():
        if not field.is_required() and name not in {"service", "deployment", "labels"}:
            assert getattr(full, name) == getattr(short, name), name


def test_secrets_come_from_the_environment_and_do_not_show(path: Path) -> None:
    settings = SlipwayFile(path, ENVIRONMENT).target(ADAPTER)

    assert settings.repository.token is not None
    assert settings.repository.token.get_secret_value() == "canary-git"
    assert settings.registry.password is not None
    assert settings.registry.password.get_secret_value() == "canary-registry"
    assert settings.pulumi.token.get_secret_value() == "canary-pulumi"
    assert "canary" not in repr(settings)


def test_only_the_secrets_of_the_asked_target_are_needed(path: Path) -> None:
    path.write_text(
        path.read_text()
        + '\n[registries.other]\nhost = "r.io"\npassword = { environment = "NOT_SET" }\n'
    )
    change(
        path, "[targets.annotations-sink-prod]", '[targets.annotations-sink-prod]\nregistry="ghcr"'
    )

    assert SlipwayFile(path, ENVIRONMENT).target(SINK).registry.host == "ghcr.io"


def test_the_only_place_of_its_kind_need_not_be_named(path: Path) -> None:
    file = SlipwayFile(path, ENVIRONMENT)

    assert file.target(SINK).cluster == file.target(ADAPTER).cluster
    assert file.place_of("cluster", SINK) == "home"


def test_a_path_is_relative_to_the_file_or_to_the_home(path: Path) -> None:
    change(path, "~/.kube/config", "./kube/config")
    settings = SlipwayFile(path, ENVIRONMENT).target(ADAPTER)

    assert settings.cluster.kubeconfig == str(path.parent / "kube/config")
    assert Path(SlipwayFile(EXAMPLE, ENVIRONMENT).target(SINK).cluster.kubeconfig).is_absolute()


def test_an_allowed_change_is_read_with_its_colons(path: Path) -> None:
    change(
        path, "allow_changes = [] ", f"""allow_changes = ['{URN}:metadata.annotations["a:b"]'] """
    )

    target = SlipwayFile(path, ENVIRONMENT).target(ADAPTER).target()

    assert target.allow_changes == (Allowance(URN, 'metadata.annotations["a:b"]'),)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'stack = "acme/oceanid-cluster/prod"',
            'stack = "prod"',
            f"targets.{ADAPTER}.stack is 'prod'.*ORGANIZATION/PROJECT/STACK",
        ),
        ('folder = "adapter"\n', "", f"targets.{ADAPTER}.folder is absent: add it: The service's"),
        ("soak = 10 ", "soek = 10 ", f"targets.{ADAPTER}.soek is not known.*did you mean soak"),
        ("[docker.local]", "[dokcer.local]", "dokcer is not known here: did you mean docker"),
        ('workflow = ""', 'workflow = "images.yml"', f"targets.{ADAPTER}.workflow is .*NAME.yml"),
        (
            'signed_by = ""',
            'signed_by = "cosign.pub"',
            "signed_by holds no public key.*give",
        ),
        ("port = 8080", "port = 808080", f"targets.{ADAPTER}.port is 808080.*65535"),
        ("port = 8080", 'port = "http"', f"targets.{ADAPTER}.port is 'http'.*integer"),
        ('image = "ghcr.io/acme', 'image = "ghcr.io/Acme', f"targets.{ADAPTER}: .*not an image"),
        ('image = "ghcr.io/', 'image = "r.io/', "image is at r.io, but the registry is ghcr.io"),
        ('labels = { app = "ls-triton-adapter" }', "labels = {}", "neither deployment nor labels"),
        ('registry = "ghcr"', 'registry = "hub"', "registry is 'hub': name one of .*: ghcr"),
        ('host = "ghcr.io"', "host = 5", "registries.ghcr.host is 5: .*string"),
        ("allow_changes = [] ", 'allow_changes = ["x"] ', "'x' is not a change.*URN"),
        ("allow_changes = [] ", f'allow_changes = ["{URN}:*"] ', "is not a change.*one property"),
        (
            "allow_changes = [] ",
            f'allow_changes = ["{URN}:spec@0123456789ab"] ',
            "is not a change.*without a mark",
        ),
        ('context = "home"', 'context = ""', "clusters.home.context is ''"),
        (
            '{ environment = "GHCR_TOKEN" }',
            '"canary"',
            "registries.ghcr.password holds a secret itself: never",
        ),
        (
            '{ environment = "GHCR_TOKEN" }',
            '{ file = "x" }',
            "registries.ghcr.password does not say where its secret is",
        ),
        (
            '{ environment = "GHCR_TOKEN" }',
            '{ environment = "NOWHERE" }',
            "registries.ghcr.password takes NOWHERE, which is not set",
        ),
        (
            "https://github.com/",
            "https://canary@github.com/",
            "repositories.shop.url is 'https://github.com/acme/shop.git'.*user and token",
        ),
        (
            "https://api.pulumi.com",
            "https://me:canary@api.pulumi.com",
            "pulumi.acme.backend is 'https://api.pulumi.com'.*of its own",
        ),
        ("[registries.ghcr]\n", "[registries]\nghcr = 1\n[clusters.x]\n", "registries.ghcr is not"),
    ],
)
def test_what_is_wrong_is_told_with_key_and_remedy(
    path: Path, old: str, new: str, told: str
) -> None:
    change(path, old, new)

    message = refusal(path)

    assert re.search(told, message, re.DOTALL), message


def test_two_places_of_a_kind_must_be_chosen_from(path: Path) -> None:
    path.write_text(path.read_text() + '\n[docker.remote]\nhost = "tcp://build:2376"\n')

    message = refusal(path, SINK)

    assert "docker is absent: name one of [docker]: local, remote" in message


def test_of_targets_with_one_image_only_one_may_move_main(path: Path) -> None:
    image = "ghcr.io/acme/shop/ls-triton-adapter"
    change(path, 'image = "ghcr.io/acme/shop/annotations-sink"', f'image = "{image}"')

    with pytest.raises(InvalidInput, match="set moves_main = false") as refused:
        SlipwayFile(path, ENVIRONMENT).require_one_mover()

    both = f"targets.{ADAPTER} and targets.{SINK} both move the tag main of {image}"
    assert both in str(refused.value)
    assert SlipwayFile(path, ENVIRONMENT).target(SINK).moves_main, "a rollback is not kept away"
    change(path, 'container = "sink"\n', 'container = "sink"\nmoves_main = false\n')
    SlipwayFile(path, ENVIRONMENT).require_one_mover()


def test_a_target_that_is_not_there_is_told_with_those_that_are(path: Path) -> None:
    with pytest.raises(InvalidInput, match=rf"no target 'web'.*{ADAPTER}, {SINK}"):
        SlipwayFile(path, ENVIRONMENT).target("web")


def test_a_target_that_could_not_be_a_block_is_refused(path: Path) -> None:
    change(path, f"[targets.{ADAPTER}]", "[targets.Adapter_Prod]")

    assert "lower-case" in refusal(path, "Adapter_Prod").lower()


def test_a_file_that_is_absent_or_no_toml_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"slipway\.example\.toml.*--config"):
        SlipwayFile(tmp_path / "nothing.toml")

    broken = tmp_path / "broken.toml"
    broken.write_text("[targets")
    with pytest.raises(InvalidInput, match="is not TOML: Expected"):
        SlipwayFile(broken)
