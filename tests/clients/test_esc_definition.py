"""A pin changes one value of an ESC definition; whatever else people wrote there stays."""

import json
import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from slipway.clients.esc_definition import inserted, locate, removed, replaced
from slipway.domain.config import KeyForm
from slipway.errors import ConfigKeyUnusable, InvalidInput

KEY = "cluster:adapterImage"
IMAGE = f"ghcr.io/acme/shop/adapter:{'a' * 40}@sha256:{'b' * 64}"

DEFINITION = """\
# who may change this: the platform team
imports:
  - common   # shared

values:
  registry:
    token: {fn::secret: {ciphertext: ZXNjAAAA}}
  pulumiConfig:
      cluster:adapterImage:   ghcr.io/acme/shop/adapter:v1    # pinned by hand
      "cluster:sinkImage": 'ghcr.io/acme/shop/sink:v3'

      cluster:token: ${registry.token}
      # the end
  environmentVariables: { REPLICAS: 2 }
"""


def define(value: str) -> str:
    return f"values:\n  anchor: &x foo\n  pulumiConfig:\n    {KEY}: {value}\n    other: 1\n"


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("ghcr.io/acme/a:1 # comment", KeyForm.PLAIN),
        ("'ghcr.io/acme/a:1'", KeyForm.PLAIN),
        ('"ghcr.io/acme/a:1"', KeyForm.PLAIN),
        ("", KeyForm.EMPTY),
        ("''", KeyForm.EMPTY),
        ("null", KeyForm.EMPTY),
        ("{fn::secret: {ciphertext: ZXN}}", KeyForm.SECRET),
        ("${images.adapter}", KeyForm.INTERPOLATED),
        ("'ghcr.io/acme/a:${version}'", KeyForm.INTERPOLATED),
        ("{fn::join: [':', [a, b]]}", KeyForm.INTERPOLATED),
        ("*x", KeyForm.ALIAS),
        ("&y foo", KeyForm.ALIAS),
        ("12", KeyForm.NOT_TEXT),
        ("true", KeyForm.NOT_TEXT),
        ("[a]", KeyForm.NOT_TEXT),
        ("{a: b}", KeyForm.NOT_TEXT),
        ("!!str foo", KeyForm.NOT_TEXT),
        ("|\n      foo", KeyForm.NOT_TEXT),
    ],
)
def test_the_form_of_a_key_is_told(value: str, form: KeyForm) -> None:
    assert locate(define(value), KEY).form is form


@pytest.mark.parametrize(
    "text", ["", "imports: [a]\n", "values: {}\n", "values:\n  pulumiConfig:\n    other: x\n"]
)
def test_a_key_that_is_nowhere_is_missing(text: str) -> None:
    assert locate(text, KEY).form is KeyForm.MISSING


def test_a_key_in_a_shared_section_is_an_alias() -> None:
    text = f"values:\n  shared: &s\n    {KEY}: foo\n  pulumiConfig: *s\n"

    assert locate(text, KEY).form is KeyForm.ALIAS


def test_one_line_changes_and_keeps_its_spaces_and_comment() -> None:
    changed = replaced(DEFINITION, KEY, IMAGE)

    assert changed == DEFINITION.replace("ghcr.io/acme/shop/adapter:v1", IMAGE)
    assert locate(changed, KEY).value == IMAGE


@pytest.mark.parametrize("value", ["plain/one:1", "'quoted/one:1'", '"quoted/one:1"'])
def test_the_style_of_the_value_stays(value: str) -> None:
    changed = replaced(define(value), KEY, IMAGE)

    quote = value[0] if value[0] in "'\"" else ""
    assert changed == define(f"{quote}{IMAGE}{quote}")


@pytest.mark.parametrize(
    "value", ["1234567", "1e3", "true", "on", "a: b", "a #b", "it's", "~", "@a"]
)
def test_what_yaml_would_read_otherwise_is_quoted(value: str) -> None:
    changed = replaced(define("foo"), KEY, value)

    assert yaml.safe_load(changed)["values"]["pulumiConfig"][KEY] == value


@pytest.mark.parametrize("value", ["", "a\nb", "a\x00", "${secret}"])
def test_what_is_no_plain_value_is_never_written(value: str) -> None:
    with pytest.raises(InvalidInput, match="can't be written as a plain value"):
        replaced(define("foo"), KEY, value)


