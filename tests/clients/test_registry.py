"""The registry client believes bytes, not names, and says which of five things went wrong."""

import asyncio
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from slipway.clients.loopback import is_loopback
from slipway.clients.registry import OciRegistry
from slipway.clients.registry_http import Answer, next_page, pause_asked_for
from slipway.clients.registry_session import RegistrySession
from slipway.domain.image import Digest, ImageReference
from slipway.domain.publication import BUILD_INPUTS_LABEL, REVISION_LABEL, SOURCE_LABEL
from slipway.domain.signature import SignedPayload, signature_tag
from slipway.errors import (
    AccessDenied,
    ImageMissing,
    InvalidInput,
    PushFailed,
    RegistryUnusable,
    SlipwayError,
    Unreachable,
)
from slipway.ports import PullCredentials
from tests.clients.recorded import (
    HOST,
    INDEX,
    MANIFEST,
    OCI_MANIFEST,
    PASSWORD,
    PATH,
    REPOSITORY,
    Recorded,
    sha256,
)
from tests.signing import Signer, signature_manifest

COMMIT = "1" * 40
SIGNATURE = "dev.cosignproject.cosign/signature"
AT_COMMIT = ImageReference(REPOSITORY, COMMIT)


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


async def test_an_image_is_read_with_labels_platform_and_accepted_digests(
    recorded: Recorded,
) -> None:
    labels = {REVISION_LABEL: COMMIT, SOURCE_LABEL: "https://x", BUILD_INPUTS_LABEL: "abc"}
    digest = recorded.add_image(COMMIT, labels)

    image = await recorded.client().find(AT_COMMIT)

    assert image is not None
    assert image.digest == Digest(digest)
    assert (image.revision, image.source, image.build_inputs) == (COMMIT, "https://x", "abc")
    assert image.platforms == {"linux/amd64"}
    config = next(iter(recorded.blobs))
    assert image.accepted == {Digest(digest), Digest(config)}


async def test_a_missing_tag_is_nothing_and_not_an_error(recorded: Recorded) -> None:
    assert await recorded.client().find(AT_COMMIT) is None


async def test_the_digest_of_a_reference_wins_over_its_tag(recorded: Recorded) -> None:
    asked_for = recorded.add_image("old", {"a": "1"})
    recorded.add_image(COMMIT, {"a": "2"})

    image = await recorded.client().find(ImageReference(REPOSITORY, COMMIT, Digest(asked_for)))

    assert image is not None
    assert image.digest == Digest(asked_for)


async def test_the_registry_is_never_let_convert_a_manifest(recorded: Recorded) -> None:
    """With any other Accept header docker-registry answers with schema 1 and another digest."""
    digest = recorded.add_image(COMMIT)

    assert await recorded.client().digest(AT_COMMIT) == Digest(digest)


