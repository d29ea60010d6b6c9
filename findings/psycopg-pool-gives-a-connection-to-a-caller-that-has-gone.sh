#!/usr/bin/env bash
# What surprises: psycopg_pool loses the connection that an interrupted thread waits for, refuses callers whom the server would serve,
# and keeps a program from ending. psycopg_pool 3.3.3 with psycopg 3.3.9:
#
# - A thread that waits for a connection may be interrupted by an exception that is no `Exception`: Ctrl-C, or Dramatiq's time limit.
#   Its place in the queue stays, and gets the next connection that comes back. Nobody has that connection, and the pool goes on to count
#   it: a pool of one gives none any more. (A cancelled task of asyncio is taken out of the queue.)
# - `check=ConnectionPool.check_connection` is the documented guard against connections that died. After each dead one the caller sleeps,
#   twice as long as before. Eight of them, as a restart leaves them, outlast a timeout of 3 s (0 + 1 + 2 s) and one of 10 s
#   (0 + 1 + 2 + 4 + 3 s), while the server would answer each new connection at once.
# - A wrong port, or a wrong password, is a `PoolTimeout` at the end of the timeout, without a cause. The reason is only in the log.
# - The task with which an asynchronous pool connects takes its cancellation for a failed attempt, and goes on. So if a server does not
#   answer, and nobody closes the pool, `asyncio.run` does not return.
#
# The server is a stand-in that answers a start-up and an empty statement. This script fails as soon as one of these facts has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip --quiet --disable-pip-version-check install 'psycopg[binary]==3.3.9' psycopg-pool==3.3.3 2>"$folder/pip.log" ||
  { cat "$folder/pip.log"; exit 1; }

cd "$folder"
cat >stand_in.py <<'PYTHON'
import logging
import socket
import struct
import threading
from contextlib import suppress

logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())


class Server:
    """Says that everybody may come in, and that each statement was empty. A mute one takes connections and says nothing."""

    def __init__(self, is_mute=False):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"postgresql://me@127.0.0.1:{self.listener.getsockname()[1]}/?sslmode=disable&gssencmode=disable"
        self.is_mute = is_mute
        self.connections = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            connection, _ = self.listener.accept()
            self.connections.append(connection)
            if not self.is_mute:
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with suppress(OSError, struct.error), connection, connection.makefile("rb") as sent:
            sent.read(struct.unpack(">I", sent.read(4))[0] - 4)
            connection.sendall(b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\x05I")
            while kind := sent.read(1):
                sent.read(struct.unpack(">I", sent.read(4))[0] - 4)
                if kind == b"Q":
                    connection.sendall(b"I\0\0\0\x04" + b"Z\0\0\0\x05I")

    def end_connections(self):
        while self.connections:
            self.connections.pop().shutdown(socket.SHUT_RDWR)
PYTHON

cat >interrupted.py <<'PYTHON'
import signal

from psycopg_pool import ConnectionPool, PoolTimeout
from stand_in import Server


class TimeLimit(BaseException):
    pass


def interrupt(*_):
    raise TimeLimit


signal.signal(signal.SIGALRM, interrupt)
with ConnectionPool(Server().url, min_size=1, max_size=1) as pool:
    only = pool.getconn()
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        pool.getconn()
    except TimeLimit:
        pool.putconn(only)
    try:
        pool.getconn(timeout=1)
    except PoolTimeout:
        print("after an interruption the only connection is given to nobody")
PYTHON

cat >checked.py <<'PYTHON'
import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout
from stand_in import Server

server = Server()
with ConnectionPool(server.url, min_size=0, max_size=8, open=False, check=ConnectionPool.check_connection) as pool:
    for one in [pool.getconn() for _ in range(8)]:
        pool.putconn(one)
    server.end_connections()
    try:
        pool.getconn(timeout=3)
    except PoolTimeout as error:
        psycopg.connect(server.url).close()
        print(f"checked: {error}, though the server lets everybody in")
PYTHON

cat >reason.py <<'PYTHON'
import logging
import socket

from psycopg_pool import ConnectionPool, PoolTimeout

logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())

with socket.socket() as closed:
    closed.bind(("127.0.0.1", 0))
    url = f"postgresql://me@127.0.0.1:{closed.getsockname()[1]}/"
    with ConnectionPool(url, min_size=0, max_size=1, open=False) as pool:
        try:
            pool.getconn(timeout=0.5)
        except PoolTimeout as error:
            print(f"a closed port: {error}; its cause: {error.__cause__}")
PYTHON

cat >ending.py <<'PYTHON'
import asyncio

from psycopg_pool import AsyncConnectionPool, PoolTimeout
from stand_in import Server


async def main():
    pool = AsyncConnectionPool(Server(is_mute=True).url, min_size=0, max_size=1, open=False)
    await pool.open()
    try:
        await pool.getconn(timeout=0.3)
    except PoolTimeout:
        print("the last line of a program", flush=True)


asyncio.run(main())
PYTHON

{
  for name in interrupted checked reason; do timeout 20 "$python" $name.py; done
  status=0
  timeout --signal=INT --kill-after=2 5 "$python" ending.py 2>/dev/null || status=$?
  [ $status = 124 ] && echo "and it has not ended"
} | tee found
cat >expected <<'TEXT'
after an interruption the only connection is given to nobody
checked: couldn't get a connection after 3.00 sec, though the server lets everybody in
a closed port: couldn't get a connection after 0.50 sec; its cause: None
the last line of a program
and it has not ended
TEXT
diff expected found || { echo "This has changed."; exit 1; }
