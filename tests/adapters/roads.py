"""The way to a platform, which a test can break: what names resolve to, and a stretch of road with or without TLS."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

NAME = "platform.test"
#: How a proxy is asked for something at that name.
WHOLE = re.compile(rf" (?:http|ws)://{re.escape(NAME)}(?::\d+)?/".encode())
CONFIG = """
[ca]
default_ca = own
[own]
new_certs_dir = {folder}
database = {folder}/index
serial = {folder}/serial
default_md = sha256
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
[leaf]
subjectAltName = DNS:{name}
"""
#: What can become of a name: what `Names.say` is told.
BROKEN = {
    "no answer from the resolver": {"failure": socket.EAI_AGAIN},
    "a name that does not exist": {"failure": socket.EAI_NONAME},
    "a resolver that is slow and fails": {"failure": socket.EAI_AGAIN, "delay": 0.3},
    "an address where nobody is": {"addresses": ["127.0.0.9"]},
    "IPv6 alone, and nobody there": {"addresses": ["::1"]},
}


class Names:
    """This machine's resolver, but for one name: `say` tells what it answers."""

    def __init__(self, monkeypatch: Any) -> None:
        self._real = socket.getaddrinfo
        self.addresses: list[str] = ["127.0.0.1"]
        self.failure: int | None = None
        self.delay = 0.0
        self.asked = 0
        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)

    def say(self, *addresses: str, failure: int | None = None, delay: float = 0.0) -> None:
        self.addresses, self.failure, self.delay = list(addresses), failure, delay

    def _resolve(self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name != NAME:
            return self._real(host, port, family, type, proto, flags)
        self.asked += 1
        time.sleep(self.delay)  # it is asked in a thread
        if self.failure is not None:
            raise socket.gaierror(self.failure, "the resolver says no")
        found = []
        for address in self.addresses:
            kind = socket.AF_INET6 if ":" in address else socket.AF_INET
            if family in (0, kind):
                found += self._real(address, port, kind, type, proto, 0)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no address of this family")
        return found


class Road:
    """Carries bytes to a server; `cut` ends what is under way, `stop` closes it."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self._to, self._context = port, context
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.travellers = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.sleep(0.01)

    def cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.travellers += 1
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, forth}
        try:
            # As a proxy does, which is asked for whole addresses.
            await asyncio.gather(_pump(reader, forth, WHOLE), _pump(back, writer))
        finally:
            for one in (writer, forth):
                self._open.discard(one)
                one.transport.abort()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, whole: re.Pattern[bytes] | None = None
) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(whole.sub(b" /", data) if whole else data)
            await writer.drain()
    writer.transport.abort()


@asynccontextmanager
async def road(port: int, context: ssl.SSLContext | None = None) -> AsyncIterator[Road]:
    one = Road(port, context)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


class Papers:
    """An authority with a certificate for the name that is valid now, and one that is not any more or not yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        (folder / "index").write_text("")
        (folder / "serial").write_text("01\n")
        (folder / "config").write_text(CONFIG.format(folder=folder, name=NAME))
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        self._openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650", "-subj", "/CN=test")
        self._openssl("req", "-new", *key, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", f"/CN={NAME}")
        self.authority = folder / "ca.pem"
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for name, begin, end in (("valid", 2000, 2090), ("expired", 2000, 2010), ("early", 2080, 2090)):
            self._openssl(
                "ca", "-batch", "-notext", "-config", "config", "-extensions", "leaf", "-cert", "ca.pem",
                "-keyfile", "ca.key", "-in", "leaf.csr", "-out", f"{name}.pem",
                "-startdate", f"{begin}0101000000Z", "-enddate", f"{end}0101000000Z",
            )  # fmt: skip
        self.show("valid")

    def show(self, name: str) -> None:
        """Whoever comes from now on is shown this one."""
        self.context.load_cert_chain(self._folder / f"{name}.pem", self._folder / "leaf.key")

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self._folder, check=True, capture_output=True)