async def test_an_index_is_its_images_without_the_attestations(recorded: Recorded) -> None:
    common = {REVISION_LABEL: COMMIT}
    amd = recorded.add_image(labels={**common, SOURCE_LABEL: "one"})
    arm = recorded.add_image(labels={**common, SOURCE_LABEL: "two"}, platform=("linux", "arm64"))
    proof = recorded.add_manifest(OCI_MANIFEST, {"schemaVersion": 2, "layers": []})
    index = {
        "schemaVersion": 2,
        "manifests": [
            {"digest": amd, "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": arm, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
            {
                "digest": proof,
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
            },
        ],
    }
    digest = recorded.add_manifest(INDEX, index, COMMIT)

    image = await recorded.client().find(AT_COMMIT)

    assert image is not None
    assert image.platforms == {"linux/amd64", "linux/arm64"}
    assert image.revision == COMMIT
    assert image.source is None
    assert {Digest(digest), Digest(amd), Digest(arm)} < image.accepted
    assert {Digest(each) for each in recorded.blobs} < image.accepted
    assert Digest(proof) not in image.accepted


async def test_a_platform_whose_part_is_gone_is_not_claimed(recorded: Recorded) -> None:
    amd = recorded.add_image()
    index = {
        "manifests": [
            {"digest": amd, "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": f"sha256:{'0' * 64}", "platform": {"os": "linux", "architecture": "arm64"}},
        ]
    }
    recorded.add_manifest(INDEX, index, COMMIT)

    image = await recorded.client().find(AT_COMMIT)

    assert image is not None
    assert image.platforms == {"linux/amd64"}
    assert image.missing == {Digest(f"sha256:{'0' * 64}")}


async def test_a_part_that_was_gone_and_is_back_is_seen_by_the_same_client(
    recorded: Recorded,
) -> None:
    amd = recorded.add_image(labels={"a": "1"})
    recorded.add_manifest(INDEX, {"manifests": [{"digest": amd}]}, COMMIT)
    client, away = recorded.client(), recorded.manifests.pop(amd)

    before = await client.find(AT_COMMIT)
    recorded.manifests[amd] = away
    after = await client.find(AT_COMMIT)

    assert before is not None
    assert after is not None
    assert before.missing == {Digest(amd)}
    assert after.missing == frozenset()


@pytest.mark.parametrize(
    ("created", "label", "read"),
    [
        ("2026-03-01T12:00:00.123456789Z", "", "2026-03-01T12:00:00.123456+00:00"),
        ("1970-01-01T00:00:00Z", "", None),
        ("1980-01-01T00:00:01Z", "", None),
        ("0001-01-01T00:00:00Z", "2026-03-01T12:00:00+01:00", "2026-03-01T12:00:00+01:00"),
        ("yesterday", "", None),
        ("2026-03-01T12:00:00", "", "2026-03-01T12:00:00+00:00"),
        (None, "", None),
    ],
    ids=["docker", "epoch", "buildpacks", "only its label", "no time", "no zone", "nothing"],
)
async def test_when_an_image_was_built_is_read_where_a_clock_has_said_it(
    recorded: Recorded, created: str | None, label: str, read: str | None
) -> None:
    labels = {"org.opencontainers.image.created": label} if label else {}
    recorded.add_image(COMMIT, labels, created=created)

    image = await recorded.client().find(AT_COMMIT)

    assert image is not None
    assert image.created == (datetime.fromisoformat(read) if read else None)


async def test_an_index_is_as_old_as_its_oldest_image(recorded: Recorded) -> None:
    days = ("2026-03-02T00:00:00Z", "2026-03-01T00:00:00Z", "1970-01-01T00:00:00Z")
    parts = [{"digest": recorded.add_image(created=each)} for each in days]
    recorded.add_manifest(INDEX, {"manifests": parts}, COMMIT)

    image = await recorded.client().find(AT_COMMIT)

    assert image is not None
    assert image.created == datetime(2026, 3, 1, tzinfo=UTC)


async def test_what_is_known_by_digest_is_asked_for_by_one_head(recorded: Recorded) -> None:
    recorded.add_image(COMMIT)
    client = recorded.client()
    first = await client.find(AT_COMMIT)
    recorded.requests.clear()

    assert await client.find(AT_COMMIT) == first

    assert [each.method for each in recorded.requests] == ["HEAD"]


async def test_damaged_bytes_are_never_believed(recorded: Recorded) -> None:
    digest = recorded.add_image(COMMIT)
    kind, body = recorded.manifests[digest]

    def damage(request: httpx.Request) -> httpx.Response | None:
        if request.method == "GET" and "/manifests/" in request.url.path:
            return httpx.Response(
                200,
                headers={"content-type": kind, "docker-content-digest": digest},
                content=body.replace(b"2", b"3", 1),
            )
        return None

    recorded.instead = damage

    with pytest.raises(Unreachable, match="damaged on the way"):
        await recorded.client().find(AT_COMMIT)


async def test_a_damaged_configuration_is_not_believed(recorded: Recorded) -> None:
    recorded.add_image(COMMIT, {REVISION_LABEL: COMMIT})
    name = next(iter(recorded.blobs))
    recorded.blobs[name] = recorded.blobs[name].replace(b"1111", b"2222")

    with pytest.raises(Unreachable, match="damaged"):
        await recorded.client().find(AT_COMMIT)


async def test_a_manifest_without_end_is_not_read(recorded: Recorded) -> None:
    recorded.instead = lambda request: (
        httpx.Response(200, content=b"x" * (5 * 1024 * 1024)) if request.method == "GET" else None
    )
    recorded.add_image(COMMIT)

    with pytest.raises(RegistryUnusable, match="no manifest is that large"):
        await recorded.client().find(AT_COMMIT)


async def test_tags_follow_the_link_and_nothing_else(recorded: Recorded) -> None:
    pages = {
        "n=1000": (["a", "b"], f'</v2/{PATH}/tags/list?last=b&n=2>; rel="next"'),
        "last=b&n=2": (["c"], ""),
    }

    def page(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/tags/list") or "authorization" not in request.headers:
            return None
        tags, link = pages[request.url.query.decode()]
        return httpx.Response(200, json={"tags": tags}, headers={"link": link} if link else {})

    recorded.instead = page

    assert await recorded.client().tags(REPOSITORY) == ["a", "b", "c"]


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(400, json={"errors": [{"code": "UNSUPPORTED"}]}), RegistryUnusable),
        (httpx.Response(401), AccessDenied),
        (httpx.Response(404, json={"errors": [{"code": "NAME_UNKNOWN"}]}), RegistryUnusable),
        (httpx.Response(200, json={"errors": []}), RegistryUnusable),
        (httpx.Response(200, text="<html>"), RegistryUnusable),
        (httpx.Response(503), Unreachable),
    ],
)
async def test_a_page_of_tags_that_can_not_be_read_is_no_end_of_the_list(
    recorded: Recorded, answer: httpx.Response, error: type[SlipwayError], number: int
) -> None:
    """A tag that is not seen protects nothing. Only the first page may say: no such repository."""
    link = {"link": f'</v2/{PATH}/tags/list?last=b>; rel="next"'}

    def page(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/tags/list") or "authorization" not in request.headers:
            return None
        first = "last" not in request.url.params
        if first == (number == 1):
            return answer
        return httpx.Response(200, json={"tags": ["a", "b"]}, headers=link if first else {})

    recorded.instead = page

    if number == 1 and answer.status_code == httpx.codes.NOT_FOUND:
        assert await recorded.client().tags(REPOSITORY) == []
        return
    with pytest.raises(error):
        await recorded.client().tags(REPOSITORY)


async def test_a_repository_whose_tags_are_all_gone_has_none(recorded: Recorded) -> None:
    """As the distribution registry writes it."""
    recorded.instead = lambda request: (
        httpx.Response(200, json={"name": PATH, "tags": None})
        if request.url.path.endswith("/tags/list")
        else None
    )

    assert await recorded.client().tags(REPOSITORY) == []


async def test_referrers_follow_the_link_too(recorded: Recorded) -> None:
    digests = [f"sha256:{number:064x}" for number in range(2)]

    def page(request: httpx.Request) -> httpx.Response | None:
        if "/referrers/" not in request.url.path:
            return None
        last = "last" in request.url.params
        link = {} if last else {"link": f'<{request.url.path}?last=a>; rel="next"'}
        manifests = [{"digest": digests[last]}]
        return httpx.Response(200, json={"manifests": manifests}, headers=link)

    recorded.instead = page

    found = await recorded.client().referrers(REPOSITORY, Digest(digests[0]))

    assert found == set(map(Digest, digests))


async def test_a_list_that_goes_on_at_another_host_is_not_followed(recorded: Recorded) -> None:
    link = {"link": '<https://elsewhere.example/v2/x/tags/list>; rel="next"'}
    recorded.instead = lambda request: (
        httpx.Response(200, json={"tags": []}, headers=link)
        if request.url.path.endswith("/tags/list")
        else None
    )

    with pytest.raises(RegistryUnusable, match=r"elsewhere\.example"):
        await recorded.client().tags(REPOSITORY)


async def test_an_unknown_repository_has_no_tags(recorded: Recorded) -> None:
    recorded.instead = lambda request: (
        httpx.Response(404, json={"errors": [{"code": "NAME_UNKNOWN"}]})
        if request.url.path.endswith("/tags/list")
        else None
    )

    assert await recorded.client().tags(REPOSITORY) == []


async def test_a_tag_moves_without_a_byte_changing(recorded: Recorded) -> None:
    digest = recorded.add_image(COMMIT)
    client = recorded.client()
    image = await client.find(AT_COMMIT)
    assert image is not None

    await client.tag(image, "main")

    assert recorded.manifests["main"] == recorded.manifests[digest]
    assert recorded.manifests["main"][0] == MANIFEST


async def test_a_tag_that_somebody_else_moves_at_once_is_noticed(recorded: Recorded) -> None:
    recorded.add_image(COMMIT)
    other = recorded.add_image("other", {"x": "y"})
    client = recorded.client()
    image = await client.find(AT_COMMIT)
    assert image is not None

    def somebody_else(request: httpx.Request) -> httpx.Response | None:
        if request.method == "HEAD" and request.url.path.endswith("/main"):
            recorded.manifests["main"] = recorded.manifests[other]
        return None

    recorded.instead = somebody_else

    with pytest.raises(PushFailed, match="another writer of this tag"):
        await client.tag(image, "main")


async def test_tagging_what_is_gone_names_it(recorded: Recorded) -> None:
    digest = recorded.add_image(COMMIT)
    client = recorded.client()
    image = await client.find(AT_COMMIT)
    assert image is not None
    del recorded.manifests[digest]

    with pytest.raises(ImageMissing, match=digest):
        await client.tag(image, "main")


async def test_one_token_serves_many_requests_at_once(recorded: Recorded) -> None:
    for number in range(20):
        recorded.add_image(f"tag-{number}", {"number": str(number)})
    client = recorded.client()

    found = await asyncio.gather(
        *(client.find(ImageReference(REPOSITORY, f"tag-{number}")) for number in range(20))
    )

    assert len({each.digest for each in found if each}) == 20
    assert recorded.tokens == 1


async def test_a_token_that_the_registry_stops_taking_is_renewed_once(recorded: Recorded) -> None:
    recorded.add_image(COMMIT)
    client = recorded.client()
    await client.find(AT_COMMIT)
    spent = "Bearer granted-1"
    recorded.instead = lambda request: (
        recorded._challenge(request) if request.headers.get("authorization") == spent else None
    )

    assert await client.find(AT_COMMIT) is not None

    assert recorded.tokens == 2


async def test_a_token_without_life_left_is_not_used(recorded: Recorded) -> None:
    recorded.token_life = 0
    recorded.add_image(COMMIT)
    client = recorded.client()

    await client.digest(AT_COMMIT)
    await client.digest(AT_COMMIT)

    # No lifetime told means the specification's 60 seconds, not none at all.
    assert recorded.tokens == 1


@pytest.mark.parametrize(
    ("user", "password", "said"),
    [
        ("robot", "wrong", "token issuer of registry ghcr.io rejects account robot"),
        ("", "", "denies an anonymous request"),
    ],
)
async def test_a_probe_tells_rejected_from_denied(
    recorded: Recorded, user: str, password: str, said: str
) -> None:
    recorded.add_image(COMMIT)
    credentials = PullCredentials(HOST, user, SecretStr(password)) if user else None

    with pytest.raises(AccessDenied, match=said):
        await recorded.client().probe(AT_COMMIT, credentials)


async def test_a_probe_with_good_credentials_passes(recorded: Recorded) -> None:
    recorded.add_image(COMMIT)

    await recorded.client("").probe(AT_COMMIT, PullCredentials(HOST, "robot", SecretStr(PASSWORD)))


async def test_a_probe_tells_missing_from_denied(recorded: Recorded) -> None:
    with pytest.raises(ImageMissing, match="never pushed or was deleted"):
        await recorded.client().probe(
            AT_COMMIT, PullCredentials(HOST, "robot", SecretStr(PASSWORD))
        )


async def test_a_probe_finds_an_index_whose_part_is_gone(recorded: Recorded) -> None:
    gone = f"sha256:{'0' * 64}"
    recorded.add_manifest(INDEX, {"manifests": [{"digest": gone}]}, COMMIT)

    with pytest.raises(ImageMissing, match=gone):
        await recorded.client().probe(
            AT_COMMIT, PullCredentials(HOST, "robot", SecretStr(PASSWORD))
        )


async def test_a_probe_that_leaves_out_the_parts_asks_for_the_index_alone(
    recorded: Recorded,
) -> None:
    gone = f"sha256:{'0' * 64}"
    recorded.add_manifest(INDEX, {"manifests": [{"digest": gone}]}, COMMIT)
    good = PullCredentials(HOST, "robot", SecretStr(PASSWORD))

    await recorded.client().probe(AT_COMMIT, good, parts=False)

    assert {each.rpartition("/")[2] for each in recorded.asked()} == {COMMIT}


async def test_a_probe_tells_unreachable_from_all_of_them(recorded: Recorded) -> None:
    def down(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    recorded.instead = down

    with pytest.raises(Unreachable, match="did not answer"):
        await recorded.client().probe(AT_COMMIT, None)


async def test_a_probe_does_not_borrow_the_tokens_of_our_own_account(recorded: Recorded) -> None:
    recorded.add_image(COMMIT)
    client = recorded.client()
    await client.find(AT_COMMIT)

    with pytest.raises(AccessDenied):
        await client.probe(AT_COMMIT, PullCredentials(HOST, "ghost", SecretStr("x")))


async def test_a_push_that_is_denied_says_so(recorded: Recorded) -> None:
    recorded.add_image(COMMIT)
    recorded.may_push = False
    client = recorded.client()
    image = await client.find(AT_COMMIT)
    assert image is not None

    with pytest.raises(AccessDenied, match="account robot pull,push"):
        await client.tag(image, "main")


async def test_who_may_only_pull_is_told_so_with_account_and_repository(
    recorded: Recorded,
) -> None:
    recorded.may_push = False

    with pytest.raises(AccessDenied, match=f"account robot pull,push on {PATH}"):
        await recorded.client().require_push(REPOSITORY)


async def test_an_upload_that_was_begun_to_ask_is_given_up(recorded: Recorded) -> None:
    await recorded.client().require_push(REPOSITORY)

    assert set(recorded.asked("POST")) == {f"/v2/{PATH}/blobs/uploads/"}
    assert not recorded.uploads


async def test_a_short_pause_is_waited_out(recorded: Recorded) -> None:
    """GHCR's own words, which stand in the body and count in milliseconds."""
    recorded.add_image(COMMIT)
    answers = iter(
        [
            httpx.Response(
                429, content=b"toomanyrequests: retry-after: 1.16ms, allowed: 44000/min"
            ),
            httpx.Response(503, headers={"retry-after": "0"}),
        ]
    )
    recorded.instead = lambda _: next(answers, None)

    assert await recorded.client().find(AT_COMMIT) is not None


async def test_a_long_pause_is_the_callers_to_wait(recorded: Recorded) -> None:
    recorded.instead = lambda _: httpx.Response(429, headers={"retry-after": "120"})

    with pytest.raises(Unreachable, match="HTTP 429"):
        await recorded.client().find(AT_COMMIT)

    assert len(recorded.requests) == 1


async def test_a_broken_registry_is_unreachable_and_not_empty(recorded: Recorded) -> None:
    recorded.instead = lambda _: httpx.Response(502, content=b"<html>bad gateway</html>")

    with pytest.raises(Unreachable, match="HTTP 502"):
        await recorded.client().find(AT_COMMIT)


async def test_a_redirect_gets_no_credentials(recorded: Recorded) -> None:
    """GHCR sends the bytes of a blob from another host."""
    recorded.add_image(COMMIT, {REVISION_LABEL: COMMIT})
    config, body = next(iter(recorded.blobs.items()))
    elsewhere: list[httpx.Request] = []

    def redirect(request: httpx.Request) -> httpx.Response | None:
        if request.url.host == "blobs.example":
            elsewhere.append(request)
            return httpx.Response(200, content=body)
        if request.url.path.endswith(config) and "authorization" in request.headers:
            return httpx.Response(307, headers={"location": "https://blobs.example/signed"})
        return None

    recorded.instead = redirect

    image = await recorded.client().find(AT_COMMIT)

    assert image is not None
    assert image.revision == COMMIT
    assert len(elsewhere) == 1
    assert "authorization" not in elsewhere[0].headers


async def test_credentials_go_to_their_own_host_only(recorded: Recorded) -> None:
    client = recorded.client()

    with pytest.raises(AccessDenied, match="anonymous"):
        await client.find(ImageReference("quay.io/acme/shop/adapter", COMMIT))

    basic = [
        each
        for each in recorded.requests
        if each.headers.get("authorization", "").startswith("Basic")
    ]
    assert basic == []


@pytest.mark.parametrize("realm", ["http://tokens.example/token", "http://ghcr.io/token"])
async def test_no_password_ever_goes_out_over_plain_http(recorded: Recorded, realm: str) -> None:
    recorded.instead = lambda request: (
        httpx.Response(401, headers={"www-authenticate": f'Bearer realm="{realm}"'})
        if "/v2/" in request.url.path
        else None
    )

    with pytest.raises(InvalidInput, match="refusing to speak plain http"):
        await recorded.client().find(AT_COMMIT)

    assert all(each.url.scheme == "https" for each in recorded.requests)


async def test_plain_http_is_for_loopback_and_hosts_named_so() -> None:
    session = RegistrySession(plain_http_hosts=frozenset({"registry.lan:5000"}))

    assert session.address("127.0.0.1:5000", "/v2/") == "http://127.0.0.1:5000/v2/"
    assert session.address("registry.lan:5000", "/v2/") == "http://registry.lan:5000/v2/"
    assert session.address("ghcr.io", "/v2/") == "https://ghcr.io/v2/"
    assert not is_loopback("127.0.0.1.example.com")
    assert not is_loopback("localhost.example.com")


async def test_no_secret_is_told_by_errors_logs_or_repr(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    recorded.may_push = False
    recorded.add_image(COMMIT)
    client = recorded.client()
    image = await client.find(AT_COMMIT)
    assert image is not None

    with pytest.raises(AccessDenied) as denied:
        await client.tag(image, "main")
    with pytest.raises(AccessDenied) as rejected:
        await recorded.client("robot", "canary-wrong").find(AT_COMMIT)

    told = f"{denied.value} {rejected.value} {client!r} {client.session!r} {caplog.text}"
    for secret in (PASSWORD, "canary-wrong", "granted-"):
        assert secret not in told


async def test_something_else_than_a_registry_is_named_as_such(recorded: Recorded) -> None:
    body = b"<html>welcome</html>"
    recorded.instead = lambda _: httpx.Response(
        200, content=body, headers={"docker-content-digest": sha256(body)}
    )

    with pytest.raises(RegistryUnusable, match="something else than JSON"):
        await recorded.client().find(AT_COMMIT)


async def test_a_basic_challenge_is_answered(recorded: Recorded) -> None:
    """A docker-registry with a password file knows no tokens."""
    recorded.add_image(COMMIT)

    def basic(request: httpx.Request) -> httpx.Response | None:
        if not request.headers.get("authorization", "").startswith("Basic"):
            return httpx.Response(401, headers={"www-authenticate": 'Basic realm="r"'})
        return recorded._serve(request)

    recorded.instead = basic

    assert await recorded.client().find(AT_COMMIT) is not None


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "7"}, b"", 7.0),
        ({}, b"retry-after: 20 \xc2\xb5s", 20e-6),
        ({}, b"slow down", None),
        ({"retry-after": "soon"}, b"", None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, b"", 0.0),
    ],
)
def test_pauses_are_read_in_every_form_they_come(
    headers: dict[str, str], body: bytes, seconds: float | None
) -> None:
    assert pause_asked_for(Answer(429, httpx.Headers(headers), body)) == pytest.approx(seconds)


