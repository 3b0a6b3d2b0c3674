"""The images that droplets boot and pull: what is missing, and building just that.

An image is kept as long as its recipe's digest is the one it was built from. Two builders work side by side, one for
each distribution release, so that a cold build keeps two cores busy.
"""

from __future__ import annotations

__all__ = ["DROPLET", "SERVED", "ensure", "missing", "remove"]

import fcntl
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import docker.errors

from localcloud.machines import recipes
from localcloud.machines.builder import RECIPE, Builder, answers
from localcloud.machines.engine import client, ensure_docker
from localcloud.machines.recipes import DROPLET
from localcloud.machines.surroundings import Surroundings, observe

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from localcloud.machines.recipes import Image

STAGE = "greenroom.stage"
"""On what a recipe only builds to copy from."""
SERVED = {image.official: image.reference for image in recipes.IMAGES if image.official}
"""What the registry serves: official name -> local reference."""


def missing(surroundings: Surroundings | None = None) -> list[Image]:
    """Return the images that are absent, or built from another recipe."""
    surroundings = surroundings or observe()
    return [image for image in recipes.IMAGES if _recipe_of(image.reference) != recipes.digest(image, surroundings)]


def ensure(say: Callable[[str], None]) -> None:
    """Build what is missing, saying what is done and how far it is; at once when nothing is.

    Raises MachineError with the build's last lines, or with what to install.
    """
    ensure_docker(say)
    surroundings = observe()
    if not missing(surroundings):
        return
    with _alone(say):
        wanted = missing(surroundings)
        if wanted:
            _build(wanted, surroundings, say)


def remove() -> None:
    """Remove every image of the local cloud; the next start builds them again."""
    for reference in [*(image.reference for image in recipes.IMAGES), *(base.reference for base in recipes.BASES)]:
        try:
            client().images.remove(reference, force=True)
        except docker.errors.ImageNotFound:
            continue


def _build(wanted: list[Image], surroundings: Surroundings, say: Callable[[str], None]) -> None:
    from_hub = answers()
    source = "Docker Hub's images" if from_hub else "Debian's packages, as Docker Hub does not answer"
    say(f"images: {len(wanted)} to build, from {source}")
    started = time.monotonic()
    done = list[str]()
    builder = Builder(surroundings, from_hub=from_hub, say=say)

    def chain(base: recipes.Base) -> None:
        members = [image for image in wanted if base.reference in _ancestry(image)]
        if not members:
            return
        if _recipe_of(base.reference) is None:
            builder.base(base)
        for image in members:
            begun = time.monotonic()
            builder.image(image)
            done.append(image.reference)
            say(f"images: {len(done)} of {len(wanted)} built: {image.reference} in {time.monotonic() - begun:.0f} s")

    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="images") as pool:
        for finished in [pool.submit(chain, base) for base in recipes.BASES]:
            finished.result()
    for label in (RECIPE, STAGE):
        client().images.prune(filters={"dangling": True, "label": [label]})
    say(f"images: all built in {time.monotonic() - started:.0f} s")


def _ancestry(image: Image) -> set[str]:
    by_reference = {other.reference: other for other in recipes.IMAGES}
    parents = set(image.on.values())
    return parents.union(*(_ancestry(by_reference[parent]) for parent in parents if parent in by_reference))


def _recipe_of(reference: str) -> str | None:
    """Return the recipe that a local image was built from ("" when it names none), or None when there is no image."""
    try:
        return (client().images.get(reference).labels or {}).get(RECIPE, "")
    except docker.errors.ImageNotFound:
        return None


@contextmanager
def _alone(say: Callable[[str], None]) -> Generator[None]:
    """Hold the machine-wide build lock: clouds of different folders build their common images once."""
    path = Path(tempfile.gettempdir()) / f"greenroom-images-{os.getuid()}.lock"
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("images: another cloud builds them; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
