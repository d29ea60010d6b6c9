"""Open the person's browser without printing and without waiting for it.

What belongs here: starting a browser. Python's `webbrowser` may print, and may wait for a browser that runs in the terminal.
So it runs in a separate process without a terminal.
"""

import subprocess
import sys
import threading

from tiktok_core.domain.tokens import Secret

__all__ = ["open_browser"]


def open_browser(url: str | Secret) -> bool:
    """Ask the system to show `url`, and return whether the request could be made. It may still open no window."""
    page = Secret(url)
    del url  # It holds the state, and a crash report shows local variables.
    try:
        process = subprocess.Popen(  # noqa: S603 - it starts our own interpreter, and no shell reads the URL
            [sys.executable, "-I", "-m", "webbrowser", "-t", page.reveal()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    # Reap the process when it ends. A daemon thread, because the browser may outlive this process.
    threading.Thread(target=process.wait, name="tiktok-browser", daemon=True).start()
    return True