@given(st.text(max_size=80) | st.text(max_size=40).map(lambda url: f'<{url}>; rel="next"'))
def test_no_link_header_breaks_the_reader(text: str) -> None:
    headers = httpx.Headers([(b"link", text.encode("utf-8", "replace").replace(b"\n", b""))])

    try:
        page: Any = next_page(Answer(200, headers, b""), "https://ghcr.io/v2/a/tags/list")
    except RegistryUnusable:
        return

    assert page is None or page.startswith("/")


def test_a_client_can_go_from_one_event_loop_to_the_next(recorded: Recorded) -> None:
    recorded.add_image(COMMIT)
    client = recorded.client()

    found = [asyncio.run(client.find(AT_COMMIT)) for _ in range(2)]

    assert found[0] is not None
    assert found[0] == found[1]


async def test_an_error_is_told_in_the_registrys_own_words(recorded: Recorded) -> None:
    with pytest.raises(AccessDenied, match=r"HTTP 401 UNAUTHORIZED: authentication required\)"):
        await recorded.client("").find(AT_COMMIT)


async def test_a_closed_client_can_be_used_again(recorded: Recorded) -> None:
    recorded.add_image(COMMIT)
    client = recorded.client()
    await client.find(AT_COMMIT)

    await client.close()

    assert await client.find(AT_COMMIT) is not None
    assert isinstance(client, OciRegistry)


