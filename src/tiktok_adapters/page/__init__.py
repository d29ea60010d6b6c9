"""The export page as HTML, for apps in which people post to their own accounts. `ExportForm` has its rules.

What belongs here: the page's words (`texts`), its order (`export`), its controls (`controls`), what it shows and says is wrong
(`state`), the pages around it (`other_pages`), what comes back (`submission`), and the spelling of HTML (`markup`). All of it is
pure: a form becomes text, and fields become a form. The app serves the text, the style sheet and the script.
"""

from importlib import resources
from typing import Final

from tiktok_adapters.page.export import Shown, export_page
from tiktok_adapters.page.other_pages import cannot_post_page, progress_page, whole_page
from tiktok_adapters.page.submission import PhotoSettings, Submission, read_submission
from tiktok_adapters.page.texts import ENGLISH, Texts

__all__ = [
    "ENGLISH",
    "POLICY",
    "SCRIPT",
    "STYLE",
    "PhotoSettings",
    "Shown",
    "Submission",
    "Texts",
    "cannot_post_page",
    "export_page",
    "progress_page",
    "read_submission",
    "whole_page",
]

_FILES: Final = resources.files("tiktok_adapters.page")
STYLE: Final = _FILES.joinpath("page.css").read_text("utf-8")
"""The style sheet. Serve it as `text/css` from your own host."""
SCRIPT: Final = _FILES.joinpath("page.js").read_text("utf-8")
"""The script, which spares people the round trips. Serve it as `text/javascript` from your own host."""
POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; media-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""A value of the header `Content-Security-Policy` under which the page works, if the app serves all of its parts."""
