"""A link to a port, in a process of its own. While that is stopped (SIGSTOP) the link is half open:
the kernel takes what either end says, nothing arrives, and nobody is told of an end.

`python -m tests.support.tcp_link PORT TARGET`
"""

import asyncio
import contextlib
import sys

import uvloop

PIECE_BYTES = 65_536


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until either side ends; then the other side ends, too."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(PIECE_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()


async def serve(port: int, target: int) -> None:
    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, back), _pump(there, writer))

    async with await asyncio.start_server(forward, "127.0.0.1", port, backlog=4_096) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
