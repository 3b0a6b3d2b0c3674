"""Puts local images into a registry by the registry's HTTP API, layers uncompressed.

``docker push`` would compress every layer and every droplet would decompress it again; between two ends of one machine
that is most of the time a pull takes.
"""

from __future__ import annotations

__all__ = ["Uploader"]

import hashlib
import io
import json
import tarfile
import tempfile
from typing import TYPE_CHECKING, Any

import requests

from localcloud.machines.engine import client

if TYPE_CHECKING:
    from collections.abc import Mapping

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar"
GZIP = b"\x1f\x8b"
TIMEOUT_S = 120


class Uploader:
    """Stores images in one registry; remembers where their common layers are."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._stored: dict[str, str] = {}

    def ensure(self, reference: str, official: str) -> bool:
        """Store a local image under its official name; False when it is there already."""
        name, tag = official.split(":")
        repository = f"library/{name}"
        mark = f"id-{client().api.inspect_image(reference)['Id'].removeprefix('sha256:')[:20]}"
        held = self._manifest(repository, mark)
        if held is not None:
            if self._manifest(repository, tag) != held:
                self._put_manifest(repository, tag, held)
            return False
        with tempfile.TemporaryFile(prefix="greenroom-") as spool:
            for chunk in client().api.get_image(reference):
                spool.write(chunk)
            spool.seek(0)
            with tarfile.open(fileobj=spool) as archive:
                manifest = self._store(repository, archive)
        for label in (mark, tag):
            self._put_manifest(repository, label, manifest)
        return True

    def _store(self, repository: str, archive: tarfile.TarFile) -> bytes:
        """Store configuration and layers of a saved image and return its manifest."""
        index = json.loads(_member(archive, "manifest.json").read())[0]
        config = _member(archive, index["Config"]).read()
        descriptors = [self._layer(repository, archive, path) for path in index["Layers"]]
        digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        self._blob(repository, digest, config)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": len(config), "digest": digest},
            "layers": descriptors,
        }
        return json.dumps(manifest).encode()

    def _layer(self, repository: str, archive: tarfile.TarFile, path: str) -> Mapping[str, Any]:
        with _member(archive, path) as content:
            digest = f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"
            size = content.seek(0, 2)
            content.seek(0)
            media = f"{LAYER}.gzip" if content.read(2) == GZIP else LAYER
            content.seek(0)
            self._blob(repository, digest, content)
        return {"mediaType": media, "size": size, "digest": digest}

    def _blob(self, repository: str, digest: str, content: io.BufferedReader | bytes) -> None:
        base = f"{self._url}/v2/{repository}/blobs"
        if self._session.head(f"{base}/{digest}", timeout=TIMEOUT_S).ok:
            self._stored[digest] = repository
            return
        source = self._stored.get(digest)
        share = {"mount": digest, "from": source} if source else {}
        begun = self._session.post(f"{base}/uploads/", params=share, timeout=TIMEOUT_S)
        begun.raise_for_status()
        if begun.status_code != requests.codes.created:
            separator = "&" if "?" in begun.headers["Location"] else "?"
            target = f"{begun.headers['Location']}{separator}digest={digest}"
            self._session.put(target, data=content, timeout=TIMEOUT_S).raise_for_status()
        self._stored[digest] = repository

    def _manifest(self, repository: str, tag: str) -> bytes | None:
        answer = self._session.get(
            f"{self._url}/v2/{repository}/manifests/{tag}", headers={"Accept": MANIFEST}, timeout=TIMEOUT_S
        )
        return answer.content if answer.ok else None

    def _put_manifest(self, repository: str, tag: str, manifest: bytes) -> None:
        self._session.put(
            f"{self._url}/v2/{repository}/manifests/{tag}",
            data=manifest,
            headers={"Content-Type": MANIFEST},
            timeout=TIMEOUT_S,
        ).raise_for_status()


def _member(archive: tarfile.TarFile, path: str) -> io.BufferedReader:
    entry = archive.getmember(path)
    while entry.issym():  # layers that images share are links in older engines' archives
        path = f"{path.rsplit('/', 1)[0]}/{entry.linkname}"
        parts = list[str]()
        for part in path.split("/"):
            parts = parts[:-1] if part == ".." else [*parts, part]
        path = "/".join(parts)
        entry = archive.getmember(path)
    content = archive.extractfile(entry)
    if not isinstance(content, io.BufferedReader):
        raise TypeError(f"{path} of the saved image is no file")
    return content