async def test_an_index_tells_its_attestations_too(recorded: Recorded) -> None:
    """They are no images, and may be deleted only with the index."""
    amd, attestation = recorded.add_image(), f"sha256:{'9' * 64}"
    kind = {"vnd.docker.reference.type": "attestation-manifest"}
    index = {"manifests": [{"digest": amd}, {"digest": attestation, "annotations": kind}]}
    recorded.add_manifest(INDEX, index, COMMIT)

    found = await recorded.client().contents(AT_COMMIT)

    assert found is not None
    assert found.children == (Digest(amd), Digest(attestation))


async def test_a_registry_that_deletes_nothing_says_so_with_what_to_do(recorded: Recorded) -> None:
    digest = Digest(recorded.add_image(COMMIT))
    recorded.may_delete = False

    with pytest.raises(RegistryUnusable, match=r"HTTP 405.*allow deletions"):
        await recorded.client().remove(AT_COMMIT.repository, digest)


async def test_what_was_removed_is_not_remembered(recorded: Recorded) -> None:
    digest = Digest(recorded.add_image(COMMIT))
    client = recorded.client()
    assert await client.find(AT_COMMIT) is not None

    await client.remove(AT_COMMIT.repository, digest)

    assert await client.find(ImageReference(AT_COMMIT.repository, digest=digest)) is None