@pytest.mark.parametrize("value", ["", "*x", "12", "${a}", "{fn::secret: x}"])
def test_a_key_in_another_form_is_not_replaced(value: str) -> None:
    with pytest.raises(ConfigKeyUnusable, match="is not a plain string"):
        replaced(define(value), KEY, IMAGE)


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(ConfigKeyUnusable, match="stands 2 times"):
        locate(define("foo") + f"    {KEY}: bar\n", KEY)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_key_put_in_and_taken_out_leaves_no_trace(newline: str) -> None:
    text = DEFINITION.replace("\n", newline)

    changed = inserted(text, "cluster:newImage", IMAGE)

    assert locate(changed, "cluster:newImage").value == IMAGE
    assert len(changed.splitlines()) == len(text.splitlines()) + 1
    assert removed(changed, "cluster:newImage") == text


@pytest.mark.parametrize("text", ["values: {}\n", "values:\n  pulumiConfig: {a: b}\n"])
def test_a_key_without_a_place_is_not_put_in(text: str) -> None:
    with pytest.raises(ConfigKeyUnusable, match="can't be added"):
        inserted(text, KEY, IMAGE)


def test_a_value_that_spans_lines_is_taken_out_whole() -> None:
    text = define("one\n      two")

    assert removed(text, KEY) == text.replace(f"    {KEY}: one\n      two\n", "")


def test_a_key_that_shares_its_line_is_not_taken_out() -> None:
    with pytest.raises(ConfigKeyUnusable, match="without changing something else"):
        removed(f"values:\n  pulumiConfig: {{{KEY}: foo, other: 1}}\n", KEY)


def test_what_is_no_yaml_is_refused() -> None:
    with pytest.raises(ConfigKeyUnusable, match="no YAML that can be read"):
        locate("values: [", KEY)


words = st.text(string.ascii_letters + string.digits + " :#'\"{}[]&*!|>%@`,-_./~?$é☂", max_size=20)
keys = st.text(string.ascii_lowercase, min_size=1, max_size=8).map("cluster:{}".format)
styles = st.sampled_from(["plain", "single", "double"])
breaks = st.sampled_from(["\n", "\n\n", "  # a comment: 'with' {everything}\n", " \n"])


@st.composite
def definitions(draw: st.DrawFn) -> tuple[str, str, str]:
    """A definition as people write them, one of its keys, and what stands in its place."""
    names = draw(st.lists(keys, min_size=1, max_size=5, unique=True))
    lines, places = [], {}
    indent = " " * draw(st.integers(3, 8))
    for name in names:
        text = draw(words.filter(lambda text: text.strip() and "${" not in text))
        written = json.dumps(text, ensure_ascii=False)
        if draw(styles) == "single":
            written = "'" + text.replace("'", "''") + "'"
        places[name] = written
        lines.append(f"{indent}{name}: {written}{draw(breaks)}")
    chosen = draw(st.sampled_from(names))
    head = draw(st.sampled_from(["", "# ${not} a value\n", "imports: [common]\n\n"]))
    tail = draw(st.sampled_from(["", "  files: {a: 1}\n", "# the end"]))
    return head + "values:\n  pulumiConfig:\n" + "".join(lines) + tail, chosen, places[chosen]


values = words.filter(lambda text: bool(text) and "${" not in text)


@given(definitions(), values)
def test_every_other_byte_stays(drawn: tuple[str, str, str], value: str) -> None:
    text, key, written = drawn
    place = f"{key}: {written}"

    changed = replaced(text, key, value)

    before, after = text.split(place)
    assert changed.startswith(f"{before}{key}: ")
    assert changed.endswith(after)


@given(definitions(), values)
def test_readers_see_no_other_difference(drawn: tuple[str, str, str], value: str) -> None:
    text, key, _ = drawn

    changed = replaced(text, key, value)

    expected = yaml.safe_load(text)
    expected["values"]["pulumiConfig"][key] = value
    assert yaml.safe_load(changed) == expected


@given(definitions(), values)
def test_going_back_to_the_value_gives_the_same_meaning(
    drawn: tuple[str, str, str], value: str
) -> None:
    text, key, _ = drawn
    before = locate(text, key).value
    assert before is not None

    again = replaced(replaced(text, key, value), key, before)

    assert yaml.safe_load(again) == yaml.safe_load(text)
    assert len(again.splitlines()) == len(text.splitlines())


@given(definitions(), values)
def test_putting_in_and_taking_out_is_the_same_text(
    drawn: tuple[str, str, str], value: str
) -> None:
    text, _, _ = drawn

    assert removed(inserted(text, "zz:new", value), "zz:new") == text
