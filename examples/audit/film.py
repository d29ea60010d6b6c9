"""Record the film that TikTok's audit asks for: an app's export page, point by point, from the sign-in to the post.

What belongs here: the points in the order in which TikTok lists them, and how each is shown. `make audit-film` runs this.

    python examples/audit/film.py --app "My App" --out audit            # a rehearsal against a simulated TikTok
    python examples/audit/film.py --app "My App" --out audit --real CLIP.mp4

The first form needs nothing but Chromium and ffmpeg. The second one posts CLIP to your own account, visible to you alone, with the
settings of the command line; you agree on TikTok's page yourself, in the window that opens.

The folder then has `audit.webm`, its captions as `audit.vtt`, which the film carries too, and a picture of each point.

Source: developers.tiktok.com/doc/content-sharing-guidelines, points 1 to 5.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from film_tools import Camera, Missing, chromium, needed

STUDIO = (sys.executable, "-c", "from tiktok_adapters.cli import main; main()", "studio", "--no-browser", "--name")
FILM = "testsrc2=s=720x1280:r=30:d=5"
TOO_LONG = "color=c=navy:s=360x640:r=24:d={seconds}"
LONGEST = {True: 3660, False: 660}
"""Seconds that are too long for each creator of the real TikTok, and for those of the simulated one."""
SIGN_IN_SECONDS = 600


def main() -> None:
    """Record the film."""
    options = argparse.ArgumentParser(description="Record the film that TikTok's audit asks for.")
    options.add_argument("--app", required=True, help="the name of your app, as the portal has it")
    options.add_argument("--out", type=Path, default=Path("audit"), help="the folder for the film and the pictures")
    options.add_argument("--real", type=Path, metavar="CLIP", help="post this file to your own account at TikTok")
    chosen = options.parse_args()
    try:
        needed("chromium", "chromedriver", "ffmpeg")
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="audit-film-")))
            environ = None if chosen.real else stack.enter_context(sandbox(chosen.app, folder))
            address = stack.enter_context(studio(chosen.app, environ))
            browser = stack.enter_context(chromium(folder, is_visible=chosen.real is not None))
            camera = stack.enter_context(Camera.to(chosen.out, browser))
            clip = chosen.real.resolve() if chosen.real else made(folder / "my-film.mp4", FILM)
            long = made(folder / "long-film.mp4", TOO_LONG.format(seconds=LONGEST[chosen.real is not None]))
            Walk(camera, browser, is_real=chosen.real is not None).whole(address, clip, long, environ)
    except Missing as error:
        sys.exit(str(error))
    print(f"{chosen.out / 'audit.webm'}: {camera.seconds:.0f} s, {len(camera.points)} points")


class Walk:
    """Who walks through the points, before the camera."""

    def __init__(self, camera: Camera, browser: Any, *, is_real: bool) -> None:
        self._camera = camera
        self._browser = browser
        self._is_real = is_real

    def whole(self, address: str, clip: Path, too_long: Path, environ: "dict[str, str] | None") -> None:
        """Walk from the sign-in to the post."""
        shows = self._camera.shows
        self._browser.get(address)
        shows("start", "The app: a person connects their own TikTok account", ".page, main")
        self._sign_in()
        shows("accounts", "The account is connected. The person chooses a video of their own", "#film")
        self._choose(too_long, "cannot be posted")
        shows(
            "1d",
            "Point 1: a video longer than this creator may post is refused before anything is sent",
            "#tiktok-problems",
        )
        self._browser.back()
        self._choose(clip, "Who can view this post")
        shows("1b", "Point 1: the page shows the nickname of the account that gets the post", ".tiktok-account")
        shows("5a", "Point 5: the person sees a preview of what will be posted", ".tiktok-preview")
        self._type("title", "A film of my own #fyp")
        shows("2a", "Point 2: the person can edit the title", "[name=title]")
        self._levels()
        self._interactions()
        self._disclosure()
        self._declarations()
        self._post(environ)

    def _sign_in(self) -> None:
        self._press("Sign in to an account")
        self._press("Begin to sign in")
        mine = self._browser.current_window_handle
        self._press("Open TikTok's page and agree there")
        self._until(lambda: len(self._browser.window_handles) > 1)
        (other,) = [one for one in self._browser.window_handles if one != mine]
        self._browser.switch_to.window(other)
        if self._is_real:
            print("Agree on TikTok's page in the window that has opened.")
            self._camera.shows("sign-in", "TikTok's own page says what the app may do", "body")
        else:
            self._sees("A simulated TikTok")
            self._camera.shows("sign-in", "TikTok's own page says what the app may do", "body")
            self._press("Allow")
        self._sees("You can close this window", SIGN_IN_SECONDS)
        self._browser.close()
        self._browser.switch_to.window(mine)
        self._sees("New post")

    def _levels(self) -> None:
        """The privacy levels: a list of this creator's own, and none is chosen."""
        shows, select = self._camera.shows, self._find("privacy_level")
        shows(
            "2b",
            "Point 2: who can view the post is not chosen yet, and the button waits for it",
            "[name=privacy_level]",
        )
        # A screenshot has no picture of a list that is open, so that the film shows all of its lines at once.
        self._run("arguments[0].size = arguments[0].options.length", select)
        shows("2b-open", "Point 2: the list offers what creator_info gave for this creator", "[name=privacy_level]")
        self._run("arguments[0].removeAttribute('size')", select)

    def _interactions(self) -> None:
        shows = self._camera.shows
        shows(
            "2c", "Point 2: comments, duets and stitches are off until the person turns them on", "[name=allow_comment]"
        )
        if not self._find("allow_comment").get_attribute("disabled"):
            self._tick("allow_comment")
        shows("2d", "Point 2: what the creator has switched off in TikTok is greyed out", "[name=allow_duet]")

    def _disclosure(self) -> None:
        """The commercial disclosure, and branded content that cannot be private, in both orders."""
        shows, box = self._camera.shows, ".tiktok-boxes"
        shows("3a", "Point 3: the disclosure of commercial content is off", "[name=is_disclosed]")
        self._tick("is_disclosed")
        shows("3b", "Point 3: turned on, it offers two boxes, and none is ticked", box)
        shows("3e", "Point 3: until one is ticked the button says why it waits", "#tiktok-hint-post")
        self._tick("brand_organic_toggle")
        shows("3c", "Point 3: with Your brand the label is Promotional content", box)
        self._tick("brand_content_toggle")
        shows("3d", "Point 3: with Branded content, alone or beside Your brand, it is Paid partnership", box)
        select = self._find("privacy_level")
        self._run("arguments[0].size = arguments[0].options.length", select)
        shows("3f", "Point 3: branded content cannot be private, so that Only me is greyed out", "[name=privacy_level]")
        self._run("arguments[0].removeAttribute('size')", select)
        shows("4b", "Point 4: with branded content the declaration names both policies", ".tiktok-declaration")
        self._tick("brand_content_toggle")
        self._browser.find_element("css selector", "option[value=SELF_ONLY]").click()
        shows("3f-reverse", "Point 3: in the other order, Branded content is greyed out while Only me is chosen", box)

    def _declarations(self) -> None:
        self._camera.shows(
            "4a", "Point 4: otherwise the declaration names the Music Usage Confirmation", ".tiktok-declaration"
        )
        self._tick("is_disclosed")
        self._camera.shows("5b", "Point 5: nothing is sent before the person presses Post", ".tiktok-buttons")

    def _post(self, environ: "dict[str, str] | None") -> None:
        shows = self._camera.shows
        self._press("Post")
        self._sees("may take a few minutes")
        shows("5c", "Point 5: the page says how far the post is, and that it may take a few minutes", "[data-post]")
        self._sees("Posted", SIGN_IN_SECONDS)
        shows("5d", "Point 5: the page follows the post until TikTok has published it", "[data-post]")
        if environ is not None:
            self._browser.get(environ["TIKTOK_API_URL"])
            shows("end", "The post, as TikTok has it (here a simulated one)", "video")

    # --- What a person does ------------------------------------------------------------------------------------------

    def _run(self, script: str, *arguments: Any) -> Any:
        return self._browser.execute_script(script, *arguments)

    def _find(self, name: str) -> Any:
        return self._browser.find_element("name", name)

    def _tick(self, name: str) -> None:
        self._find(name).click()

    def _type(self, name: str, said: str) -> None:
        field = self._find(name)
        for letter in said:
            field.send_keys(letter)
            self._camera.frame(0.06)

    def _choose(self, film: Path, seen: str) -> None:
        self._until(lambda: self._browser.find_elements("id", "film"))
        self._browser.find_element("id", "film").send_keys(str(film))
        self._sees(seen)

    def _press(self, label: str) -> None:
        path = f'//button[normalize-space()="{label}"] | //a[normalize-space()="{label}"]'
        self._until(lambda: self._browser.find_elements("xpath", path), label)
        self._browser.find_element("xpath", path).click()

    def _sees(self, said: str, seconds: float = 30) -> None:
        self._until(lambda: said in str(self._run("return document.body.innerText")), said, seconds)

    def _until(self, holds: Callable[[], Any], what: str = "the page", seconds: float = 30) -> None:
        until = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > until:
                said = self._run("return document.body.innerText")
                raise Missing(f"The page does not show {what!r}; it shows: {said}")
            time.sleep(0.1)


