"""A pytest plugin that replaces the source of one module with a mutant.

What belongs here: the import of a mutant. The plugin writes no file of the library, so several mutants can run at once, and an
interrupted run leaves nothing behind.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

__all__: list[str] = []


class _Planted(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, source: bytes) -> None:
        super().__init__(name, path)
        self._source = source

    def get_data(self, path: str) -> bytes:
        return self._source

    def path_stats(self, path: str) -> dict[str, float]:
        raise OSError("mutants are compiled for each run and never cached")


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, name: str, path: str, source: bytes) -> None:
        self._name, self._path, self._source = name, path, source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        loader = _Planted(fullname, self._path, self._source)
        return importlib.util.spec_from_file_location(fullname, self._path, loader=loader)


def _plant() -> None:
    name, path = os.environ["MUTANT_MODULE"], os.environ["MUTANT_PATH"]
    if name in sys.modules:
        raise SystemExit(f"{name} was imported before its mutant was planted")
    sys.meta_path.insert(0, _Finder(name, path, Path(os.environ["MUTANT_SOURCE"]).read_bytes()))


_plant()
