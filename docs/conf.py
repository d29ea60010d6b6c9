"""How the documents are built: Sphinx with furo and MyST; the reference comes from the docstrings."""

from tiktok_core import __version__

project = "tiktok-open"
author = "The authors of tiktok-open"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
html_theme = "furo"
html_title = f"tiktok-open {__version__}"
templates_path: list[str] = []
exclude_patterns: list[str] = ["_build"]
myst_heading_anchors = 3
# Blocks of commands show a prompt and no output of a language that a highlighter would know.
highlight_language = "none"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True
