"""TLS in front of a server that speaks plain HTTP: clients send checksums behind a body over TLS only."""

import asyncio
import ssl
import tempfile
import threading
from urllib.parse import urlsplit

import trustme


class Front:
    """Listens on a port of its own, and passes what it decrypts on to the server."""

    def __init__(self, endpoint):
        target = urlsplit(endpoint)
        self._target = (target.hostname, target.port)
        authority = trustme.CA()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(self._context)
        self._file = tempfile.NamedTemporaryFile(prefix="crosscheck-", suffix=".pem")
        authority.cert_pem.write_to_path(self._file.name)
        self.authority = self._file.name
        self._ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        self._ready.wait(10)

    async def _serve(self):
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._context)
        port = server.sockets[0].getsockname()[1]
        self.endpoint = f"https://127.0.0.1:{port}"
        self._ready.set()
        await server.serve_forever()

    async def _connected(self, reader, writer):
        try:
            there = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pass_on(reader, there[1]), _pass_on(there[0], writer))


async def _pass_on(reader, writer):
    try:
        while data := await reader.read(256 * 1024):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
