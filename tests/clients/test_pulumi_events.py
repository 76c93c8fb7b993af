"""The engine's event log becomes what the guard judges; the logs are the real CLI's, 3.259.0."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.clients.pulumi_events import UNKNOWN, EventLog, parse_event_log
from slipway.domain.change import (
    DEPLOYMENT_TYPE,
    ContainerInput,
    ImageChange,
    PathChange,
    Preview,
    ResourceChange,
    find_first_urn,
    find_forbidden,
)
from slipway.errors import PreviewFailed

LOGS = Path(__file__).parent / "event_logs"
URN = f"urn:pulumi:prod-24d7da::shop::{DEPLOYMENT_TYPE}::web"
IMAGE_PATH = "spec.template.spec.containers[0].image"
OLD, NEW, ABSENT = (
    "slipway.sandbox/pause:1",
    "slipway.sandbox/pause:2",
    "slipway.sandbox/absent:1",
)


def lines_of(name: str) -> list[str]:
    return (LOGS / f"{name}.jsonl").read_text().splitlines()


def recorded(name: str) -> EventLog:
    return parse_event_log(lines_of(name))


def changed(preview: Preview) -> list[ResourceChange]:
    return [each for each in preview.changes if each.op != "same"]


def step(**metadata: object) -> str:
    given = {"urn": URN, "op": "update", "type": DEPLOYMENT_TYPE, **metadata}
    return json.dumps({"resourcePreEvent": {"metadata": given}})


def summary(**counted: int) -> str:
    return json.dumps({"summaryEvent": {"resourceChanges": counted}})


def with_image(image: object) -> dict[str, object]:
    containers = [{"name": "app", "image": image}]
    return {"inputs": {"spec": {"template": {"spec": {"containers": containers}}}}}


def test_a_new_image_is_one_path_of_one_deployment() -> None:
    preview = recorded("preview-image").preview

    [change] = changed(preview)
    assert change == ResourceChange(
        URN,
        "update",
        DEPLOYMENT_TYPE,
        (PathChange(IMAGE_PATH, "update", change.paths[0].values),),
        (ContainerInput(0, "app", NEW),),
        values=change.values,
    )
    assert change.values
    assert change.paths[0].values
    assert preview.complete
    assert find_forbidden(preview, ImageChange(URN, "app", NEW)) == []


def test_another_image_than_the_wanted_one_is_found() -> None:
    [found] = find_forbidden(recorded("preview-image").preview, ImageChange(URN, "app", OLD))

    assert str(found) == f"{URN}:{IMAGE_PATH} (becomes {NEW})"


def test_an_update_without_a_diff_is_told_from_its_init_errors() -> None:
    preview = recorded("preview-after-init-error").preview

    [change] = changed(preview)
    assert (change.paths, change.had_init_errors) == ((), True)
    assert find_forbidden(preview, ImageChange(URN, "app", change.containers[0].image or "")) == []


def test_a_replacement_is_found_with_the_path_that_forces_it() -> None:
    forbidden = find_forbidden(recorded("preview-replace").preview, ImageChange(URN, "app", NEW))

    other = URN.replace("::web", "::side")
    assert {(each.urn, each.path) for each in forbidden if each.path != "*"} == {
        (other, "metadata.name")
    }
    assert {each.seen for each in forbidden} >= {"replace", "create-replacement", "delete-replaced"}


def test_a_first_deployment_is_found_by_its_image() -> None:
    preview = recorded("first-preview").preview

    assert find_first_urn(preview, ImageChange("", "app", NEW)).urn == URN


def test_an_interrupted_update_says_why_in_the_engines_words() -> None:
    log = recorded("up-interrupted")

    assert log.errors == (
        "web: 1 error occurred: * Resource operation was cancelled for 'web-24d7da'",
        "update failed",
    )
    assert changed(log.preview)[0].containers[0].image == ABSENT


@pytest.mark.parametrize("name", ["preview-image", "preview-replace", "first-preview"])
def test_a_log_that_is_cut_anywhere_before_its_summary_is_incomplete(name: str) -> None:
    lines = lines_of(name)
    end = next(index for index, line in enumerate(lines) if "summaryEvent" in line)

    for length in range(end + 1):
        assert not parse_event_log(lines[:length]).preview.complete
    assert parse_event_log(lines[: end + 1]).preview.complete


def test_a_log_that_lost_the_line_of_a_change_is_incomplete() -> None:
    lines = [
        line
        for line in lines_of("preview-image")
        if not ("resourcePreEvent" in line and '"op":"update"' in line)
    ]

    preview = parse_event_log(lines).preview

    assert changed(preview) == []
    with pytest.raises(PreviewFailed, match="ended without its summary"):
        find_forbidden(preview, ImageChange(URN, "app", NEW))


@pytest.mark.parametrize("bad", ['{"resourcePreEvent": {"meta', "[]", '{"resourcePreEvent": {}}'])
def test_a_line_that_cannot_be_read_leaves_the_log_incomplete(bad: str) -> None:
    assert not parse_event_log([bad, summary()]).preview.complete


@pytest.mark.parametrize("image", [UNKNOWN, "[secret]", {"4dabf18": "secret"}, None])
def test_an_image_that_is_not_known_is_no_image(image: object) -> None:
    log = parse_event_log([step(new=with_image(image)), summary(update=1)])

    assert log.preview.changes[0].containers == (ContainerInput(0, "app", None),)
    assert find_forbidden(log.preview, ImageChange(URN, "app", NEW))


def test_containers_that_are_not_known_are_none() -> None:
    inputs = {"spec": {"template": {"spec": {"containers": UNKNOWN}}}}

    log = parse_event_log([step(new={"inputs": inputs}), summary(update=1)])

    assert log.preview.changes[0].containers == ()
    assert find_forbidden(log.preview, ImageChange(URN, "app", NEW))


def test_both_spellings_of_a_paths_kind_are_read() -> None:
    diff = {"a": {"diffKind": "add"}, "b": {"kind": "delete"}}

    log = parse_event_log([step(detailedDiff=diff), summary(update=1)])

    assert log.preview.changes[0].paths == (PathChange("a", "add"), PathChange("b", "delete"))


def test_a_provider_that_tells_only_first_names_is_read_so() -> None:
    log = parse_event_log([step(diffs=["spec"]), summary(update=1)])

    assert log.preview.changes[0].paths == (PathChange("spec", "update"),)


def values_of(path: str, old: object, new: object, **told: object) -> str:
    """The fingerprint that a log gives a property's change."""
    diff = {path: {"diffKind": "update", "inputDiff": True} | told}
    log = parse_event_log([step(detailedDiff=diff, old=old, new=new), summary(update=1)])
    [found] = log.preview.changes[0].paths
    return found.values


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("spec.replicas", lambda value: {"spec": {"replicas": value}}),
        ("spec.ports[1].port", lambda value: {"spec": {"ports": [{}, {"port": value}]}}),
        (
            'metadata.annotations["a.b/c"]',
            lambda value: {"metadata": {"annotations": {"a.b/c": value}}},
        ),
    ],
)
def test_the_values_of_a_change_are_told_apart_without_being_told(
    path: str, where: Callable[[object], object]
) -> None:
    def values(old: object, new: object) -> str:
        return values_of(path, {"inputs": where(old)}, {"inputs": where(new)})

    assert len({values(1, 2), values(1, 3), values(2, 3), values("1", "2")}) == 4
    assert values(1, 2) == values(1, 2)
    assert "canary" not in values("canary", "other")


