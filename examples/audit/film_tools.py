"""The camera of the film, and the browser before it.

What belongs here: pictures, captions and their times. What is shown, and in which order, is in `film.py`.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Camera", "Missing", "chromium", "needed"]

LOOK = 2.5
"""Seconds for which a point is shown; captions of more words stay longer."""
FLAGS = (
    "--no-first-run",
    "--disable-background-networking",
    "--force-color-profile=srgb",
    "--lang=en",
    "--window-size=1100,900",
)
SCROLL = """
const [element] = arguments, box = element.getBoundingClientRect();
window.scrollBy(0, box.top + box.height / 2 - window.innerHeight / 2);
"""
MARK = "arguments[0].style.outline = arguments[1]; arguments[0].style.outlineOffset = '6px';"
RING = "3px solid #d6336c"


class Missing(Exception):
    """Something that the film needs is not there. The text says what, and what to do."""


def needed(*programs: str) -> None:
    """Refuse to begin without a program.

    Raises:
        Missing: one is not installed.
    """
    if missing := [name for name in programs if shutil.which(name) is None]:
        raise Missing(f"The film needs {' and '.join(missing)}: install them first.")


@contextmanager
def chromium(folder: Path, *, is_visible: bool) -> Iterator[Any]:
    """Run Chromium with a profile of its own."""
    from selenium import webdriver  # noqa: PLC0415 - `needed` tells first what is missing

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    flags = [*FLAGS, f"--user-data-dir={folder / 'chromium'}", *(() if is_visible else ("--headless=new",))]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Chromium's own sandbox refuses to run as root.
        flags.append("--no-sandbox")
    for flag in flags:
        options.add_argument(flag)
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"), log_output=subprocess.DEVNULL)
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


class Camera:
    """Takes pictures of the page, each with the seconds for which the film shows it.

    Attributes:
        points: the captions in their order, each with its second in the film.
        seconds: how long the film is.
    """

    def __init__(self, folder: Path, browser: Any) -> None:
        self.points: list[tuple[float, str]] = []
        self.seconds = 0.0
        self._folder = folder
        self._browser = browser
        self._frames: list[tuple[Path, float]] = []

    @classmethod
    @contextmanager
    def to(cls, folder: Path, browser: Any) -> "Iterator[Camera]":
        """Give a camera; at the end of the block, make the film."""
        frames = folder / "frames"
        frames.mkdir(parents=True, exist_ok=True)
        camera = cls(folder, browser)
        yield camera
        camera._develop()
        shutil.rmtree(frames)

    def frame(self, seconds: float) -> Path:
        """Take a picture that the film shows for some seconds."""
        path = self._folder / "frames" / f"{len(self._frames):05}.png"
        self._browser.save_screenshot(str(path))
        self._frames.append((path, seconds))
        self.seconds += seconds
        return path

    def shows(self, name: str, caption: str, selector: str) -> None:
        """Scroll to a part of the page, mark it, and show it under a caption. Its picture is kept under the name."""
        self.points.append((self.seconds, caption))
        part = self._browser.find_element("css selector", selector)
        self._browser.execute_script(SCROLL, part)
        self.frame(0.4)
        self._browser.execute_script(MARK, part, RING)
        picture = self.frame(LOOK + 0.15 * len(caption.split()))
        crop = ["-vf", "crop=760:ih", "-quality", "60", str(self._folder / f"{name}.webp")]
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", str(picture), *crop], check=True)
        self._browser.execute_script(MARK, part, "")

    def _develop(self) -> None:
        """Make the film of the pictures, with the captions as a track that players can show."""
        frames = self._folder / "frames"
        lines = [f"file '{path.name}'\nduration {seconds}\n" for path, seconds in self._frames]
        # The last picture stands twice: without that, its duration is left out.
        lines.append(f"file '{self._frames[-1][0].name}'\n")
        (frames / "frames.txt").write_text("".join(lines))
        captions = self._folder / "audit.vtt"
        ends = [*(begun for begun, _ in self.points[1:]), self.seconds]
        cues = [
            f"{_stamp(begun)} --> {_stamp(end)}\n{said}\n" for (begun, said), end in zip(self.points, ends, strict=True)
        ]
        captions.write_text("WEBVTT\n\n" + "\n".join(cues))
        command = ["ffmpeg", "-v", "error", "-y", "-f", "concat", "-i", str(frames / "frames.txt"), "-i", str(captions)]
        video = ["-c:v", "libvpx-vp9", "-crf", "32", "-b:v", "0", "-r", "10", "-pix_fmt", "yuv420p", "-c:s", "webvtt"]
        subprocess.run(
            [*command, *video, "-deadline", "realtime", "-cpu-used", "8", str(self._folder / "audit.webm")], check=True
        )


def _stamp(seconds: float) -> str:
    return f"{int(seconds // 3600):02}:{int(seconds // 60) % 60:02}:{seconds % 60:06.3f}"
