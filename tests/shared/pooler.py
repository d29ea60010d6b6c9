"""pgbouncer between the stores and a server, in the mode in which each transaction may get another connection.

What belongs here: starting and ending it.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from postgres_server import Server, binary, free_port, nobody

__all__ = ["pooler"]

SETTINGS = """
[databases]
* = host=127.0.0.1 port={server} user=owner
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
server_reset_query_always = 0
max_client_conn = 200
"""


@pytest.fixture(scope="session")
def pooler(postgres_server: Server) -> Iterator[int]:
    """Give the port of a pooler with three connections to the server. Without pgbouncer the test is skipped."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed: apt-get install pgbouncer")
    port = free_port()
    settings = SETTINGS.format(server=postgres_server.port, port=port)
    user = nobody()
    rights = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    asking = [str(binary("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(port)]
    with tempfile.TemporaryDirectory(prefix="tiktok-pooler-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - another user reads it
        path = Path(folder, "pgbouncer.ini")
        path.write_text(settings)
        process = subprocess.Popen(
            [program, "-q", str(path)], **rights, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            for _attempt in range(600):
                if process.poll() is not None:
                    pytest.fail("pgbouncer did not start")
                if subprocess.run(asking, check=False).returncode == 0:
                    break
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(20)
