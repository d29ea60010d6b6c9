"""Errors on the command line name what a person typed, never the API's field."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from attrs import fields

import tiktok_adapters
import tiktok_core
from clips import PHOTO
from tiktok_adapters.cli.options import OPTIONS, option_of
from tiktok_adapters.cli.post import photo, video
from tiktok_core import PhotoPost, VideoPost

MEDIA = Path(__file__).parents[1] / "media"
ROOTS = [Path(tiktok_core.__file__).parent, Path(tiktok_adapters.__file__).parent]
NOT_TYPED = {"agreed_to", "connections", "is_disclosed", "is_photo", "schema", "since", "video_ids"}
"""Fields of the export page, of calls that no command makes, and of stores that a program opens by itself."""
SETTINGS = {"engine_url", "redirect_uri", "store", "store_key", "store_url", "verified_urls"}
"""Settings; the message of each says where it was set."""
OF_CELERY = {
    "accept_content",
    "broker_transport_options",
    "task_always_eager",
    "task_annotations",
    "worker_prefetch_multiplier",
}
"""Settings of a program's own app of Celery, by Celery's names."""


def _named() -> Iterator[str]:
    """Yield every field that a `Problem` in the library's source names in its own text."""
    for path in (path for root in ROOTS for path in root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "Problem"
                and node.args
            ):
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


def test_no_field_of_an_error_lacks_its_row_in_the_table_of_options() -> None:
    """The table knows every setting of a post, and every field that an error can name."""
    settings = {field.name for post in (VideoPost, PhotoPost) for field in fields(post)}
    assert len(set(_named())) > 20
    assert {*_named(), *settings} - set(OPTIONS) - NOT_TYPED - SETTINGS - OF_CELERY == set()


@pytest.mark.parametrize("command", [video, photo])
def test_each_row_names_an_option_that_the_command_has(command: click.Command) -> None:
    """The option of a field is the one that the command defines for it."""
    options = {one.name: one.opts[0] for one in command.params if isinstance(one, click.Option)}
    known = {
        name: option for name, option in options.items() if name in OPTIONS and name not in {"key", "account", "home"}
    }
    assert known
    assert known == {name: OPTIONS[name] for name in known}


def test_a_photo_is_counted_as_people_count() -> None:
    """The first URL is URL 1."""
    assert option_of("photo_images[0]") == "URL 1"
    assert option_of("privacy_level") == "--privacy"
    assert option_of("not_a_field") == "not_a_field"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("video", "good.mp4", "--cover-ms", "9000"), "--cover-ms: 9,000 ms is beyond the end of the video"),
        (("photo", PHOTO, f"{PHOTO[:-4]}.png"), "URL 2: "),
        (("photo", PHOTO, "--file", "animated.webp"), "--file 1: "),
    ],
)
@pytest.mark.usefixtures("signed_in")
def test_a_warning_names_what_a_person_typed(arguments: tuple[str, ...], said: str, cli: Any) -> None:
    """A doubt is told in the same words as a refusal."""
    typed = [str(MEDIA / word) if (MEDIA / word).is_file() else word for word in arguments]
    told = cli("post", *typed, "--privacy", "SELF_ONLY", "--dry-run")
    assert told.exit_code == 0, told.stderr
    assert any(line.startswith(said) for line in told.stderr.splitlines()), told.stderr
    assert "photo_images" not in told.stderr
    assert "files[" not in told.stderr


def test_a_wrong_url_among_photos_is_named_by_its_place(cli: Any) -> None:
    """No error shows the API's name of the list."""
    result = cli("post", "photo", "https://media.example.com/1.jpg", "http://media.example.com/2.jpg", "--draft")
    assert "URL 2: " in result.stderr
    assert "photo_images" not in result.stderr
