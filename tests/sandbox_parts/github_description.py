"""What GitHub's description of its REST API says of the routes that are used, made small.

`python -m tests.sandbox_parts.github_description FILE` reads the description of npm's
`@octokit/openapi` (`generated/api.github.com.json`) and prints what `github_rest.json` keeps of it.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KEPT = Path(__file__).parent / "github_rest.json"
REPOSITORY = "/repos/{owner}/{repo}"
PACKAGE = "/orgs/{org}/packages/{package_type}/{package_name}/versions"
ROUTES = (
    "POST /statuses/{sha}",
    "GET /commits/{ref}/statuses",
    "POST /deployments",
    "GET /deployments",
    "POST /deployments/{deployment_id}/statuses",
    "GET /deployments/{deployment_id}/statuses",
    "GET /hooks/{hook_id}/deliveries",
    "POST /hooks/{hook_id}/deliveries/{delivery_id}/attempts",
    "GET /actions/workflows/{workflow_id}/runs",
    f"GET {PACKAGE}",
    f"DELETE {PACKAGE}/{{package_version_id}}",
    f"POST {PACKAGE}/{{package_version_id}}/restore",
)
"""Below a repository, but for those that begin elsewhere."""
ELSEWHERE = frozenset(
    {
        "actor",
        "creator",
        "head_commit",
        "head_repository",
        "performed_via_github_app",
        "pull_requests",
        "referenced_workflows",
        "repository",
        "triggering_actor",
    }
)
"""Properties that describe other things at length, and that nobody here reads."""
WORDS = frozenset(
    {"type", "required", "properties", "items", "enum", "oneOf", "anyOf", "allOf", "maxLength"}
)


def trimmed(description: Mapping[str, Any]) -> dict[str, Any]:
    """Of each used route: what may be asked, and what good answers look like, as JSON schemas."""
    return {route: _route(description, route) for route in ROUTES}


def _route(description: Mapping[str, Any], route: str) -> dict[str, Any]:
    method, _, path = route.partition(" ")
    whole = path if path.startswith("/orgs/") else f"{REPOSITORY}{path}"
    operation = description["paths"][whole][method.lower()]
    answers = {
        status: _schema(description, _content(description, answer))
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    }
    asked = _schema(description, _content(description, operation.get("requestBody", {})))
    query = sorted(
        each["name"]
        for each in (_resolved(description, one) for one in operation["parameters"])
        if each["in"] == "query"
    )
    return {"asked": asked, "query": query, "answered": answers}


def _content(description: Mapping[str, Any], described: Mapping[str, Any]) -> Any:
    found = _resolved(description, described).get("content", {})
    return found.get("application/json", {}).get("schema", {})


def _schema(description: Mapping[str, Any], schema: Any) -> Any:
    """A schema without its prose, its references resolved, and null as JSON schema has it."""
    if isinstance(schema, list):
        return [_schema(description, each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    schema = _resolved(description, schema)
    small: dict[str, Any] = {}
    for word in sorted(WORDS & set(schema)):
        if word == "properties":
            small[word] = {
                name: {} if name in ELSEWHERE else _schema(description, each)
                for name, each in sorted(schema[word].items())
            }
        else:
            small[word] = _schema(description, schema[word])
    if schema.get("nullable"):
        return {"anyOf": [small, {"type": "null"}]}
    return small


def _resolved(description: Mapping[str, Any], described: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = described.get("$ref")
    if reference is None:
        return described
    found: Any = description
    for step in str(reference).removeprefix("#/").split("/"):
        found = found[step]
    return _resolved(description, found)


if __name__ == "__main__":
    read = json.loads(Path(sys.argv[1]).read_text())
    sys.stdout.write(f"{json.dumps(trimmed(read), indent=1)}\n")
