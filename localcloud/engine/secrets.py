"""The passphrase secrets manager of the DIY backends.

The key is PBKDF2-HMAC-SHA256 over the passphrase with an 8-byte salt and a million rounds; a ciphertext is
`v1:<nonce>:<AES-256-GCM ciphertext and tag>` in standard base64. The salt string `v1:<salt>:<ciphertext of "pulumi">`
proves whether a passphrase is the right one. Deriving the key costs more than a tenth of a second of one core, so it is
done in a thread, once, while other things start.
"""

from __future__ import annotations

import base64
import binascii
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.engine.errors import PassphraseError, StateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ROUNDS = 1_000_000
KEY_BYTES = 32
SALT_BYTES = 8
NONCE_BYTES = 12
VERSION = "v1"
PROOF = "pulumi"


def derive_key(passphrase: str, salt: bytes) -> bytes:
    """Return the 32-byte key of a passphrase; takes a tenth of a second or two and lets other threads run.

    `hashlib` does the same on the system's OpenSSL, which needs three times as long where that is 3.0.
    """
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - imported while others start
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC  # noqa: PLC0415 - as above

    return PBKDF2HMAC(SHA256(), KEY_BYTES, salt, ROUNDS).derive(passphrase.encode())


@dataclass(frozen=True, slots=True)
class Salt:
    """A parsed `encryptionsalt`."""

    text: str
    salt: bytes
    proof: str

    @classmethod
    def parse(cls, text: str) -> Salt:
        """Read a salt string. Raises StateError when it is none."""
        version, _, rest = text.partition(":")
        salt, _, proof = rest.partition(":")
        try:
            raw = base64.b64decode(salt, validate=True)
        except binascii.Error:
            raw = b""
        if version != VERSION or not raw or not proof:
            raise StateError("The encryption salt of the stack is malformed")
        return cls(text, raw, proof)


class SecretsManager:
    """Encrypts and decrypts one stack's secrets; safe to use from several threads."""

    def __init__(self, passphrase: str, salt: Salt | None, random: Callable[[int], bytes] = os.urandom) -> None:
        """Start deriving the key in the background; a missing salt makes a new one."""
        self._passphrase = passphrase
        self._random = random
        self._salt = salt
        self._raw_salt = salt.salt if salt else random(SALT_BYTES)
        self._key = b""
        self._thread: threading.Thread | None = threading.Thread(target=self._derive, daemon=True)
        self._thread.start()
        self._lock = threading.Lock()

    def _derive(self) -> None:
        self._key = derive_key(self._passphrase, self._raw_salt)

    def _ready_key(self) -> bytes:
        thread = self._thread
        if thread is not None:
            thread.join()
            self._thread = None
        return self._key

    def _cipher(self) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - imported while others start

        return AESGCM(self._ready_key())

    @property
    def salt(self) -> str:
        """The salt string that belongs into the state and the stack's settings file; waits for the key."""
        self._ready_key()
        with self._lock:
            if self._salt is None:
                encoded = base64.b64encode(self._raw_salt).decode()
                proof = self.encrypt(PROOF)
                self._salt = Salt(f"{VERSION}:{encoded}:{proof}", self._raw_salt, proof)
            return self._salt.text

    def verify(self) -> None:
        """Wait for the key and check it. Raises PassphraseError when the passphrase is not this stack's."""
        self._ready_key()
        if self._salt is None:
            return
        try:
            is_right = self.decrypt(self._salt.proof) == PROOF
        except PassphraseError:
            is_right = False
        if not is_right:
            raise PassphraseError("The passphrase is not the one this stack was made with", hint=_HINT)

    def encrypt(self, text: str) -> str:
        """Return the ciphertext of a text under a fresh nonce."""
        nonce = self._random(NONCE_BYTES)
        sealed = self._cipher().encrypt(nonce, text.encode(), None)
        return f"{VERSION}:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"

    def decrypt(self, ciphertext: str) -> str:
        """Return the text of a ciphertext. Raises PassphraseError or StateError, never naming the content."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as for the cipher

        parts = ciphertext.removeprefix(f"{VERSION}:").split(":")
        try:
            nonce, sealed = (base64.b64decode(part, validate=True) for part in parts)
            return self._cipher().decrypt(nonce, sealed, None).decode()
        except InvalidTag:
            raise PassphraseError("The passphrase does not open a secret of this stack", hint=_HINT) from None
        except (ValueError, binascii.Error):
            raise StateError("A secret of the stack is not a ciphertext of the passphrase manager") from None


_HINT = "set PULUMI_CONFIG_PASSPHRASE (or PULUMI_CONFIG_PASSPHRASE_FILE) to the stack's passphrase"
