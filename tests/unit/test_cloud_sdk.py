"""The SDK without its bulk: the same classes, and the whole package for whoever asks for it."""

from __future__ import annotations

import subprocess
import sys


def python(program: str) -> list[str]:
    """Run a program in an interpreter that has imported nothing yet; warnings are the SDK's own."""
    argv = [sys.executable, "-W", "ignore", "-c", program]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()


def test_only_the_modules_of_the_named_classes_are_imported() -> None:
    program = "import sys, infra.cloud.sdk; print(*(n for n in sys.modules if n.startswith('pulumi_digitalocean.')))"
    imported = {name.removeprefix("pulumi_digitalocean.") for name in python(program)}
    assert {"droplet", "firewall", "outputs", "_inputs"} <= imported
    assert "kubernetes_cluster" not in imported
    assert len(imported) < 20


def test_the_whole_package_comes_when_it_is_asked_for_and_has_the_very_same_classes() -> None:
    program = (
        "from infra.cloud import sdk\n"
        "import pulumi_digitalocean as whole\n"
        "print(whole.KubernetesCluster.__name__)\n"
        "print(all(getattr(whole, name) is getattr(sdk, name) for name in sdk.__all__))\n"
        "print('__getattr__' in vars(whole))"
    )
    assert python(program) == ["KubernetesCluster", "True", "False"]


def test_a_package_that_is_imported_already_stays_as_it_is() -> None:
    program = (
        "import pulumi_digitalocean as whole\n"
        "before = dict(vars(whole))\n"
        "from infra.cloud import sdk\n"
        "print(dict(vars(whole)) == before, sdk.Droplet is whole.Droplet)"
    )
    assert python(program) == ["True", "True"]


def test_a_name_that_the_sdk_has_not_is_no_attribute() -> None:
    program = (
        "import infra.cloud.sdk, pulumi_digitalocean\n"
        "print(hasattr(pulumi_digitalocean, 'Nothing'), hasattr(pulumi_digitalocean, 'Droplet'))"
    )
    assert python(program) == ["False", "True"]
