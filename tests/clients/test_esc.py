"""The ESC client keeps people's text, writes once, and knows what a lost answer leaves open."""

from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from slipway.clients import esc, esc_revisions, pulumi_api
from slipway.clients.pulumi_api import PulumiApi
from slipway.domain.config import KeyForm
from slipway.errors import (
    AccessDenied,
    ConfigConflict,
    ConfigKeyUnusable,
    ConfigMismatch,
    ConfigRejected,
    InvalidInput,
    SlipwayError,
    Unreachable,
)
from tests.clients.cloud import BACKEND, PATH, CloudHere, Send, Spoiler, key
from tests.clients.test_esc_definition import DEFINITION, IMAGE

BEFORE = DEFINITION.replace("{fn::secret: {ciphertext: ZXNjAAAA}}", "hush").replace("- common", "")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi_api, "PAUSES", (0.0, 0.0))


@pytest.fixture
async def cloud(tmp_path: Path) -> CloudHere:
    here = CloudHere(tmp_path)
    await here.define(BEFORE)
    here.wire.requests.clear()
    return here


def spoil(
    method: str, *, after: bool, answer: httpx.Response | None = None, path: str = PATH
) -> Spoiler:
    """Every matching request is lost, or answered otherwise, before or after its effect."""

    async def strike(request: httpx.Request, send: Send) -> httpx.Response:
        if request.method != method or request.url.path != path:
            return await send(request)
        if after:
            await send(request)
        if answer is None:
            raise httpx.ReadTimeout("canary", request=request)
        return answer

    return strike


async def test_only_the_value_changes_in_the_definition(cloud: CloudHere) -> None:
    store = cloud.store()

    await store.write(await store.read(key()), IMAGE)

    assert await cloud.text() == BEFORE.replace("ghcr.io/acme/shop/adapter:v1", IMAGE)


async def test_a_key_that_only_an_import_sets_is_inherited(cloud: CloudHere) -> None:
    await cloud.define(
        "values:\n  pulumiConfig:\n    cluster:adapterImage: a/b\n", environment="-x"
    )
    await cloud.define("imports: [default/cluster-x]\nvalues: {}\n")

    found = await cloud.store().read(key())

    assert (found.form, found.value) == (KeyForm.INHERITED, None)


async def test_what_esc_refuses_is_told_and_not_sent(cloud: CloudHere) -> None:
    store = cloud.store()
    before = await store.read(key())
    said = {"code": 400, "message": "bad", "diagnostics": [{"summary": "unknown property 'x'"}]}
    check = "/api/esc/environments/acme/yaml/check"
    cloud.wire.spoil = spoil("POST", after=False, answer=httpx.Response(400, json=said), path=check)

    with pytest.raises(ConfigRejected, match="unknown property 'x'; nothing was written"):
        await store.write(before, IMAGE)

    assert cloud.wire.sent("PATCH") == 0


async def test_a_refusal_in_a_good_answer_is_a_refusal(cloud: CloudHere) -> None:
    store = cloud.store()
    before = await store.read(key())
    said = {"diagnostics": [{"summary": "no", "severity": ""}]}
    cloud.wire.spoil = spoil("PATCH", after=False, answer=httpx.Response(200, json=said))

    with pytest.raises(ConfigRejected, match="with cluster:adapterImage changed: no"):
        await store.write(before, IMAGE)


async def test_a_warning_is_no_refusal(cloud: CloudHere) -> None:
    store = cloud.store()
    before = await store.read(key())

    async def warn(request: httpx.Request, send: Send) -> httpx.Response:
        answer = await send(request)
        if request.method != "PATCH":
            return answer
        said = {"diagnostics": [{"summary": "old", "severity": "warning"}]}
        return httpx.Response(200, json=said, headers={"Pulumi-ESC-Revision": "3"})

    cloud.wire.spoil = warn

    assert (await store.write(before, IMAGE)).value == IMAGE


