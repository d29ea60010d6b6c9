"""What importing the core must not import."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
FORBIDDEN = (
    "asyncio",
    "socket",
    "ssl",
    "subprocess",
    "sqlite3",
    "http.client",
    "urllib3",
    "aiohttp",
    "cattrs",
)


def test_importing_the_core_loads_nothing_of_the_world() -> None:
    """`import tiktok_core` imports no event loop, socket, database or HTTP library, and cattrs only at first use."""
    code = f"import sys, tiktok_core; print(*[name for name in {FORBIDDEN!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_every_module_of_the_core_can_be_imported_first() -> None:
    """No module of the core needs another one to be imported before it."""
    code = (
        "import importlib, pkgutil, tiktok_core\n"
        "print(*sorted(m.name for m in pkgutil.walk_packages(tiktok_core.__path__, 'tiktok_core.')))"
    )
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "tiktok_core.domain.chunks" in modules
    imports = ";".join(f"import {name}" for name in reversed(modules))
    subprocess.run([sys.executable, "-c", imports], check=True)


def test_the_simulator_is_kept_from_every_module_of_the_core() -> None:
    """The layers' rule names each module of the core except the one that spells requests. No new module is left out."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (rule,) = (one for one in contracts if one["name"] == "The simulator shares no rule with the client")
    core = ROOT / "src" / "tiktok_core"
    modules = {f"tiktok_core.{path.stem}" for path in core.iterdir() if path.suffix == ".py" or path.is_dir()}
    wire = {f"tiktok_core.wire.{path.stem}" for path in (core / "wire").glob("*.py")}
    named = set(rule["forbidden_modules"])
    free = {
        f"tiktok_core.{name}"
        for name in ("__init__", "__pycache__", "py", "version", "wire", "wire.__init__", "wire.http")
    }
    assert (modules | wire) - free == named
