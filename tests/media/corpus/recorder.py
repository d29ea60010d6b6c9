"""Recording as web pages do: Chromium's MediaRecorder takes up a moving canvas, and the page posts what it recorded.

What belongs here: the page, the server on loopback that it posts to, and starting and ending the browser. libfaketime lets
the browser's clock run faster than ours, so that a film of eleven minutes is recorded in one.
"""

import json
import os
import signal
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

__all__ = ["recorded", "recorded_faster"]

PAGE: Final = """<!doctype html><canvas id=canvas></canvas><script>
const wish = WISH;
const post = (path, body) => fetch(path, {method: "POST", body});
(async () => {
  if (!MediaRecorder.isTypeSupported(wish.type)) throw `this build of Chromium does not record ${wish.type}`;
  [canvas.width, canvas.height] = wish.size;
  const context = canvas.getContext("2d");
  let drawn = 0;
  const draw = () => {
    context.fillStyle = `hsl(${drawn * 7 % 360}, 80%, 50%)`;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = "#fff";
    context.fillRect(drawn++ * 5 % canvas.width, 50, 40, 40);
  };
  draw();
  const stream = wish.rate ? canvas.captureStream() : new MediaStream();
  if (wish.rate) setInterval(draw, 1000 / wish.rate);
  if (wish.sound) {
    const audio = new AudioContext(), tone = audio.createOscillator(), end = audio.createMediaStreamDestination();
    tone.connect(end);
    tone.start();
    stream.addTrack(end.stream.getAudioTracks()[0]);
  }
  const recorder = new MediaRecorder(stream, {mimeType: wish.type, videoBitsPerSecond: 100000});
  const parts = [];
  recorder.ondataavailable = event => parts.push(event.data);
  recorder.onstop = () => post("/film", new Blob(parts));
  if (wish.slice) recorder.start(wish.slice); else recorder.start();
  setTimeout(() => recorder.stop(), wish.seconds * 1000);
})().catch(error => post("/trouble", String(error)));
</script>"""
FLAGS: Final = (
    "--headless=new",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-background-timer-throttling",
    "--autoplay-policy=no-user-gesture-required",
)


class _Handler(BaseHTTPRequestHandler):
    page = b""
    found: dict[str, bytes]
    is_done: threading.Event

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Serve the page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.page)

    def do_POST(self) -> None:
        """Take what the page has recorded, or why it could not."""
        self.found[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
        self.is_done.set()


def recorded(
    folder: Path,
    out: Path,
    *,
    kind: str,
    seconds: float,
    rate: float,
    size: tuple[int, int] = (640, 360),
    slice_ms: int = 0,
    sound: bool = False,
    speed: int = 1,
) -> None:
    """Record a canvas that is drawn so many times a second.

    Args:
        folder: the folder of the corpus.
        out: the path of the new file.
        kind: the MIME type of the recording, with its codec.
        seconds: how long to record, by the browser's clock.
        rate: how often the canvas is drawn in a second; 0 for no picture at all.
        size: width and height of the canvas.
        slice_ms: the milliseconds after which the page wants each part; 0 for all at the end.
        sound: whether there is a tone.
        speed: how many times faster than ours the browser's clock runs.
    """
    wish = {"type": kind, "seconds": seconds, "rate": rate, "size": size, "slice": slice_ms, "sound": sound}
    page = PAGE.replace("WISH", json.dumps(wish)).encode()
    found, is_done = dict[str, bytes](), threading.Event()
    handler = type("Handler", (_Handler,), {"page": page, "found": found, "is_done": is_done})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    faster = ("faketime", "-f", f"+0 x{speed}") if speed > 1 else ()
    alone = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        address = f"http://127.0.0.1:{server.server_port}/"
        command = [*faster, "chromium", *FLAGS, *alone, f"--user-data-dir={profile}", address]
        # A group of its own: the programs that start the browser end without it, and its renderers outlive them.
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        ) as browser:
            try:
                is_done.wait(seconds / speed * 1.5 + 60)
            finally:
                os.killpg(browser.pid, signal.SIGKILL)
                server.shutdown()
                server.server_close()
    if "/film" not in found:
        raise RuntimeError(found.get("/trouble", b"Chromium recorded nothing in time").decode())
    out.write_bytes(found["/film"])


def recorded_faster(folder: Path, out: Path, **options: Any) -> None:
    """Record with a clock that runs `speed` times faster than ours."""
    recorded(folder, out, **options)


recorded.programs = ("chromium",)  # type: ignore[attr-defined]
recorded_faster.programs = ("chromium", "faketime")  # type: ignore[attr-defined]
