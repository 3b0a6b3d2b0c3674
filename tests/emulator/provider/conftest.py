"""One cloud and one provider process for the tests of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from providerlab import OWN, Cloud, Plugin, official, open_cloud

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with open_cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(scope="module")
def provider(cloud: Cloud) -> Iterator[Plugin]:
    plugin = Plugin(OWN, cloud.url)
    yield plugin
    plugin.close()


@pytest.fixture(scope="module")
def official_provider(cloud: Cloud) -> Iterator[Plugin]:
    binary = official()
    if binary is None:
        pytest.skip("the official digitalocean plugin is not installed under PULUMI_HOME")
    plugin = Plugin((str(binary),), cloud.url)
    yield plugin
    plugin.close()