async def test_a_change_between_our_read_and_our_write_wins(cloud: CloudHere) -> None:
    """The server's compare-and-set decides, not our own look before it."""
    store = cloud.store()
    before = await store.read(key())

    async def overtake(request: httpx.Request, send: Send) -> httpx.Response:
        if request.method == "PATCH":
            cloud.wire.spoil = None
            await cloud.define(BEFORE.replace(":v3", ":v4"))
        return await send(request)

    cloud.wire.spoil = overtake

    with pytest.raises(ConfigConflict, match="revision 3 by operator"):
        await store.write(before, IMAGE)

    assert await cloud.text() == BEFORE.replace(":v3", ":v4")


async def test_a_write_whose_answer_is_lost_is_found_and_not_sent_again(cloud: CloudHere) -> None:
    store = cloud.store()
    before = await store.read(key())
    cloud.wire.spoil = spoil("PATCH", after=True)

    written = await store.write(before, IMAGE)

    assert (written.revision, written.value) == (before.revision + 1, IMAGE)
    assert cloud.wire.sent("PATCH") == 1


async def test_a_write_that_is_lost_on_its_way_is_told_and_not_sent_again(
    cloud: CloudHere,
) -> None:
    store = cloud.store()
    before = await store.read(key())
    cloud.wire.spoil = spoil("PATCH", after=False)

    with pytest.raises(Unreachable, match="was not written, revision 2 stands"):
        await store.write(before, IMAGE)

    assert cloud.wire.sent("PATCH") == 1
    assert await cloud.text() == BEFORE


async def test_a_lost_answer_and_somebody_elses_write_are_told_apart(cloud: CloudHere) -> None:
    store = cloud.store()
    before = await store.read(key())

    async def overtake(request: httpx.Request, send: Send) -> httpx.Response:
        if request.method != "PATCH":
            return await send(request)
        cloud.wire.spoil = None
        await cloud.define(BEFORE + "# theirs\n")
        raise httpx.ReadTimeout("canary", request=request)

    cloud.wire.spoil = overtake

    with pytest.raises(ConfigConflict, match="by operator"):
        await store.write(before, IMAGE)


VERSIONS = f"{PATH}/versions"


@pytest.mark.parametrize("page", [1, 2])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(400, text="no"), ConfigKeyUnusable),
        (httpx.Response(403, text="no"), AccessDenied),
        (httpx.Response(404, text="no"), ConfigKeyUnusable),
        (httpx.Response(500, text="no"), Unreachable),
        (httpx.Response(200, json={"message": "no"}), ConfigKeyUnusable),
        (httpx.Response(200, text="<html>"), ConfigKeyUnusable),
    ],
)
async def test_values_of_a_history_that_can_not_be_read_whole_are_none(
    cloud: CloudHere,
    monkeypatch: pytest.MonkeyPatch,
    answer: httpx.Response,
    error: type[SlipwayError],
    page: int,
) -> None:
    """What ESC ever had is kept by pruning: a part of it would let the rest be deleted."""
    monkeypatch.setattr(esc_revisions, "PAGE", 1)
    await cloud.define(BEFORE + "# another revision\n")
    asked = 0

    async def strike(request: httpx.Request, send: Send) -> httpx.Response:
        nonlocal asked
        if request.url.path != VERSIONS:
            return await send(request)
        asked += 1
        return answer if asked >= page else await send(request)

    cloud.wire.spoil = strike

    with pytest.raises(error):
        await cloud.store().history(key())


def adapter(value: str) -> str:
    return (
        f"values:\n  image: {IMAGE}\n  token: {{fn::secret: canary}}\n"
        f"  pulumiConfig:\n    cluster:adapterImage: {value}\n"
    )


