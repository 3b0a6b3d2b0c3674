"""Secrets: what is no secret is named and never shown; what is one never prints; every sink masks what it knows."""

from __future__ import annotations

import base64
import json
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import ConfigurationError
from infra.redaction import MASK, Redactor
from infra.secret import ConfigSource, EnvironmentSource, Rule, Secret, gather, rules_of, weakness
from infra.secret.generated import ALPHABET, GeneratedSecretProvider
from infra.settings import load_file
from infra.transport.remote import report

ROOT = Path(__file__).parents[2]

NO_SECRETS = [
    ("", "empty"),
    ("   ", "blanks"),
    ("value-with-newline\n", "line end"),
    (" leading-blank-value", "line end"),
    ("<CHANGE_ME_DB_PASSWORD>", "placeholder"),
    ("<OPTIONAL>", "placeholder"),
    ("CHANGEME-CHANGEME", "placeholder"),
    ("please-change-me-now", "placeholder"),
    ("your_api_key_goes_here", "placeholder"),
    ("xxxxxxxxxxxxxxxx", "placeholder"),
    ("****************", "placeholder"),
    ("PassWord", "common word"),
    ("short", "5 characters"),
    ("ababababababab", "few characters"),
    ("with\0nul-character", "NUL"),
    ("abcd" * 20_000, "bytes"),
]


@pytest.mark.parametrize(
    ("value", "verdict"), NO_SECRETS, ids=[verdict + str(n) for n, (_, verdict) in enumerate(NO_SECRETS)]
)
def test_what_is_no_secret_is_told(value: str, verdict: str) -> None:
    assert verdict in str(weakness(value, Rule()))


@pytest.mark.parametrize(
    "value", ["re_8fK2m_Q9pLw3", "p@ss <word> of mine 7", "1000.ABCDEF0123456789", "ünïcode-пароль-42"]
)
def test_what_people_really_use_is_believed(value: str) -> None:
    assert weakness(value, Rule()) is None


def test_every_missing_secret_is_named_at_once_with_the_way_to_set_it() -> None:
    config = ConfigSource("staging", {"A_KEY": "<CHANGE_ME_canary>", "B_KEY": "good-value-123"})
    environment = EnvironmentSource({"C_KEY": "", "D_KEY": "another-good-1"})
    sources = {"A_KEY": config, "B_KEY": config, "C_KEY": environment, "D_KEY": environment, "E_KEY": config}
    with pytest.raises(ConfigurationError) as caught:
        gather(dict.fromkeys(sources, Rule()), sources)
    assert [problem.key for problem in caught.value.problems] == ["A_KEY", "C_KEY", "E_KEY"]
    assert "canary" not in str(caught.value)
    assert "greenroom secrets set E_KEY -s staging" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_secret_never_prints() -> None:
    secret = Secret("canary-value-1")
    for text in (str(secret), repr(secret), f"{secret}", f"{secret!r:>30}", json.dumps({"a": str(secret)})):
        assert "canary" not in text
    assert secret.reveal() == "canary-value-1"


def test_a_generated_secret_has_its_length_and_survives_urls_and_shells() -> None:
    provider = GeneratedSecretProvider()
    values = [str((provider.create({"secret": "X", "length": 32}).outs or {})["value"]) for _ in range(50)]
    assert len(set(values)) == 50
    for value in values:
        assert len(value) == 32
        assert set(value) <= set(ALPHABET)
        assert value[0].isalpha()
        assert urllib.parse.quote(value) == value


RULES = [
    (Rule(alphabet="hex"), "0123456789abcdef", "0123456789abcdeg", "not hex"),
    (Rule(alphabet="base64"), "c2VjcmV0LXZhbHVl+/==", "c2VjcmV0 LXZhbHVl", "not base64"),
    (Rule(alphabet="url-safe"), "re_8fK2m.Q9~pLw3-", "re_8fK2m/Q9pLw3", "not url-safe"),
    (Rule(alphabet="printable"), "p@ss word $1 \\ #", "p@ss wörd 1234", "not printable"),
    (Rule(pattern="re_[a-z0-9]{8}"), "re_12345abc", "sk_12345abc", "not like re_[a-z0-9]{8}"),
    (Rule(url="DATABASE_URL"), "plain-value_1.~", "p@ss/word%41", "the URL DATABASE_URL"),
    (Rule(is_database_password=True), "p@ss/word 'x'", "passwörd-1234", "normalise"),
]


