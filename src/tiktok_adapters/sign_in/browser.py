"""Opening the person's browser, without a word and without waiting for it.

What belongs here: starting a browser. Python's own `webbrowser` may print, and may wait for a browser that runs in the
terminal; so it runs in a process of its own that has no terminal.
"""

import subprocess
import sys
import threading

from tiktok_core.domain.tokens import Secret

__all__ = ["open_browser"]


def open_browser(url: str | Secret) -> bool:
    """Ask the system to show `url`; return whether it could be asked. Whether a window opened is not known."""
    page = Secret(url)
    del url  # It holds the state, and a crash report would show it.
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter; the URL is one argument and meets no shell
            [sys.executable, "-I", "-m", "webbrowser", "-t", page.reveal()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    # Somebody has to take note of its end. A daemon, because the browser may outlive us.
    threading.Thread(target=process.wait, name="tiktok-browser", daemon=True).start()
    return True