@pytest.mark.parametrize(
    "value",
    [
        IMAGE,
        "${image}",
        f"'{IMAGE.partition(':')[0]}:${{version}}'",
        "{fn::join: ['', [ghcr.io/, '${rest}']]}",
        f"[x, '{IMAGE}']",
        "{a: {b: '${image}'}}",
        f"|\n      {IMAGE}",
    ],
)
async def test_whatever_form_the_key_had_in_a_revision_its_value_is_told(
    cloud: CloudHere, value: str
) -> None:
    """Pruning keeps what ESC ever had, and a person may have written it in any form."""
    pieces = {"version": IMAGE.partition(":")[2], "rest": IMAGE.partition("/")[2]}
    written = adapter(value).replace(
        "  token:", "".join(f"  {name}: {each}\n" for name, each in pieces.items()) + "  token:"
    )
    await cloud.define(written)
    await cloud.define(BEFORE)

    found = (await cloud.store().history(key())).values

    assert any(IMAGE in each for each in found)
    assert "ghcr.io/acme/shop/adapter:v1" in found


SHA, HEX = "5" * 40, "e" * 64


@pytest.mark.parametrize(
    "written",
    [
        "values:\n  lastGood: ghcr.io/acme/shop/adapter:{name}\n",
        "values:\n  pulumiConfig:\n    other:image: ghcr.io/acme/shop/adapter:{name}\n",
        "values:\n  deep: {{in: [some, {{list: 'x:{name}'}}]}}\n",
        "values:\n  text: |\n    before\n    - {name}\n    after\n",
        "values:\n  '{name}': a name\n",
        "values:\n  joined: {{fn::join: [':', [adapter, '{name}']]}}\n",
        "values:\n  environmentVariables: {{IMAGE: 'adapter:{name}'}}\n",
        "values:\n  x: y # was {name}\n",
    ],
    ids=["value", "key", "nested", "text", "name", "joined", "variable", "comment"],
)
@pytest.mark.parametrize("name", [SHA, HEX], ids=["commit", "digest"])
async def test_whatever_an_environment_ever_named_under_any_key_is_told(
    cloud: CloudHere, written: str, name: str
) -> None:
    """Pruning keeps it: another program, or a person, may go back to it by this key."""
    await cloud.define(written.format(name=name))
    await cloud.define(BEFORE)
    cloud.wire.requests.clear()

    found = (await cloud.store().history(key())).names

    assert {each.removeprefix("sha256:") for each in found} >= {name}
    assert cloud.wire.sent("POST") == 0


async def test_what_an_import_names_under_any_key_is_told_as_it_is_now(cloud: CloudHere) -> None:
    await cloud.define(f"values:\n  lastGood: [{HEX}]\n", environment="-x")
    await cloud.define(f"values:\n  lastGood: [x:{SHA}]\n", environment="-x")
    await cloud.define(BEFORE.replace("imports:\n", "imports:\n  - default/cluster-x\n"))

    assert (await cloud.store().history(key())).names == {SHA}


async def test_an_import_that_can_not_be_told_ends_the_reading(cloud: CloudHere) -> None:
    await cloud.define("values: {}\n", environment="-x")
    await cloud.define(BEFORE.replace("imports:\n", "imports:\n  - default/cluster-x\n"))
    check = "/api/esc/environments/acme/yaml/check"
    cloud.wire.spoil = spoil("POST", after=False, answer=httpx.Response(400), path=check)

    with pytest.raises(ConfigKeyUnusable, match="imports can't be told"):
        await cloud.store().history(key())


async def test_names_are_all_that_is_told_of_other_keys(cloud: CloudHere) -> None:
    await cloud.define(f"values:\n  token: {{fn::secret: canary}}\n  x: canary, {SHA}, canary\n")

    assert (await cloud.store().history(key())).names == {SHA}


async def test_a_value_that_only_an_import_had_is_told_as_it_is_now(cloud: CloudHere) -> None:
    await cloud.define(adapter(IMAGE), environment="-x")
    await cloud.define("imports: [default/cluster-x]\nvalues: {}\n")
    await cloud.define(BEFORE)

    assert IMAGE in (await cloud.store().history(key())).values


