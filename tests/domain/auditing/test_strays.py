"""Keys that nobody has: what names an image like the targets' is asked about, and nothing else."""

from dataclasses import replace

import pytest

from slipway.domain.auditing.strays import stray_keys
from slipway.domain.target import ConfigKey
from tests.fakes.world import make_target

ADAPTER, SINK = make_target("adapter"), make_target("sink")
ELSEWHERE = replace(
    ADAPTER,
    name="elsewhere",
    config_key=replace(ADAPTER.config_key, environment="staging"),
    service=replace(ADAPTER.service, repository="registry.example:5000/elsewhere"),
)
IMAGE = f"ghcr.io/acme/shop/old:{'1' * 40}"


def strays(**values: str) -> set[str]:
    found = stray_keys(
        {f"oceanid-cluster:{name}": value for name, value in values.items()},
        [ADAPTER, SINK],
        [ADAPTER, SINK, ELSEWHERE],
    )
    return {key.key.partition(":")[2] for key in found}


@pytest.mark.parametrize(
    "value",
    [
        IMAGE,
        "ghcr.io/acme/shop/ls-triton-adapter:v1",
        "ghcr.io/acme/another/thing",
        f"ghcr.io/acme/shop/old@sha256:{'a' * 64}",
        "registry.example:5000/elsewhere:1",
    ],
)
def test_an_image_of_ours_under_a_key_that_no_target_has_is_a_stray(value: str) -> None:
    assert strays(adapterImage=IMAGE, sinkImage=IMAGE, oldImage=value) == {"oldImage"}


@pytest.mark.parametrize(
    "value",
    [
        "true",
        "3",
        "https://ghcr.io/acme/shop/old",
        "ghcr.io/mallory/shop/old:1",
        "docker.io/library/redis:7",
        "registry.example:5000/another:1",
        "ghcr.io/acme",
        "acme/shop/old:1",
        "a sentence about ghcr.io/acme/shop/old:1",
    ],
)
def test_what_names_no_image_or_somebody_elses_is_none(value: str) -> None:
    assert strays(other=value) == set()


def test_a_key_of_another_project_is_another_programs() -> None:
    assert stray_keys({"grafana:image": IMAGE, "image": IMAGE}, [ADAPTER], [ADAPTER]) == {}


def test_a_key_of_the_same_name_in_another_environment_is_a_stray_here() -> None:
    name = "oceanid-cluster:newImage"
    there = replace(ELSEWHERE, config_key=replace(ELSEWHERE.config_key, key=name))

    found = stray_keys({name: IMAGE}, [ADAPTER, SINK], [ADAPTER, SINK, there])

    assert found == {ConfigKey("acme", "default", "oceanid-cluster", name): IMAGE}


@pytest.mark.parametrize("name", ["it's", 'a"b', "$(rm)", "a b", ""])
def test_a_name_that_nobody_could_type_is_left_alone(name: str) -> None:
    assert strays(**{name: IMAGE}) == set()


def test_a_registry_without_organizations_is_an_owner_as_a_whole() -> None:
    service = replace(ADAPTER.service, repository="registry.example:5000/adapter")
    target = replace(ADAPTER, service=service)
    values = {"oceanid-cluster:a": "registry.example:5000/old:1"}

    assert len(stray_keys(values, [target], [target])) == 1