@pytest.mark.parametrize(("rule", "good", "bad", "verdict"), RULES, ids=[verdict for *_, verdict in RULES])
def test_a_rule_of_a_secret_holds(rule: Rule, good: str, bad: str, verdict: str) -> None:
    assert weakness(good, rule) is None
    assert verdict in str(weakness(bad, rule))
    assert bad not in str(weakness(bad, rule))


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_what_a_url_may_hold_survives_being_parsed_out_of_it(value: str) -> None:
    if weakness(value, Rule(min_length=1, url="URL")) is None:
        url = urllib.parse.urlsplit(f"postgresql://user:{value}@db:5432/name")
        assert (url.password, url.hostname, url.path) == (value, "db", "/name")


def test_rules_come_from_the_settings_and_from_the_urls_that_use_them() -> None:
    settings = load_file(ROOT / "Pulumi.staging.yaml", root=ROOT)
    rules = rules_of(settings)

    assert rules["POSTGRES_PASSWORD"] == Rule(url="DATABASE_URL", is_database_password=True)
    assert rules["RESEND_API_KEY"] == Rule(min_length=16)


def test_a_generated_secret_in_use_is_changed_by_a_new_generation_only() -> None:
    provider = GeneratedSecretProvider()
    old = {"length": 32, "value": "v"}
    assert not provider.diff("X", old, {"length": 64, "generation": 1.0}).changes
    assert not provider.diff("X", {**old, "generation": 2.0}, {"length": 64, "generation": 2}).changes
    assert provider.diff("X", old, {"length": 32, "generation": 2}).changes

    made = provider.update("X", old, {"secret": "X", "length": 40.0, "generation": 2.0}).outs or {}
    assert len(made["value"]) == 40
    assert made["made_at"].endswith("Z")


def test_a_generated_secret_in_hex_is_hex() -> None:
    made = GeneratedSecretProvider().create({"secret": "X", "length": 64, "alphabet": "hex"}).outs or {}
    assert weakness(made["value"], Rule(min_length=64, alphabet="hex")) is None


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40))
def test_a_known_value_is_masked_in_every_form_that_tools_print(value: str) -> None:
    redactor = Redactor([value])
    raw = value.encode()
    for form in (
        value,
        urllib.parse.quote(value, safe=""),
        json.dumps(value),
        base64.b64encode(raw).decode(),
        raw.hex(),
    ):
        masked = redactor.mask(f"before {form} after")
        assert form.strip('"') not in masked
        assert MASK in masked


def test_short_words_are_left_alone() -> None:
    assert Redactor(["on", "test", ""]).mask("a test is on") == "a test is on"


def masked_by_both(secret: str, text: str) -> list[str]:
    """Mask on the controller's side and on the host's."""
    return [Redactor([secret]).mask(text), report.Redactor([secret]).clean(text)]


FRAGMENTS = [
    ("p@ssw0rd!longtail", 'could not translate host name "ssw0rd!longtail@db" to address', "ssw0rd!longtail"),
    ("Tr0ub4dor/x#y", "Port could not be cast to integer value as 'Tr0ub4dor'", "Tr0ub4dor"),
    ("x:correct-horse-battery-staple", "no such host: correct-horse-battery-staple", "horse"),
    ('q@"quoted9"', r"no such host: \"quoted9\"", "quoted9"),
    ("q@größe99é", 'the JSON "größe99é" and q%40gr%C3%B6%C3%9Fe99%C3%A9', "99"),
    ("https://hooks.example.com/services/xYz12345", "refused with url: /services/xYz12345", "xYz12345"),
    ("postgresql://tsh:hunter2@db:5432/tsh_erp", "no password but hunter2 for tsh", "hunter2"),
]


@pytest.mark.parametrize(("secret", "text", "fragment"), FRAGMENTS, ids=[each[0] for each in FRAGMENTS])
def test_a_part_of_a_secret_that_a_url_reader_prints_is_masked(secret: str, text: str, fragment: str) -> None:
    for masked in masked_by_both(secret, text):
        assert fragment not in masked
        assert MASK in masked


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("my@greenroom:Staging/123456", "greenroom: Staging answers 123456"),
        ("postgresql://postgres:postgres@db.internal:5432/tsh_erp", "postgres at db.internal, database tsh_erp"),
        ("https://o12.ingest.example.com/456", "GET o12.ingest.example.com"),
        ("admin@10.20.30.40/example.com", "10.20.30.40 is example.com"),
        ("a@aab1aab/x", "aab1aab"),
    ],
)
def test_a_part_of_a_secret_that_may_be_an_ordinary_word_is_left_alone(secret: str, text: str) -> None:
    assert masked_by_both(secret, text) == [text, text]


def test_a_private_key_is_masked_line_by_line() -> None:
    begin, end = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"
    key = f"{begin}\nb3BlbnNzaC1rZXktdjEAAAAA\nQyNTUxOQAAACDcanary\n{end}\n"
    masked = Redactor([key]).mask("found QyNTUxOQAAACDcanary in a log")
    assert "canary" not in masked
