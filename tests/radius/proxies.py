"""radsecproxy between a NAS and the server, as deploy/radsecproxy/ sets it up: UDP to UDP, and TLS (RFC 6614) between two."""

import ipaddress
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hotspot.clock import utc_now

SHIPPED = Path(__file__).parents[2] / "deploy" / "radsecproxy"


def free_port(kind: socket.SocketKind) -> int:
    """A port of loopback nobody listens on at the moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def shipped_configuration(name: str, changes: Mapping[str, str]) -> str:
    """A configuration as it is shipped, with addresses and files of the test's own."""
    text = (SHIPPED / name).read_text()
    for old, new in changes.items():
        assert old in text, f"{name} does not say {old!r}"
        text = text.replace(old, new)
    return text


@contextmanager
def radsecproxy(folder: Path, configuration: str, listens: str) -> Iterator[None]:
    """Run radsecproxy in the foreground with this configuration, and wait until it `listens`."""
    folder.mkdir(exist_ok=True)
    config, log = folder / "radsecproxy.conf", folder / "radsecproxy.log"
    config.write_text(configuration)
    with log.open("wb") as out:
        process = subprocess.Popen(["radsecproxy", "-f", "-d", "4", "-c", str(config)], stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 10
        while listens not in log.read_text(errors="replace"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


def make_certificates(folder: Path, *names: str) -> None:
    """A CA of the test's own, and for each name a folder with its certificate, which stands for 127.0.0.1 too."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA of the test")])
    ca = _certificate(ca_name, ca_name, ca_key.public_key(), is_ca=True).sign(ca_key, hashes.SHA256())
    for name in names:
        own = folder / name
        own.mkdir()
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name}.example.org")])
        certificate = _certificate(subject, ca_name, key.public_key(), is_ca=False).sign(ca_key, hashes.SHA256())
        (own / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
        (own / "own.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        clear = serialization.NoEncryption()
        (own / "own.key").write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, clear)
        )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, is_ca: bool
) -> x509.CertificateBuilder:
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc_now() - timedelta(days=1))
        .not_valid_after(utc_now() + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
    )
