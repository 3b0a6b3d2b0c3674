"""The cloud's own certificate authority, made at first start: HTTPS for clients that insist on it."""

from __future__ import annotations

__all__ = ["Certificates"]

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

LIFETIME = timedelta(days=3650)
NAMES = ("localhost", "api.digitalocean.test")
ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class Certificates:
    """Where the authority's certificate and the server's pair are."""

    authority: Path
    certificate: Path
    key: Path

    @staticmethod
    def ensure(directory: Path) -> Certificates:
        """Return the certificates in a directory, making them when they are not there."""
        found = Certificates(directory / "ca.pem", directory / "server.pem", directory / "server.key")
        if not (found.authority.exists() and found.certificate.exists() and found.key.exists()):
            make(found)
        return found


def make(target: Certificates) -> None:
    """Write a new authority and a server pair signed by it; the authority's key is not kept."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - 60 ms, needed once in a cloud's life
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - the same

    target.authority.parent.mkdir(parents=True, exist_ok=True)
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = signed(authority_key, authority_key, None)
    server = signed(server_key, authority_key, authority)
    pem = serialization.Encoding.PEM
    target.key.touch(0o600)
    target.key.write_bytes(
        server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    target.certificate.write_bytes(server.public_bytes(pem))
    target.authority.write_bytes(authority.public_bytes(pem))


def signed(
    key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None
) -> x509.Certificate:
    """Return a certificate for a key: the authority's own when there is no issuer, else the server's."""
    from cryptography import x509  # noqa: PLC0415 - see make
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - see make
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415 - see make

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAMES[0] if issuer else "Greenroom local cloud")])
    now = datetime.now(UTC)
    is_authority = issuer is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None), critical=True)
        .add_extension(key_usage(is_authority=is_authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if not is_authority:
        names = [x509.DNSName(name) for name in NAMES]
        alternatives = [*names, x509.IPAddress(ipaddress.ip_address(ADDRESS))]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
    return builder.sign(signer, hashes.SHA256())


def key_usage(*, is_authority: bool) -> x509.KeyUsage:
    """Return what a key may do: sign certificates, or be a server."""
    from cryptography import x509  # noqa: PLC0415 - see make

    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
