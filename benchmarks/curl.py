"""The reference for uploads: curl sends the same bytes as one PUT. `curl.py URL PEM SMALL LARGE` prints the cost.

What belongs here: the only variant that is a separate program. This process stays small; `meter` says why.
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
    # -q ignores the user's settings. "Expect:" removes a header with which curl would wait a second for an answer.
    command = ["curl", "-q", "-sS", "--noproxy", "*", "-H", "Expect:", "-o", "/dev/null"]
    command += ["-w", "%{http_code} %{time_total}", *(["--cacert", certificate] if certificate else [])]
    done = subprocess.run([*command, "-T", path, f"{url}/video/film"], capture_output=True, text=True, check=True)
    status, seconds = done.stdout.split()
    if status != "201":
        raise RuntimeError(f"the sink refused the bytes with status {status}")
    return {
        "seconds": float(seconds),
        "processor": processor(resource.RUSAGE_CHILDREN) - began,
        "memory": peak(resource.RUSAGE_CHILDREN),
    }


def main(url: str, certificate: str, small: str, large: str) -> None:
    """Send the small file, whose cost is that of the start, and the large one; print the difference."""
    idle, whole = put(url, certificate, small), put(url, certificate, large)
    cost = {name: whole[name] - idle[name] for name in ("processor", "memory")}
    print(json.dumps({"seconds": whole["seconds"], **cost}))


if __name__ == "__main__":
    main(*sys.argv[1:])
