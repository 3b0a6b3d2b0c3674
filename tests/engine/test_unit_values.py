from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.engine import values, wire
from localcloud.engine.errors import UnsupportedError
from localcloud.engine.values import (
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_SENTINELS,
    Asset,
    ResourceReference,
    Secret,
    Unknown,
)

if TYPE_CHECKING:
    from pathlib import Path

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: number != int(number) if number else False)
    | st.text(max_size=20).filter(lambda text: text not in UNKNOWN_SENTINELS)
    | st.builds(Unknown, st.sampled_from(sorted(UNKNOWN_SENTINELS)))
    | st.builds(Asset, st.just("text"), st.text(min_size=1), st.text(max_size=5))
    | st.builds(ResourceReference, st.text(min_size=1), st.none() | st.text(min_size=1) | st.just(UNKNOWN))
)
KEYS = st.text(max_size=8).filter(lambda key: key != SIGNATURE)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4) | st.builds(Secret, inner),
    max_leaves=12,
)


class TestTheWire:
    @given(st.dictionaries(KEYS, VALUES, max_size=4))
    def test_a_property_map_survives_the_wire(self, properties: dict[str, Any]) -> None:
        assert wire.from_struct(wire.to_struct(properties)) == collapsed(properties)

    @given(st.dictionaries(KEYS, VALUES, max_size=4))
    def test_without_secrets_the_plain_values_travel(self, properties: dict[str, Any]) -> None:
        assert wire.from_struct(wire.to_struct(properties, secrets=False)) == values.plain(properties)

    def test_whole_numbers_come_back_as_ints(self) -> None:
        read = wire.from_struct(wire.to_struct({"one": 1.0, "half": 0.5, "large": 1e300}))
        assert read == {"one": 1, "half": 0.5, "large": 1e300}
        assert type(read["one"]) is int
        assert type(read["large"]) is float

    def test_a_receiver_without_references_sees_ids_and_urns(self) -> None:
        given_values = {
            "custom": ResourceReference("urn:a", "id-1"),
            "component": ResourceReference("urn:b"),
            "later": ResourceReference("urn:c", UNKNOWN),
        }
        read = wire.from_struct(wire.to_struct(given_values, references=False))
        assert read == {"custom": "id-1", "component": "urn:b", "later": UNKNOWN}

    def test_archives_are_refused_by_name(self) -> None:
        struct = wire.to_struct({"a": {SIGNATURE: values.ARCHIVE, "path": "."}})
        with pytest.raises(UnsupportedError, match="Archives"):
            wire.from_struct(struct)

    def test_an_output_value_is_its_value(self) -> None:
        marked = {SIGNATURE: values.OUTPUT, "value": 1, "secret": True, "dependencies": ["urn:a"]}
        unknown = {SIGNATURE: values.OUTPUT}
        assert wire.from_struct(wire.to_struct({"a": marked, "b": unknown})) == {"a": Secret(1), "b": UNKNOWN}

    def test_a_special_float_is_read_from_its_digits(self) -> None:
        assert math.isinf(values.from_marked({SIGNATURE: values.FLOAT, "value": "7ff0000000000000"}))


def collapsed(value: Any) -> Any:
    """Return what a secret directly in a secret becomes: one secret."""
    if isinstance(value, Secret):
        inner = collapsed(value.value)
        return inner if isinstance(inner, Secret) else Secret(inner)
    if isinstance(value, dict):
        return {key: collapsed(item) for key, item in value.items()}
    return [collapsed(item) for item in value] if isinstance(value, list) else value


class TestSecretMarks:
    def test_a_secret_never_prints(self) -> None:
        assert "hush" not in f"{Secret('hush')} {Secret('hush')!r} {Secret({'a': 'hush'})}"

    @pytest.mark.parametrize(
        ("result", "given", "expected"),
        [
            ({"a": 1}, {"a": Secret(1)}, {"a": Secret(1)}),
            ({"a": 1}, {}, {"a": 1}),
            ({"a": [1, 2]}, {"a": [1, Secret(2)]}, {"a": Secret([1, 2])}),
            ({"a": {"b": 1, "c": 2}}, {"a": {"b": Secret(0)}}, {"a": {"b": Secret(1), "c": 2}}),
            ({"a": "text"}, {"a": {"b": Secret(0)}}, {"a": Secret("text")}),
            ({"a": Secret(1)}, {"a": 1}, {"a": Secret(1)}),
        ],
    )
    def test_marks_a_provider_dropped_come_back(self, result: Any, given: Any, expected: Any) -> None:
        assert values.remark(result, given) == expected

    def test_named_keys_become_secret_once(self) -> None:
        assert values.mark_keys({"a": 1, "b": Secret(2)}, frozenset({"a", "b", "c"})) == {
            "a": Secret(1),
            "b": Secret(2),
        }

    def test_comparing_ignores_marks(self) -> None:
        assert values.equal({"a": Secret([1])}, {"a": [Secret(1)]})
        assert not values.equal({"a": 1}, {"a": 2})

    def test_what_is_shown_is_masked(self) -> None:
        masked = values.masked(
            {"a": Secret("x"), "b": [Secret({"c": 1})], "d": UNKNOWN, "e": Asset("text", "t", "abc")}
        )
        assert masked == {"a": "[secret]", "b": ["[secret]"], "d": "[unknown]", "e": "[asset abc]"}

    def test_secret_strings_are_found_at_any_depth(self) -> None:
        assert values.secret_strings({"a": [Secret({"b": ["x", 1]})], "c": "open"}) == {"x"}

    def test_unknowns_are_found_inside_secrets(self) -> None:
        assert values.contains_unknown({"a": [Secret({"b": UNKNOWN})]})
        assert not values.contains_unknown({"a": [Secret({"b": 1})]})


def test_an_asset_is_hashed_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"hello")
    digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    hashed = values.with_hashes({"a": Asset("text", "hello"), "b": [Asset("path", "f", "stale")]}, tmp_path)
    assert hashed["a"].hash == hashed["b"][0].hash == digest
