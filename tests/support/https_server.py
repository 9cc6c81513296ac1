"""A real https server on loopback with a certificate authority of its own, that behaves as a test wants."""

import asyncio
import datetime as dt
import ipaddress
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "app.example"
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]
PORTS = range(49_200, 60_000, 7)


@dataclass
class HttpsServer:
    """``answer`` says what is sent to the next requests; ``requests`` is every head that came, ``bodies`` what came with each."""

    port: int = 0
    answer: bytes | Answer = b""
    requests: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0

    def url(self, path: str = "/c.json", host: str = HOST) -> str:
        return f"https://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"(?i)^content-length: *([0-9]+)", head, re.MULTILINE)
            self.requests.append(head)
            self.bodies.append(await reader.readexactly(int(length[1])) if length else b"")
            if isinstance(self.answer, bytes):
                writer.write(self.answer)
                await writer.drain()
            else:
                await self.answer(writer)
        writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()


def http(body: bytes, *headers: str, status: str = "200 OK", kind: str = "application/json") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def dripping(writer: asyncio.StreamWriter) -> None:
    """Send a body byte by byte: never silent for long, and never done."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


@cache
def trust(*names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return what a server of ``names`` uses and what a client that trusts its authority uses."""
    now = dt.datetime.now(dt.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    subjects = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in ("Test CA", names[0])]
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    made = []
    for index, (key, subject) in enumerate(zip(keys, subjects, strict=True)):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subjects[0])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=index == 0, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), critical=False)
        )
        if index == 0:
            builder = builder.add_extension(usage, critical=True)
        else:
            alternatives = [x509.DNSName(each) for each in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        made.append(builder.sign(keys[0], hashes.SHA256()))
    pem = [each.public_bytes(serialization.Encoding.PEM) for each in made]
    private = keys[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "chain.pem"
        path.write_bytes(private + pem[1])
        server.load_cert_chain(path)
    return server, ssl.create_default_context(cadata=pem[0].decode())


def authority(*names: str) -> str:
    """Return the certificate of the authority that vouches for ``names``, in PEM."""
    (der,) = trust(*(names or (HOST,)))[1].get_ca_certs(binary_form=True)
    return ssl.DER_cert_to_PEM_cert(der)


@asynccontextmanager
async def https_server(context: ssl.SSLContext | None) -> AsyncIterator[HttpsServer]:
    """Serve on a port that a client's document may have; without ``context`` without TLS."""
    state = HttpsServer()
    for port in PORTS:
        with suppress(OSError):
            listening = await asyncio.start_server(
                state.serve, str(ipaddress.IPv4Address("127.0.0.1")), port, ssl=context
            )
            state.port = port
            break
    try:
        yield state
    finally:
        listening.close()
