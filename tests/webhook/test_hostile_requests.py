"""Whatever is sent, the answer is 2xx or 4xx: never a crash, never a hang."""

import json
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.inbox import MemoryInbox
from tests.webhook.requests import WORKFLOW, ask, headers, push, receiver, workflow_run

GOOD = json.dumps(push())
RUN = workflow_run()
DEEP = 150_000
CORPUS = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a number": b"1",
    "cut": GOOD.encode()[:-1],
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep in an unknown field": GOOD.encode()[:-1] + b',"x":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "a huge integer": GOOD.encode()[:-1] + b',"x":' + b"9" * 100_000 + b"}",
    "a huge exponent": GOOD.encode()[:-1] + b',"x":1e999999999}',
    "not a number": GOOD.encode()[:-1] + b',"x":NaN}',
    "a huge integer as a commit": GOOD.replace(f'"{"2" * 40}"', "9" * 10_000).encode(),
    "the same key twice": GOOD.encode()[:-1] + b',"after":"' + b"3" * 40 + b'"}',
    "bad UTF-8": GOOD.encode().replace(b"ada", b"\xff\xfe"),
    "UTF-16": GOOD.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "half a surrogate": GOOD.encode().replace(b"ada", b"\\ud800"),
    "NUL escaped": GOOD.encode().replace(b"ada", b"\\u0000"),
    "NUL in the ref": GOOD.encode().replace(b"heads/main", b"heads/ma\\u0000in"),
    "NUL itself": GOOD.encode().replace(b"ada", b"\x00"),
    "a line feed after the commit": GOOD.encode().replace(b"2" * 40, b"2" * 40 + b"\\n"),
    "a capital commit": GOOD.encode().replace(b"2" * 40, b"A" * 40),
    "a short commit": GOOD.encode().replace(b"2" * 40, b"2" * 39),
    "a path as repository": GOOD.encode().replace(b"acme/shop", b"../../etc/passwd"),
    "a login of many": GOOD.encode().replace(b"ada", b"a" * 100_000),
    "a long ref": GOOD.encode().replace(b"heads/main", b"heads/" + b"m" * 100_000),
    "many keys": json.dumps({**push(), **{f"k{n}": n for n in range(50_000)}}).encode(),
    "many strings": json.dumps({**push(), "commits": ["x" * 1000] * 900}).encode(),
    "a compressed body": b"\x1f\x8b\x08" + b"\x00" * 100,
}


@pytest.mark.parametrize("event", ["push", "ping", "workflow_run"])
@pytest.mark.parametrize("name", CORPUS)
async def test_no_signed_body_of_the_corpus_is_an_error_of_ours(name: str, event: str) -> None:
    body = CORPUS[name]
    sent = headers(body, event=event)

    status, _, _ = await ask(receiver(), "POST", "/github", sent.items(), [body])

    assert status in {200, 202, 400}


@pytest.mark.parametrize(
    "name", ["NUL in the ref", "a line feed after the commit", "a capital commit", "a short commit"]
)
async def test_a_push_that_is_not_of_its_form_is_not_kept(name: str) -> None:
    inbox = MemoryInbox()
    body = CORPUS[name]

    status, _, _ = await ask(receiver(inbox), "POST", "/github", headers(body).items(), [body])

    assert status == 400
    assert inbox.kept == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
shas = st.text("0123456789abcdef", min_size=40, max_size=40)
names = st.fixed_dictionaries({"full_name": st.text() | st.just("acme/shop")})
runs = st.fixed_dictionaries(
    {},
    optional={
        "event": st.just("push") | json_values,
        "conclusion": st.just("success") | json_values,
        "head_branch": st.just("built") | st.text() | json_values,
        "head_sha": shas | json_values,
        "head_repository": names | json_values,
        "path": st.just(WORKFLOW) | st.text() | json_values,
    },
).map(lambda changed: {**RUN, "workflow_run": {**RUN["workflow_run"], **changed}})
payloads = st.one_of(
    runs,
    json_values,
    st.fixed_dictionaries(
        {},
        optional={
            "ref": st.text() | st.just("refs/heads/main") | json_values,
            "before": st.text(string.hexdigits, min_size=38, max_size=42) | json_values,
            "after": shas | json_values,
            "repository": names | json_values,
            "sender": st.fixed_dictionaries({"login": st.text()}) | json_values,
        },
    ).map(lambda changed: push(**changed)),
)


@given(payload=payloads, event=st.sampled_from(["push", "ping", "fork", "workflow_run"]))
async def test_no_signed_payload_is_an_error_of_ours(payload: object, event: str) -> None:
    body = json.dumps(payload).encode("utf-8", "surrogatepass")

    status, _, _ = await ask(
        receiver(), "POST", "/github", headers(body, event=event).items(), [body]
    )

    assert status in {200, 202, 400}


@given(body=st.binary(max_size=2000))
async def test_no_signed_bytes_are_an_error_of_ours(body: bytes) -> None:
    status, _, _ = await ask(receiver(), "POST", "/github", headers(body).items(), [body])

    assert status in {200, 202, 400}


_header = st.tuples(
    st.sampled_from(
        [
            b"x-hub-signature-256",
            b"x-hub-signature",
            b"x-github-event",
            b"x-github-delivery",
            b"content-type",
            b"content-length",
            b"transfer-encoding",
        ]
    ),
    st.binary(max_size=80)
    | st.sampled_from([b"push", b"application/json", b"sha256=" + b"0" * 64]),
)


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "X"]),
    path=st.sampled_from(["/github", "/health", "/", "//", "/github/"]) | st.text(),
    sent=st.lists(_header, max_size=8),
    pieces=st.lists(st.binary(max_size=300), max_size=5),
)
@settings(max_examples=300)
async def test_no_request_is_an_error_of_ours(
    method: str, path: str, sent: list[tuple[bytes, bytes]], pieces: list[bytes]
) -> None:
    status, _, _ = await ask(receiver(body_cap=500), method, path, sent, pieces)

    assert status == 200 or 400 <= status < 500