def test_a_value_that_is_not_known_yet_or_not_in_the_log_is_told_as_none() -> None:
    inputs = {"inputs": {"spec": {"replicas": 1}}}

    assert values_of("spec.replicas", inputs, {"inputs": {"spec": {"replicas": UNKNOWN}}}) == ""
    assert values_of("spec.gone", inputs, inputs) == ""


def test_the_old_value_is_the_one_that_the_provider_compared() -> None:
    def values(live: int) -> str:
        old = {"inputs": {"a": 1}, "outputs": {"a": live}}
        return values_of("a", old, {"inputs": {"a": 3}}, inputDiff=False)

    assert values(1) != values(2)


def test_a_message_loses_its_colours() -> None:
    said = {"diagnosticEvent": {"severity": "error", "message": "<{%fg 1%}>bad\n<{%reset%}>"}}

    assert parse_event_log([json.dumps(said)]).errors == ("bad",)


def test_an_error_names_the_resource_that_it_is_about() -> None:
    stack = "urn:pulumi:prod::shop::pulumi:pulumi:Stack::shop-prod"
    web = "urn:pulumi:prod::shop::kubernetes:apps/v1:Deployment::web"
    lines = [
        json.dumps({"diagnosticEvent": {"severity": "error", "message": message, "urn": urn}})
        for message, urn in (("EOF", web), ("update failed", stack))
    ]

    assert parse_event_log(lines).errors == ("web: EOF", "update failed")


def test_a_program_that_fails_without_the_engines_error_says_why_itself() -> None:
    """As CLI 3.259 tells of a YAML program that refers to nothing."""
    lines = [
        json.dumps({"diagnosticEvent": {"severity": severity, "message": message}})
        for severity, message in (
            ("info", "reading Pulumi.yaml"),
            ("info#err", 'Error: resource, variable, or config value "gone" not found\n\n'),
            ("info#err", "  on Pulumi.yaml line 87:\n\n"),
        )
    ]

    assert parse_event_log(lines).errors == (
        'Error: resource, variable, or config value "gone" not found',
        "on Pulumi.yaml line 87:",
    )
