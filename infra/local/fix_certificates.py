"""Certificates for FIX over TLS on one machine: an authority of our own, and one for either end.

Invariant: keys are readable by their owner alone; what is there is kept, so that both ends go on
trusting each other over restarts.
"""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: Ten years: nobody renews the certificates of a paper venue.
LIFE = timedelta(days=3_650)
VENUE, BROKER = "venue", "broker"


def make_fix_certificates(folder: Path) -> None:
    """Fills `folder` with `venue` and `broker`, each with its `cert.pem`, `key.pem` and the
    authority's `ca.pem`. The authority's own key is forgotten."""
    if (folder / BROKER / "cert.pem").exists():
        return
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("Outcry paper venue authority", authority_key, None)
    for name, usage in (
        (VENUE, ExtendedKeyUsageOID.SERVER_AUTH),
        (BROKER, ExtendedKeyUsageOID.CLIENT_AUTH),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, key, (authority, authority_key), usage)
        end = folder / name
        end.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(end / "ca.pem", authority.public_bytes(serialization.Encoding.PEM))
        _write(
            end / "key.pem",
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
        _write(end / "cert.pem", certificate.public_bytes(serialization.Encoding.PEM))


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None,
    usage: x509.ObjectIdentifier | None = None,
) -> x509.Certificate:
    """A certificate of that common name; without an issuer it is an authority's, signed by
    itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer[0].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFE)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if usage is not None:
        loopback = x509.IPAddress(IPv4Address("127.0.0.1"))
        builder = builder.add_extension(
            x509.SubjectAlternativeName([loopback]), critical=False
        ).add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(key if issuer is None else issuer[1], hashes.SHA256())


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