@pytest.mark.parametrize("value", ["{fn::secret: canary}", "${token}", "'a/b:${token}'"])
async def test_a_revision_in_which_the_key_can_not_be_read_ends_the_reading(
    cloud: CloudHere, value: str
) -> None:
    """What it named could not be kept; nothing is decrypted for it."""
    await cloud.define(adapter(value))
    await cloud.define(BEFORE)

    with pytest.raises(ConfigKeyUnusable, match=r"at revision 3.*let the target use") as untold:
        await cloud.store().history(key())

    assert "canary" not in str(untold.value)


async def test_a_revision_that_esc_does_not_evaluate_any_more_ends_the_reading(
    cloud: CloudHere,
) -> None:
    await cloud.define(adapter("${image}"))
    check = "/api/esc/environments/acme/yaml/check"
    cloud.wire.spoil = spoil("POST", after=False, answer=httpx.Response(400), path=check)

    with pytest.raises(ConfigKeyUnusable, match="at revision 3"):
        await cloud.store().history(key())


async def test_a_history_without_any_revision_is_none(cloud: CloudHere) -> None:
    cloud.wire.spoil = spoil("GET", after=False, answer=httpx.Response(200, json=[]), path=VERSIONS)

    with pytest.raises(ConfigKeyUnusable, match="tells of no revision"):
        await cloud.store().history(key())


def versions_asked(cloud: CloudHere) -> int:
    """How many revisions' texts were asked for."""
    return sum(each.url.path.startswith(f"{VERSIONS}/") for each in cloud.wire.requests)


