"""A certificate that this computer signs itself, for https in a local network.

Browsers give a page the camera and threads only in a secure context: `localhost`, or https. No
authority issues certificates for the addresses of a private network, so the key and the certificate
are new at every start, valid for a day, and never stored. A browser warns about such a certificate;
compare its fingerprint with the one on the terminal.
"""

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from seaformer.temporary_folders import temporary_folder

VALID = timedelta(days=1)
CLOCK_DIFFERENCE = timedelta(hours=1)
"""How far the clock of a phone may be behind."""


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key.

    Attributes:
        pem: the certificate.
        key_pem: the private key, which stays in this process.
        fingerprint: SHA-256 of the certificate, as browsers show it: "0A:1B:...".
    """

    pem: bytes
    key_pem: bytes
    fingerprint: str

    def context(self) -> ssl.SSLContext:
        """Return the settings of a server with this certificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # `ssl` reads files only; the folder is readable by its owner alone, and removed at once.
        with temporary_folder("certificate") as folder:
            chain = folder / "chain.pem"
            chain.write_bytes(self.key_pem + self.pem)
            context.load_cert_chain(chain)
        return context


def make_certificate(hosts: Sequence[str]) -> Certificate:
    """Create a key and a certificate for names and IP addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "seaformer-bundle --serve")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_DIFFERENCE)
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([_name(host) for host in hosts]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )
    return Certificate(
        pem=certificate.public_bytes(serialization.Encoding.PEM),
        key_pem=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