@pytest.mark.parametrize("kept", [True, False])
async def test_a_part_that_goes_is_missed_by_the_client_that_has_read_the_whole(
    recorded: Recorded, tmp_path: Path, *, kept: bool
) -> None:
    """A release waits, and a process that recovers lives, for longer than images do."""
    amd = recorded.add_image()
    platform = {"os": "linux", "architecture": "amd64"}
    recorded.add_manifest(INDEX, {"manifests": [{"digest": amd, "platform": platform}]}, COMMIT)
    client = recorded.client(kept=tmp_path if kept else None)
    before = await client.find(AT_COMMIT)
    assert before is not None
    assert before.missing == frozenset()

    del recorded.manifests[amd]

    after = await client.find(AT_COMMIT)
    assert after is not None
    assert not after.platforms
    assert after.missing == {Digest(amd)}


async def test_what_was_read_of_an_index_is_not_read_again(recorded: Recorded) -> None:
    amd = recorded.add_image()
    recorded.add_manifest(INDEX, {"manifests": [{"digest": amd}]}, COMMIT)
    client = recorded.client()
    before = await client.find(AT_COMMIT)
    recorded.requests.clear()

    assert await client.find(AT_COMMIT) == before

    assert recorded.asked("GET") == []


async def test_everything_that_was_signed_of_an_image_is_read(recorded: Recorded) -> None:
    digest = Digest(recorded.add_image(COMMIT))
    signed = [Signer().sign(digest, REPOSITORY) for _ in range(2)]
    for each in signed:
        recorded.blobs[sha256(each.payload)] = each.payload
    recorded.add_manifest(OCI_MANIFEST, signature_manifest(*signed), signature_tag(digest))

    assert await recorded.client().signatures(REPOSITORY, digest) == signed


