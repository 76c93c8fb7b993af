"""What holds the project together: names, files and promises that no single room owns."""

import importlib
import re
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.flows import Flow

from blocks.file import SlipwayFile
from slipway.cli.deployments import JOB_VARIABLES, WORK_POOL, deployments_of, prune_name
from slipway.clients.kubernetes_images import WORKLOAD_LISTS
from slipway.domain.auditing.rules import RULES
from slipway.errors import SlipwayError
from slipway.tasks.prune_report import plan_key
from tests.blocks.test_file import ENVIRONMENT
from tests.ledger.examples import a_target

ROOT = Path(__file__).parents[1]
PREFECT = yaml.safe_load((ROOT / "prefect.yaml").read_text())
DEPLOYMENTS: list[dict[str, Any]] = PREFECT["deployments"]


def flow_of(deployment: dict[str, Any]) -> Flow[..., Any]:
    module, _, name = deployment["entrypoint"].rpartition(".")
    found = getattr(importlib.import_module(module), name)
    assert isinstance(found, Flow)
    return found


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each["entrypoint"])
def test_every_deployment_names_a_flow_and_only_parameters_it_has(
    deployment: dict[str, Any],
) -> None:
    flow = flow_of(deployment)

    assert set(deployment["parameters"]) <= set(flow.parameters.properties)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each["entrypoint"])
def test_a_deployment_has_only_keys_that_prefect_knows(deployment: dict[str, Any]) -> None:
    """Prefect drops keys that it does not know without a word."""
    known = {"name", "description", "entrypoint", "parameters", "tags", "work_pool"}

    assert set(deployment) - {"schedules"} == known
    assert set(deployment["work_pool"]) == {"name", "job_variables"}


def test_both_example_targets_can_be_deployed_and_rolled_back() -> None:
    names = {f"{flow_of(each).name}/{each['name']}" for each in DEPLOYMENTS}

    targets = ("ls-triton-adapter-prod", "annotations-sink-prod")
    assert {f"{verb}/{target}" for verb in ("deploy", "rollback") for target in targets} <= names


def test_no_two_repositories_share_a_deployment_or_a_table() -> None:
    """Also those with one last part, and those that differ by a port or a dash only."""
    repositories = (
        "ghcr.io/acme/shop/adapter",
        "ghcr.io/acme/other/adapter",
        "ghcr.io/acme/shop-adapter",
        "127.0.0.1:5000/adapter",
        "127.0.0.1/5000/adapter",
        "127.0.0.1-5000/adapter",
    )

    for name in (prune_name, plan_key):
        assert len({name(each) for each in repositories}) == len(repositories)
    assert not any(set("/%&<>") & set(prune_name(each)) for each in repositories)
    assert all(re.fullmatch("[a-z0-9-]+", plan_key(each)) for each in repositories)


def test_register_makes_of_the_example_what_prefect_yaml_has() -> None:
    file = SlipwayFile(ROOT / "slipway.example.toml", ENVIRONMENT)
    made = [
        {
            "name": each.name,
            "description": each.description,
            "entrypoint": each.entrypoint,
            "parameters": each.parameters,
            "tags": each.tags,
            "work_pool": {"name": WORK_POOL, "job_variables": JOB_VARIABLES},
            **({"schedules": [{"cron": each.cron, "timezone": "UTC"}]} if each.cron else {}),
        }
        for each in deployments_of([file.target(name).target() for name in file.targets])
    ]

    def order(deployment: dict[str, Any]) -> tuple[str, str]:
        return deployment["entrypoint"], deployment["name"]

    assert sorted(made, key=order) == sorted(DEPLOYMENTS, key=order)


def test_stacks_of_one_name_in_two_organizations_are_recovered_by_two_deployments() -> None:
    ours = a_target("adapter-prod")
    theirs = replace(ours, name="other-prod", stack=replace(ours.stack, organization="umbrella"))

    recovering = [each for each in deployments_of([ours, theirs]) if each.flow.name == "recover"]

    assert [(each.name, each.target) for each in recovering] == [
        ("acme:cluster:prod", "adapter-prod"),
        ("umbrella:cluster:prod", "other-prod"),
    ]


def test_a_run_of_deploy_asks_only_for_the_commit() -> None:
    flow = next(flow_of(each) for each in DEPLOYMENTS if each["entrypoint"].endswith(".deploy"))

    assert set(flow.parameters.required) - {"target"} == {"commit"}
    described = {name: each.get("description") for name, each in flow.parameters.properties.items()}
    assert all(described.values()), described


def test_flow_files_do_not_bear_the_name_of_an_importable_module() -> None:
    """Prefect puts a flow file's folder in front of the path: it would shadow that module."""
    ours = {path.stem for path in (ROOT / "flows").glob("*.py")} - {"__init__"}

    assert not ours & (set(sys.stdlib_module_names) | {"docker", "pulumi", "prefect", "httpx"})


def test_every_dependency_is_imported_by_the_product() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {re.split(r"[^\w-]", each)[0] for each in project["dependencies"]}
    modules = {"pyyaml": "yaml"}
    for_others = {
        "fastapi",  # Prefect's own, held below what breaks it
        "httptools",  # uvicorn's parser
        "uvloop",  # uvicorn's event loop
    }
    source = "\n".join(
        path.read_text()
        for room in ("blocks", "flows", "slipway")
        for path in (ROOT / room).rglob("*.py")
    )

    unused = {
        each
        for each in named - for_others
        if not re.search(
            rf"^\s*(?:import|from) {modules.get(each, each.replace('-', '_'))}\b",
            source,
            re.MULTILINE,
        )
    }
    assert not unused


def test_every_ignore_has_its_reason_on_its_line() -> None:
    ignored = re.compile(r"#\s*(?:noqa|type:\s*ignore|pragma)\b.*")
    codes = r"noqa: [A-Z0-9]+(?:, [A-Z0-9]+)* - |type: ignore\[[a-z, -]+\] +# "
    reasoned = re.compile(rf"# (?:{codes})[\w`]")
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for room in ("benchmarks", "blocks", "flows", "sandbox", "slipway", "tests")
        for path in (ROOT / room).rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if ignored.search(line) and path != Path(__file__) and not reasoned.search(line)
    ]

    assert not bare


def test_the_lock_names_no_index() -> None:
    lock = (ROOT / "requirements.lock").read_text()

    assert "://" not in lock
    assert "--index-url" not in lock


def test_the_runbook_explains_every_code_that_an_error_can_end_with() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    codes = {each.code for each in _all(SlipwayError)} - {SlipwayError.code}

    missing = {code for code in codes if f"| `{code}` |" not in runbook}
    assert not missing


def test_the_prune_role_is_what_is_listed_and_no_more() -> None:
    documents = yaml.safe_load_all((ROOT / "docs" / "kubernetes-prune-role.yaml").read_text())
    [role] = [each for each in documents if each["kind"] == "ClusterRole"]

    allowed = {
        (group, resource)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    listed = {
        (path.split("/")[2] if path.startswith("/apis/") else "", path.rpartition("/")[2])
        for path in WORKLOAD_LISTS
    }
    assert allowed == listed
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"list"}


def test_the_runbook_explains_every_finding() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()

    assert not {rule for rule, _ in RULES if f"| `{rule}` |" not in runbook}


def _all(kind: type[SlipwayError]) -> list[type[SlipwayError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in _all(child))]
