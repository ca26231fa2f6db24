"""A port for a server that takes a while to open it."""

from __future__ import annotations

import os
import socket

# Below what the kernel gives out by itself, to servers and to each outgoing connection.
FIRST, COUNT = 20_000, 10_000


def free_port() -> int:
    """On 127.0.0.1, and each of several processes begins its search elsewhere."""
    for step in range(COUNT):
        port = FIRST + (os.getpid() * 37 + step) % COUNT
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise OSError(f"no port of {FIRST} to {FIRST + COUNT - 1} is free")