async def test_a_signature_that_cannot_be_read_vouches_for_nothing_and_breaks_nothing(
    recorded: Recorded,
) -> None:
    digest = Digest(recorded.add_image(COMMIT))
    manifest = {"layers": [{"digest": str(digest), "annotations": {SIGNATURE: "?"}}]}
    recorded.add_manifest(OCI_MANIFEST, manifest, signature_tag(digest))

    [found] = await recorded.client().signatures(REPOSITORY, digest)

    assert found == SignedPayload(b"", b"")


@pytest.mark.parametrize(
    "config",
    [
        {"config": {"Labels": ["a"]}},
        {"config": "x"},
        {"config": {"Labels": "x"}},
    ],
)
async def test_a_configuration_that_is_none_of_oci_is_told_as_such(
    recorded: Recorded, config: dict[str, Any]
) -> None:
    body = json.dumps({"os": "linux", "architecture": "amd64", **config}).encode()
    recorded.blobs[sha256(body)] = body
    manifest = {"schemaVersion": 2, "config": {"digest": sha256(body)}, "layers": []}
    recorded.add_manifest(OCI_MANIFEST, manifest, COMMIT)

    with pytest.raises(RegistryUnusable, match="as OCI describes them"):
        await recorded.client().find(AT_COMMIT)


@pytest.mark.parametrize(
    "child", [{"size": 1}, "x", {"digest": f"sha256:{'a' * 64}", "platform": "x"}]
)
async def test_an_index_that_is_none_of_oci_is_told_as_such(
    recorded: Recorded, child: object
) -> None:
    recorded.add_manifest(INDEX, {"schemaVersion": 2, "manifests": [child]}, COMMIT)

    with pytest.raises(RegistryUnusable, match="as OCI describes them"):
        await recorded.client().find(AT_COMMIT)


@pytest.mark.parametrize("label", [5, ["x"], {"a": "b"}])
async def test_a_label_that_is_no_text_is_none(recorded: Recorded, label: object) -> None:
    recorded.add_image(COMMIT, {REVISION_LABEL: label})  # type: ignore[dict-item] # what is wrong

    image = await recorded.client().find(AT_COMMIT)

    assert image is not None
    assert image.revision is None