def made(path: Path, source: str) -> Path:
    """Make a film with ffmpeg."""
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "ultrafast"]
    subprocess.run([*command, "-pix_fmt", "yuv420p", str(path)], check=True)
    return path


@contextmanager
def sandbox(app: str, folder: Path) -> Iterator[dict[str, str]]:
    """Serve a simulated TikTok that knows the app by its name; give the variables that lead to it."""
    from tiktok_adapters.simulator import App, SimulatedTikTok, Switches  # noqa: PLC0415 - a film of the real one needs none
    from tiktok_adapters.simulator.server import SandboxServer  # noqa: PLC0415 - it comes with an extra

    known = App(name=app)
    simulated = SimulatedTikTok(apps=(known,), switches=Switches(processing_seconds=8.0))
    with SandboxServer(simulated).run_in_thread() as server:
        yield {
            "TIKTOK_CLIENT_KEY": known.client_key,
            "TIKTOK_CLIENT_SECRET": known.client_secret,
            "TIKTOK_REDIRECT_URI": "http://127.0.0.1:*/callback/",
            "TIKTOK_API_URL": server.url,
            "TIKTOK_AUTH_URL": f"{server.url}/v2/auth/authorize/",
            "TIKTOK_HOME": str(folder / "home"),
        }


@contextmanager
def studio(app: str, environ: "dict[str, str] | None") -> Iterator[str]:
    """Run the page; give its address."""
    own = {name: value for name, value in os.environ.items() if environ is None or not name.startswith("TIKTOK_")}
    running = subprocess.Popen([*STUDIO, app], stdout=subprocess.PIPE, text=True, env={**own, **(environ or {})})
    try:
        assert running.stdout is not None
        address = running.stdout.readline().strip()
        if not address:
            raise Missing("The studio did not start: what it said stands above.")
        yield address
    finally:
        running.send_signal(signal.SIGINT)
        running.wait()


if __name__ == "__main__":
    main()
