"""Conformance scenarios 21-23 and 27: names, parents, aliases, and what lives and dies together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from enginelab.bench import Bench

TREE = """
    class {cls}(pulumi.ComponentResource):
        def __init__(self, name, opts=None):
            super().__init__("lab:index:{cls}", name, None, opts)
            self.thing = Thing(f"{{name}}-d", x=1, opts=options(parent=self))

    k = {cls}("{name}"{opts})
    Thing("b", x=k.thing.stamp)
"""


def test_21_a_renamed_component_takes_its_children_along(bench: Bench) -> None:
    bench.good(TREE.format(cls="Tree", name="old", opts=""))
    alias = ', opts=options(aliases=[pulumi.Alias(name="old")])'
    report = bench.good(TREE.format(cls="Tree", name="new", opts=alias), "same Stack, new, new-d, b")
    assert report.called()
    assert bench.state.things == ["b", "new", "new-d"]
    assert bench.state["b"]["dependencies"] == [bench.state["new-d"]["urn"]]
    assert bench.state["new-d"]["parent"] == bench.state["new"]["urn"]
    assert "aliases" not in bench.state["new"]
    assert "old" not in {part for entry in bench.state.entries for part in entry["urn"].split("::")}
    bench.good(TREE.format(cls="Tree", name="new", opts=""), "same Stack, new, new-d, b")


def test_21_a_component_of_another_type_takes_its_children_along(bench: Bench) -> None:
    bench.good(TREE.format(cls="Tree", name="k", opts=""))
    alias = ', opts=options(aliases=[pulumi.Alias(type_="lab:index:Tree")])'
    report = bench.good(TREE.format(cls="Bush", name="k", opts=alias), "same Stack, k, k-d, b")
    assert report.called()
    assert "lab:index:Bush$testprovider:index:Thing" in bench.state["k-d"]["urn"]
    assert "Tree" not in bench.state.text


def test_21_a_rename_survives_a_failure_before_the_children_register(bench: Bench) -> None:
    bench.good(TREE.format(cls="Tree", name="k", opts=""))
    bench.bad("""
        Group("k", opts=options(aliases=[pulumi.Alias(type_="lab:index:Tree")]))
        raise pulumi.RunError("cut short")
    """)
    assert bench.state.things == ["b", "k", "k-d"]
    alias = ', opts=options(aliases=[pulumi.Alias(type_="lab:index:Group"), pulumi.Alias(type_="lab:index:Tree")])'
    report = bench.good(TREE.format(cls="Tree", name="k", opts=alias), "same Stack, k, k-d, b")
    assert report.called()


def test_22_a_resource_can_be_renamed_and_moved_at_once(bench: Bench) -> None:
    bench.good("""
        a = Thing("a", x=1)
        Thing("b", x=a.stamp)
    """)
    moved = """
        k = Group("k")
        a = Thing("a2", x=1, opts=options(parent=k{alias}))
        Thing("b", x=a.stamp)
    """
    alias = ', aliases=[pulumi.Alias(name="a", parent=pulumi.ROOT_STACK_RESOURCE)]'
    report = bench.good(moved.format(alias=alias), "same Stack, a2, b", "create k")
    assert report.called()
    entry = bench.state["a2"]
    assert entry["id"] == "a-1"
    assert entry["parent"] == bench.state["k"]["urn"]
    assert bench.state["b"]["dependencies"] == [entry["urn"]]
    assert bench.state["b"]["propertyDependencies"]["x"] == [entry["urn"]]
    bench.good(moved.format(alias=""), "same Stack, k, a2, b")


@pytest.mark.parametrize(
    "alias",
    [
        '"urn:pulumi:dev::lab::testprovider:index:Thing::a"',
        'pulumi.Alias(name="a")',
        'pulumi.Alias(name="nobody"), pulumi.Alias(name="a", project="lab", stack="dev")',
    ],
)
def test_22_aliases_come_as_urn_or_as_parts(bench: Bench, alias: str) -> None:
    bench.good('Thing("a", x=1)')
    report = bench.good(f'Thing("a2", x=1, opts=options(aliases=[{alias}]))', "same Stack, a2")
    assert report.called()
    assert bench.state.things == ["a2"]


def test_23_a_rename_without_alias_is_a_new_resource(bench: Bench) -> None:
    bench.good("""
        a = Thing("a", x=1)
        Thing("b", x=a.stamp)
    """)
    report = bench.good(
        """
        a = Thing("n", x=1)
        Thing("b", x=a.stamp)
        """,
        *("same Stack", "create n", "update b", "delete a"),
    )
    assert report.changing() == ["Create n", "Update b", "Delete a"]


def test_23_names_may_hold_the_urns_own_separator(bench: Bench) -> None:
    program = """
        a = Thing("odd::name$with::all", x=1)
        Thing("b", x=a.stamp)
    """
    bench.good(program)
    bench.good(program, "same Stack, odd::name$with::all, b")
    assert bench.destroy().ok


BOUND = """
    a = Thing("a", key={key})
    b = Thing("b", x=1, opts=options(deleted_with=a))
"""


def test_27_what_dies_with_another_is_replaced_with_it(bench: Bench) -> None:
    bench.good(BOUND.format(key=1))
    assert bench.state["b"]["deletedWith"] == bench.state["a"]["urn"]
    report = bench.good(
        BOUND.format(key=2),
        *("same Stack", "create-replacement a, b", "replace a, b", "delete-replaced a, b"),
    )
    assert report.changing("Create Delete") == ["Create a", "Create b", "Delete a"]
    report = bench.good("pass", "same Stack", "delete a, b")
    assert report.called("Delete a")


def test_27_alone_it_is_deleted_like_any_other(bench: Bench) -> None:
    bench.good(BOUND.format(key=1))
    report = bench.good('a = Thing("a", key=1)', "same Stack, a", "delete b")
    assert report.called("Delete b")


def test_27_delete_first_takes_it_along(bench: Bench) -> None:
    program = BOUND.replace("key={key}", "key={key}, dbr=True")
    bench.good(program.format(key=1))
    report = bench.good(
        program.format(key=2),
        *("same Stack", "create-replacement a, b", "replace a, b", "delete-replaced a, b"),
    )
    assert report.changing("Create Delete") == ["Delete a", "Create a", "Create b"]
