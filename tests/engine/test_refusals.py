"""What the embedded engine leaves out, it refuses by name before anything is touched, and never ignores in silence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

    from enginelab.bench import Bench
    from enginelab.embedded import Embedded
    from enginelab.report import Report

ONE = 'Thing("a", x=1)'
HOOK = """
    hook = pulumi.ResourceHook("h", lambda arguments: None)
    Thing("a", x=1, opts=options(hooks=pulumi.ResourceHookBinding(before_create=[hook])))
"""
REMOTE = """
    class Far(pulumi.ComponentResource):
        def __init__(self):
            super().__init__("testprovider:index:Far", "a", {}, None, True)

    Far()
"""
PROGRAMS = {
    "30 import": ("import", 'Thing("a", x=1, opts=options(import_="a-7"))'),
    "transformation of a stack": (
        "transform",
        "pulumi.runtime.register_stack_transform(lambda arguments: None)\nThing('a', x=1)",
    ),
    "transformation of a resource": (
        "transform",
        'Thing("a", x=1, opts=options(transforms=[lambda arguments: None]))',
    ),
    "resource hook": ("hook", HOOK),
    "remote component": ("remote", REMOTE),
    "archive": ("archive", 'Thing("a", x=pulumi.FileArchive("."))'),
    "archive of assets": ("archive", 'Thing("a", x=pulumi.AssetArchive({"f": pulumi.StringAsset("t")}))'),
}


def _add(**fields: Any) -> Callable[[dict[str, Any]], None]:
    def change(latest: dict[str, Any]) -> None:
        latest["resources"][-1].update(fields)

    return change


def _secrets_provider(latest: dict[str, Any]) -> None:
    latest["secrets_providers"] = {"type": "service", "state": {"url": "https://example.org"}}


STATES: dict[str, tuple[str, Callable[[dict[str, Any]], None]]] = {
    "views": ("viewOf", _add(viewOf="urn:pulumi:dev::lab::testprovider:index:Thing::z")),
    "refresh before update": ("refreshBeforeUpdate", _add(refreshBeforeUpdate=True)),
    "hooks": ("resourceHooks", _add(resourceHooks={"beforeCreate": ["h"]})),
    "extension": ("extension", _add(extensionRef="e")),
    "secrets provider": ("service", _secrets_provider),
}
STACK_FILES = {
    "secretsprovider": {"secretsprovider": "awskms://alias/key"},
    "encryptedkey": {"encryptedkey": "AAAA"},
    "environment": {"environment": ["shared/base"]},
}


@pytest.mark.parametrize("case", PROGRAMS)
def test_a_feature_of_the_program_is_refused_by_name(embedded_bench: Bench, case: str) -> None:
    word, program = PROGRAMS[case]
    report = embedded_bench.up(program)
    assert not report.ok
    assert word in report.text.lower()
    assert not report.calls_of("Create", "a")
    assert embedded_bench.state.things == []


@pytest.mark.parametrize("case", STATES)
def test_a_feature_of_the_state_is_refused_by_name(embedded_bench: Bench, case: str) -> None:
    word, change = STATES[case]
    embedded_bench.good(ONE)
    embedded_bench.edit(change)
    _refused(embedded_bench, word)


@pytest.mark.parametrize("case", STACK_FILES)
def test_a_key_of_the_stack_file_is_refused_by_name(embedded_bench: Bench, case: str) -> None:
    embedded_bench.good(ONE)
    path = embedded_bench.root / "Pulumi.dev.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **STACK_FILES[case]}))
    report = _refused(embedded_bench, case)
    assert report.exit_code == 2


@pytest.mark.parametrize("key", ["pulumi:autonaming", "pulumi:disable-default-providers"])
def test_configuration_of_the_engine_itself_is_refused_by_name(embedded_bench: Bench, key: str) -> None:
    embedded_bench.good(ONE)
    embedded_bench.configure({key: {"mode": "verbatim"} if key.endswith("naming") else ["*"]})
    report = _refused(embedded_bench, key.partition(":")[2])
    assert report.exit_code == 2


@pytest.mark.parametrize("ending", ["json.gz", "json.zst"])
def test_a_compressed_state_is_refused_by_name(embedded_bench: Bench, ending: str) -> None:
    embedded_bench.good(ONE)
    embedded_bench.state_path.rename(embedded_bench.state_path.with_name(f"dev.{ending}"))
    embedded_bench.state_path.with_name("dev.json.bak").unlink(missing_ok=True)
    report = embedded_bench.driver.run(embedded_bench, "up")
    assert not report.ok
    assert ending.rpartition(".")[2] in report.text
    assert report.asked == []


@pytest.mark.parametrize("content", ["version: 0\n", "", "version: 2\n"])
def test_another_layout_of_the_backend_is_refused(embedded_bench: Bench, content: str) -> None:
    embedded_bench.good(ONE)
    (embedded_bench.backend / ".pulumi" / "meta.yaml").write_text(content)
    _refused(embedded_bench, "version")


def test_a_later_version_of_the_state_is_refused(embedded_bench: Bench) -> None:
    embedded_bench.good(ONE)
    document = json.loads(embedded_bench.state_path.read_text())
    document |= {"version": 4, "features": ["views"]}
    embedded_bench.state_path.write_text(json.dumps(document))
    report = embedded_bench.driver.run(embedded_bench, "up")
    assert not report.ok
    assert "views" in report.text or "version 4" in report.text
    assert report.asked == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 3}', '{"version": "three"}', "null"])
def test_a_state_that_is_none_is_an_error_that_names_the_file(embedded_bench: Bench, text: str) -> None:
    embedded_bench.good(ONE)
    embedded_bench.state_path.write_text(text)
    report = embedded_bench.driver.run(embedded_bench, "up")
    assert not report.ok
    assert "dev.json" in report.text
    assert report.asked == []
    assert embedded_bench.state_path.read_text() == text


def test_a_state_out_of_order_is_refused(embedded_bench: Bench) -> None:
    embedded_bench.good("""
        a = Thing("a", x=1)
        Thing("b", x=a.stamp)
    """)
    embedded_bench.edit(lambda latest: latest["resources"].reverse())
    _refused(embedded_bench, "")


def test_a_state_with_a_urn_twice_is_refused(embedded_bench: Bench) -> None:
    embedded_bench.good(ONE)
    embedded_bench.edit(lambda latest: latest["resources"].append(latest["resources"][-1]))
    _refused(embedded_bench, "twice")


def test_a_manifest_whose_magic_is_wrong_is_refused(embedded_bench: Bench) -> None:
    embedded_bench.good(ONE)

    def spoil(latest: dict[str, Any]) -> None:
        latest["manifest"] |= {"version": "v3.260.0", "magic": "0" * 64}

    embedded_bench.edit(spoil)
    _refused(embedded_bench, "magic")


@pytest.mark.parametrize(
    ("project", "word"),
    [
        ({"name": "lab", "runtime": "nodejs"}, "nodejs"),
        ({"runtime": "python"}, "name"),
        ({"name": "lab"}, "runtime"),
        (
            {"name": "lab", "runtime": "python", "plugins": {"providers": [{"name": "other", "path": "bin"}]}},
            "plugins",
        ),
        ({"name": "lab", "runtime": "python", "packages": {"other": "https://example.org/other"}}, "packages"),
        ({"name": "lab", "runtime": "python", "options": {"refresh": "always"}}, "refresh"),
        ({"name": "lab", "runtime": "python", "backend": {"url": "s3://bucket"}}, "backend"),
    ],
)
def test_a_project_it_cannot_run_is_refused_by_name(embedded_bench: Bench, project: dict[str, Any], word: str) -> None:
    embedded_bench.program(ONE)
    embedded_bench.describe(project)
    report = embedded_bench.driver.run(embedded_bench, "up")
    assert not report.ok
    assert report.exit_code == 2
    assert word in report.text
    assert "Pulumi.yaml" in report.text
    assert report.asked == []


def test_a_folder_without_a_project_is_refused(embedded_bench: Bench) -> None:
    (embedded_bench.root / "Pulumi.yaml").unlink()
    report = embedded_bench.driver.run(embedded_bench, "up")
    assert not report.ok
    assert report.exit_code == 2
    assert "Pulumi.yaml" in report.text


@pytest.mark.parametrize("operation", ["destroy", "refresh"])
def test_a_stack_that_is_not_there_is_not_found(embedded_bench: Bench, operation: str) -> None:
    report = embedded_bench.driver.run(embedded_bench, operation)
    assert report.exit_code == 6
    assert "dev" in report.text


@pytest.mark.parametrize("option", ["targets", "replace", "continue_on_error", "policy_packs", "plan"])
def test_48_options_it_does_not_know_are_no_options(embedded_bench: Bench, option: str) -> None:
    driver: Embedded = embedded_bench.driver  # type: ignore[assignment]  # the fixture's own
    with pytest.raises(TypeError, match=option):
        driver.engine(embedded_bench, **{option: True})


def test_a_package_without_a_provider_is_named(embedded_bench: Bench) -> None:
    report = embedded_bench.bad('pulumi.CustomResource("nowhere:index:Thing", "a", {}, None)')
    assert "nowhere" in report.text
    assert embedded_bench.state.things == []


def _refused(bench: Bench, word: str) -> Report:
    """Assert that up, refresh and preview are refused with a word, and change nothing."""
    before = bench.snapshot()
    for operation in ("preview", "refresh", "up"):
        report = bench.driver.run(bench, operation)
        assert not report.ok
        assert word in report.text
        assert report.asked == []
        assert bench.snapshot() == before
        bench.wait_for_silence()
    return report
