"""The site's own search finds the words that people type.

What belongs here: the index that Sphinx makes of the pages, which the search of the site reads. The reference is left out, because
importing every module takes half a minute and the words are those of guides.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

DOCS: Final = Path(__file__).parents[2] / "docs"
WANTED: Final = {
    "schedule": "cookbook/schedule",
    "cron": "cookbook/schedule",
    "celery": "guides/engines",
    "procrastinate": "guides/engines",
    "rabbitmq": "guides/engines",
    "apscheduler": "cookbook/schedule",
    "s3": "cookbook/object-storage",
    "minio": "cookbook/object-storage",
    "etag": "cookbook/object-storage",
    "presigned": "guides/elsewhere",
    "tiktok_media_hosts": "guides/elsewhere",
    "obstore": "guides/elsewhere",
    "aws_profile": "guides/elsewhere",
    "flask": "cookbook/web-application",
    "fastapi": "cookbook/uploads",
    "django": "cookbook/uploads",
    "uploadfile": "cookbook/uploads",
    "machines": "cookbook/many-machines",
    "postgresql": "guides/postgres",
    "pgbouncer": "guides/postgres",
    "failover": "guides/postgres",
    "tiktok_store_url": "guides/postgres",
    "import": "cookbook/import-tokens",
    "csrf": "guides/export-page",
    "read_submission": "guides/export-page",
    "studio": "guides/studio",
    "mcp": "guides/agents",
    "elicitation": "guides/agents",
    "auditors": "guides/audit",
    "log_id": "cookbook/index",
    "install": "install",
    "extras": "install",
    "portal": "guides/set-up",
    "changelog": "changelog",
    "spoil": "guides/store-format",
    "proxy": "guides/network",
    "certificates": "guides/network",
    "access_token_invalid": "reference/codes",
    "unaudited_client_can_only_post_to_private_accounts": "reference/codes",
    "internal_error": "reference/codes",
    "outcomeunknown": "reference/errors",
}
"""For each word, a page that a person looks for by it."""


def built(folder: Path) -> dict[str, Any]:
    """Return the search index of the site without its reference pages that come from docstrings."""
    for needed in ("sphinx", "myst_parser"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} comes with `make check`")
    # Not in the work tree: `contributing` and `changelog` include files from the folder above.
    shutil.copytree(DOCS, folder / "docs", ignore=shutil.ignore_patterns("_build"))
    for page in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        shutil.copy(DOCS.parent / page, folder / page)
    for page in (folder / "docs" / "reference").rglob("*.md"):
        page.write_text(page.read_text().partition("```{eval-rst}")[0])
    options = ["-Q", "-b", "html", "-D", "extensions=myst_parser,sphinx.ext.autodoc", "-D", "html_theme=basic"]
    command = [sys.executable, "-m", "sphinx", *options, str(folder / "docs"), str(folder / "site")]
    subprocess.run(command, check=True, timeout=100)
    text = (folder / "site" / "searchindex.js").read_text()
    found: dict[str, Any] = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    return found


@pytest.mark.full
def test_the_search_finds_what_people_type(tmp_path: Path) -> None:
    """A word that people type leads to the page that answers."""
    index, stemmer = built(tmp_path), pytest.importorskip("snowballstemmer").stemmer("english")

    def pages(word: str) -> set[str]:
        stem = stemmer.stemWord(word)
        numbers = [index[part].get(stem, []) for part in ("terms", "titleterms")]
        return {index["docnames"][one] for found in numbers for one in (found if isinstance(found, list) else [found])}

    assert {word: pages(word) for word, page in WANTED.items() if page not in pages(word)} == {}
