"""Drives curl."""

import subprocess
from collections.abc import Mapping

from documented import acts_of
from driver import serve


def send(method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    said = [word for pair in headers.items() for word in ("-H", ": ".join(pair))]
    command = ["curl", "-sS", "-X", method, "-w", "%{http_code}", *said, "--data-binary", "@-", url]
    answer = subprocess.run(command, input=body, stdout=subprocess.PIPE, check=True).stdout
    return int(answer[-3:]), answer[:-3]


serve(acts_of(send))
