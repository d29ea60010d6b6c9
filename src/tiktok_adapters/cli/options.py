"""The table from the fields of the library's errors to what a person types on the command line.

What belongs here: names only. A test checks that no field of a command's input lacks its row.
"""

import re
from typing import Final

__all__ = ["OPTIONS", "option_of"]

OPTIONS: Final[dict[str, str]] = {
    # --- a post ---
    "video": "video",
    "video_url": "URL",
    "photo_images": "URL",
    "files": "--file",
    "title": "--title",
    "description": "--description",
    "privacy_level": "--privacy",
    "disable_comment": "--disable-comment",
    "disable_duet": "--disable-duet",
    "disable_stitch": "--disable-stitch",
    "video_cover_timestamp_ms": "--cover-ms",
    "photo_cover_index": "--cover-index",
    "auto_add_music": "--no-music",
    "brand_content_toggle": "--brand-content",
    "brand_organic_toggle": "--brand-organic",
    "is_aigc": "--aigc",
    "draft": "--draft",
    "chunk_size": "--chunk-size",
    "upload": "--upload",
    "key": "KEY",
    "not_before": "--at",
    "not_after": "--not-after",
    "publish_id": "PUBLISH_ID",
    # --- an account ---
    "account": "--account",
    "home": "--home",
    "port": "--port",
    "scope": "--scope",
    "code": "CODE",
    "fields": "--field",
    "count": "--limit",
    "cursor": "--cursor",
    "category_selection_list": "CATEGORY",
    "data_format": "--format",
    "request_id": "REQUEST_ID",
    "to": "FILE",
    "tolerance": "--tolerance",
}
"""What a person types for each field: an option, or the word that stands for an argument in the command's help."""


def option_of(field: str) -> str:
    """Return what a person typed for a field of an error, such as `--privacy` or, for `photo_images[1]`, `URL 2`."""
    name, _, index = field.partition("[")
    typed = OPTIONS.get(name, name)
    number = re.fullmatch(r"([0-9]+)\]", index)
    return f"{typed} {int(number[1]) + 1}" if number else typed
