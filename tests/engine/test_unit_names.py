from __future__ import annotations

import pytest

from localcloud.engine import paths
from localcloud.engine import urn as urns
from localcloud.engine.aliases import candidates
from localcloud.engine.goal import AliasSpec, Goal, seconds
from localcloud.engine.values import Secret

STACK = "urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev"
PARENT = "urn:pulumi:dev::p::my:mod:K::k"


class TestUrns:
    def test_a_name_may_hold_the_separator(self) -> None:
        parsed = urns.parse("urn:pulumi:dev::p::a:b:C$d:e:F::x::y$z::w")
        assert (parsed.type, parsed.name) == ("d:e:F", "x::y$z::w")
        assert str(parsed) == "urn:pulumi:dev::p::a:b:C$d:e:F::x::y$z::w"

    def test_the_stack_is_no_part_of_a_qualified_type(self) -> None:
        assert urns.build("dev", "p", STACK, "a:b:C", "x") == "urn:pulumi:dev::p::a:b:C::x"
        assert urns.build("dev", "p", PARENT, "a:b:C", "x") == "urn:pulumi:dev::p::my:mod:K$a:b:C::x"

    @pytest.mark.parametrize("text", ["", "urn:pulumi:dev", "urn:other:a::b::c::d"])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="Not a urn"):
            urns.parse(text)

    @pytest.mark.parametrize(
        ("kind", "package"),
        [
            ("digitalocean:index/vpc:Vpc", "digitalocean"),
            ("pulumi:providers:x-y", "x-y"),
            ("pulumi:pulumi:Stack", "pulumi"),
        ],
    )
    def test_the_package_of_a_type(self, kind: str, package: str) -> None:
        assert urns.package_of(kind) == package

    @pytest.mark.parametrize(("name", "is_default"), [("default", True), ("default_4_84_1", True), ("mine", False)])
    def test_default_providers_are_known_by_name(self, name: str, *, is_default: bool) -> None:
        assert urns.is_default_provider(f"urn:pulumi:dev::p::pulumi:providers:x::{name}") is is_default


class TestPropertyPaths:
    @pytest.mark.parametrize(
        ("text", "path"),
        [
            ("a", ("a",)),
            ("a.b[0].c", ("a", "b", 0, "c")),
            ('["a.b"].c', ("a.b", "c")),
            ('a["x\\"y"]', ("a", 'x"y')),
            ("rules[*].port", ("rules", "*", "port")),
            ("*", ("*",)),
        ],
    )
    def test_reading(self, text: str, path: paths.Path) -> None:
        assert paths.parse(text) == path
        assert paths.parse(paths.render(path)) == path

    @pytest.mark.parametrize("text", ["a[", "a]b", "[x]", 'a["b'])
    def test_malformed_ones_are_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="property path"):
            paths.parse(text)

    @pytest.mark.parametrize(
        ("new", "old", "path", "expected"),
        [
            ({"x": 2}, {"x": 1}, "x", {"x": 1}),
            ({"x": 2}, {}, "x", {}),
            ({}, {"x": 1}, "x", {"x": 1}),
            ({"n": {"k": 2, "l": 2}}, {"n": {"k": 1}}, "n.k", {"n": {"k": 1, "l": 2}}),
            ({"n": 5}, {"n": {"k": 1}}, "n.k", {"n": 5}),
            ({"r": [{"p": 2}, {"p": 3}]}, {"r": [{"p": 1}, {"p": 3}]}, "r[*].p", {"r": [{"p": 1}, {"p": 3}]}),
            ({"a": 1, "b": 2}, {"a": 3, "b": 4}, "*", {"a": 3, "b": 4}),
            ({"s": Secret({"k": 2})}, {"s": Secret({"k": 1})}, "s.k", {"s": Secret({"k": 1})}),
            ({"s": Secret(2)}, {"s": Secret(1)}, "s", {"s": Secret(1)}),
            ({"l": [1, 2]}, {"l": [5]}, "l[0]", {"l": [5, 2]}),
        ],
    )
    def test_ignored_changes_are_reset_to_what_was(self, new: object, old: object, path: str, expected: object) -> None:
        assert paths.reset(new, old, paths.parse(path)) == expected

    @pytest.mark.parametrize(
        ("pattern", "path", "found"),
        [("a", "a.b", True), ("a.b", "a", False), ("a[*].c", "a[3].c.d", True), ("a.*", "b.c", False)],
    )
    def test_a_pattern_covers_what_is_below_it(self, pattern: str, path: str, *, found: bool) -> None:
        assert paths.matches(paths.parse(pattern), paths.parse(path)) is found


class TestAliases:
    def goal(self, *aliases: AliasSpec, parent: str = PARENT, name: str = "x") -> Goal:
        return Goal(type="a:b:C", name=name, custom=True, parent=parent, aliases=aliases)

    def found(self, goal: Goal, **moved: str) -> list[str]:
        return candidates(goal, "dev", "p", moved)

    def test_unset_parts_mean_the_resources_own(self) -> None:
        assert self.found(self.goal(AliasSpec(name="old"))) == ["urn:pulumi:dev::p::my:mod:K$a:b:C::old"]
        assert self.found(self.goal(AliasSpec(type="z:y:X"))) == ["urn:pulumi:dev::p::my:mod:K$z:y:X::x"]

    def test_no_parent_and_the_stack_as_parent_are_the_same(self) -> None:
        expected = ["urn:pulumi:dev::p::a:b:C::x"]
        assert self.found(self.goal(AliasSpec(no_parent=True))) == expected
        assert self.found(self.goal(AliasSpec(parent=STACK))) == expected

    def test_its_own_urn_is_no_alias(self) -> None:
        assert self.found(self.goal(AliasSpec())) == []

    def test_a_child_follows_its_parent_and_swaps_the_name_prefix(self) -> None:
        moved = {PARENT: "urn:pulumi:dev::p::old:mod:K::was"}
        assert candidates(self.goal(name="k-x"), "dev", "p", moved) == ["urn:pulumi:dev::p::old:mod:K$a:b:C::was-x"]

    def test_its_own_aliases_are_multiplied_by_its_parents(self) -> None:
        moved = {PARENT: "urn:pulumi:dev::p::old:mod:K::was"}
        found = candidates(self.goal(AliasSpec(name="y")), "dev", "p", moved)
        assert set(found) == {
            "urn:pulumi:dev::p::my:mod:K$a:b:C::y",
            "urn:pulumi:dev::p::old:mod:K$a:b:C::y",
            "urn:pulumi:dev::p::old:mod:K$a:b:C::x",
        }


@pytest.mark.parametrize(("text", "value"), [("", 0), ("1m30s", 90), ("1.5h", 5400), ("250ms", 0.25), ("30", 30)])
def test_durations_are_seconds(text: str, value: float) -> None:
    assert seconds(text) == value
