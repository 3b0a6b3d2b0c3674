"""Secrets: what is no secret is named and never shown; what is one never prints; every sink masks what it knows."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import ConfigurationError
from infra.redaction import MASK, Redactor
from infra.secret import ConfigSource, EnvironmentSource, Secret, gather, weakness
from infra.secret.generated import ALPHABET, GeneratedSecretProvider

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
    assert verdict in str(weakness(value, min_length=8))


@pytest.mark.parametrize(
    "value", ["re_8fK2m_Q9pLw3", "p@ss <word> of mine 7", "1000.ABCDEF0123456789", "ünïcode-пароль-42"]
)
def test_what_people_really_use_is_believed(value: str) -> None:
    assert weakness(value, min_length=8) is None


def test_every_missing_secret_is_named_at_once_with_the_way_to_set_it() -> None:
    config = ConfigSource("staging", {"A_KEY": "<CHANGE_ME_canary>", "B_KEY": "good-value-123"})
    environment = EnvironmentSource({"C_KEY": "", "D_KEY": "another-good-1"})
    sources = {"A_KEY": config, "B_KEY": config, "C_KEY": environment, "D_KEY": environment, "E_KEY": config}
    with pytest.raises(ConfigurationError) as caught:
        gather(dict.fromkeys(sources, 8), sources)
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


def test_a_generated_secret_in_use_is_never_changed() -> None:
    assert not GeneratedSecretProvider().diff("X", {"length": 32, "value": "v"}, {"length": 64}).changes


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


def test_a_private_key_is_masked_line_by_line() -> None:
    begin, end = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"
    key = f"{begin}\nb3BlbnNzaC1rZXktdjEAAAAA\nQyNTUxOQAAACDcanary\n{end}\n"
    masked = Redactor([key]).mask("found QyNTUxOQAAACDcanary in a log")
    assert "canary" not in masked
