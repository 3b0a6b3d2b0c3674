"""The env file: typed values, references, and quoting that docker compose reads back byte for byte."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from jinja2.exceptions import SecurityError

from infra.commands.environment import flatten, quote, render_environment, resolve, unquote
from infra.commands.references import names_in
from infra.commands.templates import render_text
from infra.transport.remote.report import parse_env

ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("", ""),
        (True, "true"),
        (5, "5"),
        (5.0, "5"),
        (2.25, "2.25"),
        (["https://a.example", "https://b.example"], '["https://a.example","https://b.example"]'),
        ([1.0, 2.5], "[1,2.5]"),
        ({"retries": 3.0, "nested": {"on": False}}, '{"retries":3,"nested":{"on":false}}'),
        (["كلمة"], '["كلمة"]'),
    ],
)
def test_typed_values_become_what_their_readers_expect(value: Any, text: str) -> None:
    assert flatten(value) == text


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("plain", '"plain"'),
        ('a"b', '"a\\"b"'),
        ("a\\b", '"a\\\\b"'),
        ("$HOME ${X}", '"\\$HOME \\${X}"'),
        ("two\nlines\r\n", '"two\\nlines\\r\\n"'),
        ("# no comment", '"# no comment"'),
        ("it's", '"it\'s"'),
    ],
)
def test_quoting_escapes_what_compose_would_act_on(value: str, quoted: str) -> None:
    assert quote(value) == quoted


@given(ANY_TEXT)
def test_unquote_undoes_quote(value: str) -> None:
    assert unquote(quote(value)) == value


@given(st.dictionaries(st.text(string.ascii_letters, min_size=1), ANY_TEXT))
def test_the_host_reads_the_rendered_file_back(secrets: dict[str, str]) -> None:
    assert dict(parse_env(render_environment({}, secrets))) == secrets


def test_a_nul_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote("a\0b")


def test_references_are_filled_in_also_through_others() -> None:
    values = {"URL": "postgresql://{{ USER }}:{{ PASSWORD }}@{{ HOST }}/db", "HOST": "{{ NAME }}-db", "NAME": "erp"}

    assert resolve({**values, "USER": "app"}, {"PASSWORD": "s3"})["URL"] == "postgresql://app:s3@erp-db/db"


def test_references_in_lists_are_filled_in() -> None:
    assert resolve({"CORS": ["https://{{ DOMAIN }}"], "DOMAIN": "a.example"})["CORS"] == '["https://a.example"]'


@given(ANY_TEXT)
def test_a_secret_is_never_a_template(secret: str) -> None:
    hostile = "{{ 7 * 7 }}{% for x in y %}" + secret
    resolved = resolve({"URL": "x-{{ TOKEN }}"}, {"TOKEN": hostile})

    assert resolved == {"TOKEN": hostile, "URL": f"x-{hostile}"}


@given(ANY_TEXT)
def test_what_is_filled_into_a_list_stays_one_item(secret: str) -> None:
    text = resolve({"KEYS": ["{{ TOKEN }}", "x", 1.0]}, {"TOKEN": secret})["KEYS"]

    assert json.loads(text) == [secret, "x", 1]


@given(ANY_TEXT)
def test_the_text_around_a_reference_arrives_as_it_is(around: str) -> None:
    around = around.replace("{", "").replace("}", "")

    assert resolve({"A": f"{around}\r\n{{{{ TOKEN }}}}\r{around}"}, {"TOKEN": "s"})["A"] == f"{around}\r\ns\r{around}"


def test_a_reference_to_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="URL refers to what is not there: MISSING"):
        resolve({"URL": "{{ MISSING }}"})


def test_references_in_a_circle_are_an_error_that_names_them() -> None:
    with pytest.raises(ValueError, match="A, B"):
        resolve({"A": "{{ B }}", "B": "{{ A }}", "C": "fine"})


@pytest.mark.parametrize("name", ["", "1A", "A B", "A=B", "A\nB", "A-B"])
def test_a_name_that_no_variable_may_have_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="variable name"):
        resolve({name: "x"})


@pytest.mark.parametrize(
    "template",
    ["{{ x.__class__ }}", "{{ x.__class__.__mro__ }}", "{{ range(9) }}", "{{ cycler }}", "{{ ''.__class__ }}"],
)
def test_the_sandbox_lets_nothing_be_reached_from_a_value(template: str) -> None:
    with pytest.raises((SecurityError, UndefinedError)):
        render_text(template, {"x": "value"})


def test_names_are_those_that_stand_in_braces() -> None:
    assert names_in("{{ A }} {{B}} {{ C|url }} {{- D -}} {{ e }} F") == ["A", "B", "C"]


def test_the_file_is_sorted_and_says_who_wrote_it() -> None:
    assert render_environment({"B": 1.0, "A": ["x"]}, {"C": "$"}).splitlines() == [
        "# Written by Greenroom. What is edited here is lost: change the stack's configuration instead.",
        'A="[\\"x\\"]"',
        'B="1"',
        'C="\\$"',
    ]
