"""The reference for uploads: curl sends the same bytes as one PUT. `curl.py URL PEM SMALL LARGE` prints what it cost.

What belongs here: the one variant that is a program of its own. This process stays small, see `meter`.
"""

import json
import resource
import subprocess
import sys

from meter import peak, processor

__all__: list[str] = []


def put(url: str, certificate: str, path: str) -> dict[str, float]:
    """Send one file."""
    began = processor(resource.RUSAGE_CHILDREN)
    # -q: no settings of the user's. "Expect:": otherwise it would wait a second for a word that the sink never says.
    command = ["curl", "-q", "-sS", "--noproxy", "*", "-H", "Expect:", "-o", "/dev/null"]
    command += ["-w", "%{http_code} %{time_total}", *(["--cacert", certificate] if certificate else [])]
    done = subprocess.run([*command, "-T", path, f"{url}/video/film"], capture_output=True, text=True, check=True)
    status, seconds = done.stdout.split()
    if status != "201":
        raise RuntimeError(f"the sink answered {status}")
    return {
        "seconds": float(seconds),
        "processor": processor(resource.RUSAGE_CHILDREN) - began,
        "memory": peak(resource.RUSAGE_CHILDREN),
    }


def main(url: str, certificate: str, small: str, large: str) -> None:
    """Send the small file, whose cost is that of starting, and the large one; print the difference."""
    idle, whole = put(url, certificate, small), put(url, certificate, large)
    cost = {name: whole[name] - idle[name] for name in ("processor", "memory")}
    print(json.dumps({"seconds": whole["seconds"], **cost}))


if __name__ == "__main__":
    main(*sys.argv[1:])
