"""The passphrase secrets format, written a second time from its description to check the engine against.

Key: PBKDF2-HMAC-SHA256 over the passphrase, 8 bytes of salt, a million rounds, 32 bytes. Ciphertext: `v1:`, nonce and
AES-256-GCM output in base64. Salt text: `v1:`, the salt in base64, and the ciphertext of the word `pulumi`.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from enginelab.protocol import SECRET, SIGNATURE

ROUNDS = 1_000_000


@functools.lru_cache(maxsize=64)
def key_of(passphrase: str, salt: bytes) -> bytes:
    """Derive the key; costs a third of a second the first time."""
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, ROUNDS, 32)


class Cipher:
    """Reads and writes ciphertexts under one passphrase and salt text."""

    def __init__(self, passphrase: str, salt_text: str) -> None:
        version, salt, proof = salt_text.split(":", 2)
        assert version == "v1"
        self.salt_text = salt_text
        self._gcm = AESGCM(key_of(passphrase, base64.b64decode(salt, validate=True)))
        assert self.decrypt(proof) == "pulumi"

    @classmethod
    def new(cls, passphrase: str, salt: bytes, nonce: bytes) -> Cipher:
        """Make the cipher that a given salt and nonce define: the same arguments give the same salt text."""
        proof = _seal(AESGCM(key_of(passphrase, salt)), "pulumi", nonce)
        return cls(passphrase, f"v1:{base64.b64encode(salt).decode()}:{proof}")

    def encrypt(self, text: str, nonce: bytes) -> str:
        """Encrypt with a chosen nonce, so that vectors can be repeated."""
        return _seal(self._gcm, text, nonce)

    def decrypt(self, ciphertext: str) -> str:
        """Decrypt; a wrong key raises `cryptography.exceptions.InvalidTag`."""
        version, nonce, body = ciphertext.split(":")
        assert version == "v1"
        assert len(base64.b64decode(nonce, validate=True)) == 12
        return self._gcm.decrypt(base64.b64decode(nonce), base64.b64decode(body, validate=True), None).decode()

    def open(self, value: Any) -> Any:
        """Replace every secret in a state value by `{"secret": plain value}`."""
        if isinstance(value, list):
            return [self.open(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value.get(SIGNATURE) != SECRET:
            return {key: self.open(item) for key, item in value.items()}
        assert set(value) == {SIGNATURE, "ciphertext"}, f"A secret holds exactly a ciphertext: {sorted(value)}"
        return {"secret": _inner(json.loads(self.decrypt(value["ciphertext"])))}


def _inner(value: Any) -> Any:
    """Open secrets nested in a secret: their text is JSON in `ciphertext`, unencrypted."""
    if isinstance(value, list):
        return [_inner(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get(SIGNATURE) == SECRET:
        return {"secret": _inner(json.loads(value["ciphertext"]))}
    return {key: _inner(item) for key, item in value.items()}


def _seal(gcm: AESGCM, text: str, nonce: bytes) -> str:
    body = gcm.encrypt(nonce, text.encode(), None)
    return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(body).decode()}"