async def test_who_set_a_key_is_found_in_as_few_revisions_as_it_has_stood(
    cloud: CloudHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(esc_revisions, "PAGE", 2)
    for number in range(5):
        await cloud.define(BEFORE + f"# before, {number}\n")
    await cloud.define(BEFORE.replace("adapter:v1", "adapter:v2"))
    for number in range(3):
        await cloud.define(BEFORE.replace("adapter:v1", "adapter:v2") + f"# {number}\n")
    store = cloud.store()
    snapshot = await store.read(key())
    cloud.wire.requests.clear()

    found = await store.set_in(snapshot)

    assert found is not None
    assert found.number == snapshot.revision - 3
    assert versions_asked(cloud) == 5


async def test_who_set_a_key_too_long_ago_is_not_looked_for_for_ever(
    cloud: CloudHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(esc, "FARTHEST_BACK", 3)
    for number in range(3):
        await cloud.define(BEFORE + f"# {number}\n")
    store = cloud.store()
    snapshot = await store.read(key())
    cloud.wire.requests.clear()

    assert await store.set_in(snapshot) is None
    assert versions_asked(cloud) == 3


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_who_set_a_key_is_an_error_where_a_revision_can_not_be_read(
    cloud: CloudHere, status: int
) -> None:
    """A retracted revision is listed, and not readable: it may be the one."""
    await cloud.define(BEFORE + "# another\n")
    gone = httpx.Response(status, text="no")
    cloud.wire.spoil = spoil("GET", after=False, answer=gone, path=f"{VERSIONS}/2")

    with pytest.raises(SlipwayError):
        await cloud.store().set_in(await cloud.store().read(key()))


async def test_who_changed_the_key_last_is_left_out_where_it_can_not_be_read(
    cloud: CloudHere,
) -> None:
    cloud.wire.spoil = spoil("GET", after=False, answer=httpx.Response(404), path=VERSIONS)

    snapshot = await cloud.store().read(key())

    assert (snapshot.author, snapshot.form) == ("", KeyForm.PLAIN)


async def test_a_definition_that_reads_back_differently_is_told(cloud: CloudHere) -> None:
    store = cloud.store()
    before = await store.read(key())
    other = httpx.Response(200, text=BEFORE, headers={"ETag": '"x"', "Pulumi-ESC-Revision": "3"})
    cloud.wire.spoil = spoil("GET", after=True, answer=other, path=f"{PATH}/versions/3")

    with pytest.raises(ConfigMismatch, match="reads back differently at revision 3"):
        await store.write(before, IMAGE)


@pytest.mark.parametrize("status", [401, 403, 404, 500])
async def test_a_write_that_can_not_be_read_back_is_never_told_as_not_written(
    cloud: CloudHere, status: int
) -> None:
    store = cloud.store()
    before = await store.read(key())
    gone = httpx.Response(status, text="no")
    cloud.wire.spoil = spoil("GET", after=False, answer=gone, path=f"{PATH}/versions/3")

    with pytest.raises(ConfigMismatch, match="written as revision 3, which can't be read back"):
        await store.write(before, IMAGE)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_lost_answer_that_can_not_be_looked_up_leaves_open_whether_it_was_written(
    cloud: CloudHere, status: int
) -> None:
    store = cloud.store()
    before = await store.read(key())
    lost = False

    async def strike(request: httpx.Request, send: Send) -> httpx.Response:
        nonlocal lost
        if lost and request.url.path == PATH:
            return httpx.Response(status, text="no")
        answer = await send(request)
        if request.method == "PATCH":
            lost = True
            raise httpx.ReadTimeout("canary", request=request)
        return answer

    cloud.wire.spoil = strike

    with pytest.raises(Unreachable, match="whether ESC key"):
        await store.write(before, IMAGE)


async def test_an_account_that_may_only_read_is_refused_a_write(cloud: CloudHere) -> None:
    store = cloud.store("viewer")

    with pytest.raises(AccessDenied, match="may not PATCH"):
        await store.write(await store.read(key()), IMAGE)

    assert await cloud.text() == BEFORE


async def test_a_rejected_token_is_told_and_never_shown(cloud: CloudHere) -> None:
    store = cloud.store()
    store.api.token = SecretStr("canary-token")

    with pytest.raises(AccessDenied, match="token is not accepted") as raised:
        await store.read(key())

    assert "canary-token" not in f"{raised.value} {raised.value.__cause__} {store!r}"


async def test_an_environment_that_is_not_there_is_named(cloud: CloudHere) -> None:
    await cloud.api("operator").send("DELETE", PATH)

    with pytest.raises(ConfigKeyUnusable, match="acme/default/cluster can't be read"):
        await cloud.store().read(key())


async def test_a_read_is_tried_again_until_the_api_answers(cloud: CloudHere) -> None:
    left = [httpx.Response(502), httpx.Response(429, headers={"Retry-After": "0"})]

    async def stumble(request: httpx.Request, send: Send) -> httpx.Response:
        return left.pop() if left and request.url.path == PATH else await send(request)

    cloud.wire.spoil = stumble

    assert (await cloud.store().read(key())).form is KeyForm.PLAIN


async def test_an_api_that_stays_away_is_unreachable(cloud: CloudHere) -> None:
    cloud.wire.spoil = spoil("GET", after=False)

    with pytest.raises(Unreachable, match="did not answer GET"):
        await cloud.store().read(key())

    assert cloud.wire.sent("GET") >= 3


async def test_a_write_that_is_turned_away_for_its_rate_is_sent_again(cloud: CloudHere) -> None:
    store = cloud.store()
    before = await store.read(key())
    left = [httpx.Response(429, headers={"Retry-After": "0"})]

    async def stumble(request: httpx.Request, send: Send) -> httpx.Response:
        return left.pop() if left and request.method == "PATCH" else await send(request)

    cloud.wire.spoil = stumble

    assert (await store.write(before, IMAGE)).value == IMAGE


@pytest.mark.parametrize("backend", ["http://api.pulumi.com", "file://~", "s3://bucket"])
def test_the_token_is_sent_to_https_or_loopback_only(backend: str) -> None:
    with pytest.raises(InvalidInput, match="is not an https address"):
        PulumiApi(backend, SecretStr("canary"))

    assert PulumiApi(BACKEND, SecretStr("canary")).backend == BACKEND
