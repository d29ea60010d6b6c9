"""Builds the source distribution and the wheel, compares their files with the repository, and runs tests from them.

What belongs here: what a packager and a user get. The tests come from the source distribution, and the package from the wheel.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
MADE = ("PKG-INFO",)
"""The files that only the build makes."""
TESTS = ("tests/core", "tests/docs", "tests/packaging", "tests/sign_in", "tests/testing")
SAYS_WHERE = "import tiktok_adapters, tiktok_core; print(tiktok_adapters.__file__, tiktok_core.__file__)"


def main() -> None:
    """Build, compare and test; the process ends with a status other than 0 if a file differs or a step fails."""
    with tempfile.TemporaryDirectory() as name:
        built, source, package = (Path(name, part) for part in ("built", "source", "package"))
        run(sys.executable, "-m", "hatchling", "build", "-d", str(built))
        (sdist,), (wheel,) = built.glob("*.tar.gz"), built.glob("*.whl")
        with tarfile.open(sdist) as archive:
            archive.extractall(source, filter="data")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(package)
        (unpacked,) = source.iterdir()
        tracked = set(subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split("\n")) - {""}
        compare("The source distribution", files(unpacked) - set(MADE), tracked)
        of_packages = {path.removeprefix("src/") for path in tracked if path.startswith("src/")}
        compare("The wheel", {path for path in files(package) if ".dist-info/" not in path}, of_packages)
        environ = {**os.environ, "PYTHONPATH": str(package)}
        where = subprocess.check_output([sys.executable, "-c", SAYS_WHERE], cwd=unpacked, env=environ, text=True)
        if any(not Path(path).is_relative_to(package) for path in where.split()):
            sys.exit(f"The tests would import from {where} and not from the wheel.")
        run(sys.executable, "-m", "pytest", "-q", *TESTS, cwd=unpacked, environ=environ)


def run(*words: str, cwd: Path = ROOT, environ: dict[str, str] | None = None) -> None:
    """Run a program; if it fails, end this process with its status."""
    if status := subprocess.run(words, cwd=cwd, env=environ, check=False).returncode:
        sys.exit(status)


def files(folder: Path) -> set[str]:
    """Return the files in a folder, as paths relative to it."""
    return {str(PurePosixPath(path.relative_to(folder))) for path in folder.rglob("*") if path.is_file()}


def compare(what: str, there: set[str], wanted: set[str]) -> None:
    """End the process if files are missing or unexpected."""
    for difference, word in ((wanted - there, "lacks"), (there - wanted, "has, and the repository has not,")):
        if difference:
            sys.exit(f"{what} {word} {', '.join(sorted(difference))}")


if __name__ == "__main__":
    main()
