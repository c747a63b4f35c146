"""An authority, a server and a client certificate, made by openssl in a folder of the test's."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.peers import need_peer

SERVER_NAME = "smsc.test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Files in PEM."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path

    def server_context(self, *, clients: bool = False) -> ssl.SSLContext:
        """Of a server; ``clients`` makes it ask for a certificate that the authority signed."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca)
        context.load_cert_chain(self.server, self.server_key)
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def make_certificates(folder: Path) -> Certificates:
    """Make them; skips or fails without openssl as `need_peer` says."""
    need_peer("openssl")
    ca, ca_key = folder / "ca.crt", folder / "ca.key"
    _openssl(
        folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hongyan test CA",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign",
        "-keyout", str(ca_key), "-out", str(ca),
    )  # fmt: skip
    made = {}
    for name, subject in (("server", SERVER_NAME), ("client", "hongyan")):
        key, request, certificate = folder / f"{name}.key", folder / f"{name}.csr", folder / f"{name}.crt"
        extensions = folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=DNS:{subject}\n", "utf-8")
        _openssl(
            folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={subject}",
            "-keyout", str(key), "-out", str(request),
        )  # fmt: skip
        _openssl(
            folder, "x509", "-req", "-days", "2", "-in", str(request), "-CA", str(ca), "-CAkey", str(ca_key),
            "-CAcreateserial", "-extfile", str(extensions), "-out", str(certificate),
        )  # fmt: skip
        made[name] = (certificate, key)
    return Certificates(
        ca=ca,
        server=made["server"][0],
        server_key=made["server"][1],
        client=made["client"][0],
        client_key=made["client"][1],
    )


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)
