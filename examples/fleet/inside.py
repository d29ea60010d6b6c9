"""The inside of a machine: a loopback of its own, from whose ports relays lead to the services, and one program.

What belongs here: what runs in the network namespace. It needs Linux and the standard library.

    python inside.py '{"5432": "/path/to/a.sock"}' COMMAND...

Without ports it is not in a namespace, and only runs the program. When its standard input ends, because whoever started it has
died, all of it ends.
"""

import asyncio
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import threading
from functools import partial

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def loopback_up() -> None:
    """Switch the loopback on, which is off in a new namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        flags = struct.unpack_from("16xH", fcntl.ioctl(asking, SIOCGIFFLAGS, struct.pack("16sH22x", b"lo", 0)))[0]
        fcntl.ioctl(asking, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | IFF_UP))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy bytes until one side ends, and end the other."""
    try:
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def relay(path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Lead one connection to a Unix socket: those with a path are the same in all namespaces."""
    try:
        there, back = await asyncio.open_unix_connection(path)
    except OSError:
        writer.transport.abort()
        return
    await asyncio.gather(copy(reader, back), copy(there, writer))


async def main(ports: dict[str, str], command: list[str]) -> int:
    """Run the relays and the command, and return the command's status. SIGTERM is meant for the command alone."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: None)
    if ports:
        loopback_up()
    for port, path in ports.items():
        await asyncio.start_server(partial(relay, path), "127.0.0.1", int(port))
    child = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
    return await child.wait()


def end_with_parent() -> None:
    """Wait for the end of standard input, and kill this process and the command."""
    while os.read(0, 1 << 10):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.exit(asyncio.run(main(json.loads(sys.argv[1]), sys.argv[2:])))
