"""The command line: `tiktok`.

What belongs here: the entry point. It imports little, says which packages are missing, and imports a command only to run it.
"""

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit status."""
    try:
        import click  # noqa: F401, PLC0415 - only to check whether it is there
    except ModuleNotFoundError:
        sys.stderr.write("The command line needs click and rich: pip install 'tiktok-open[cli]'\n")
        sys.exit(1)
    from tiktok_adapters.cli.app import tiktok  # noqa: PLC0415

    tiktok.main(arguments)
