"""How the documents are built: Sphinx with furo and MyST; the reference comes from the docstrings."""

import ast
import importlib
import inspect
import re
from itertools import pairwise
from typing import Any

from tiktok_core import __version__

OURS = re.compile(r"tiktok_(?:core|adapters)\.[\w.]+")

project = "tiktok-open"
author = "The authors of tiktok-open"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
html_theme = "furo"
html_show_copyright = False
html_title = f"tiktok-open {__version__}"
templates_path: list[str] = []
exclude_patterns: list[str] = ["_build"]
myst_heading_anchors = 3
# Blocks of commands show a prompt and no output of a language that a highlighter would know.
highlight_language = "none"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True


def words_of_a_constant(module: str, name: str) -> str:
    """Return the text below a constant, in the module that defines it; empty where there is none."""
    public = getattr(importlib.import_module(module), "_MODULES", {})
    if name in public:
        return words_of_a_constant(f"{module}.{public[name]}", name)
    body = ast.parse(inspect.getsource(importlib.import_module(module))).body
    for statement, below in pairwise([*body, ast.Pass()]):
        if isinstance(statement, ast.ImportFrom) and any(name == alias.name for alias in statement.names):
            return words_of_a_constant(statement.module or "", name)
        targets = getattr(statement, "targets", [getattr(statement, "target", None)])
        if any(getattr(target, "id", "") == name for target in targets) and isinstance(below, ast.Expr):
            return ast.literal_eval(below.value)
    return ""


def show_words_of_a_constant(_app: Any, what: str, name: str, _value: Any, _options: Any, lines: list[str]) -> None:
    """Put the text of a constant in its entry: Sphinx finds it only under the name of the module that defines it."""
    if what == "data":
        lines[:] = words_of_a_constant(*name.rsplit(".", 1)).splitlines()


def move_source_to_the_end(*event: Any) -> None:
    """Move the line that names TikTok's page behind the parameters and errors, which it would cut into two lists."""
    lines: list[str] = event[-1]
    for number, line in enumerate(lines):
        if line.lstrip().startswith("Source:"):
            end = next((after for after in range(number, len(lines)) if not lines[after].strip()), len(lines))
            moved = lines[number:end]
            lines[number : end + 1] = []
            lines += ["", *(one.strip() for one in moved), ""]
            return


def shorten_types(_app: Any, doctree: Any) -> None:
    """Show a type by its name: the module that defines it is none of the reader's business."""
    # Tests read this file where Sphinx is not installed.
    from docutils.nodes import Text  # noqa: PLC0415
    from sphinx.addnodes import pending_xref  # noqa: PLC0415

    for node in doctree.findall(pending_xref):
        for text in node.findall(Text):
            if OURS.fullmatch(text):
                text.parent.replace(text, Text(text.rpartition(".")[2]))


def setup(app: Any) -> None:
    """Tell Sphinx of these."""
    app.connect("autodoc-process-docstring", show_words_of_a_constant)
    # Before napoleon, which makes fields of the sections.
    app.connect("autodoc-process-docstring", move_source_to_the_end, priority=100)
    app.connect("doctree-read", shorten_types)
