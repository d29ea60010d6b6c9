"""`tiktok mcp` as a process, over standard input and output, against a served sandbox."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from clips import CLIP_BYTES
from signed_in import signed_in
from tiktok_adapters import connect
from tiktok_adapters.simulator import SimulatedTikTok

pytestmark = pytest.mark.full


def test_an_agent_over_stdio_enters_what_a_person_releases(tmp_path: Path) -> None:
    """The process says nothing but the protocol; the check-up works in it; a release lets the post go on."""
    pytest.importorskip("mcp", reason="mcp is not installed")
    from mcp import Client, StdioServerParameters  # noqa: PLC0415 - some installations lack it
    from mcp.client.stdio import stdio_client  # noqa: PLC0415 - some installations lack it

    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "clip.mp4").write_bytes(CLIP_BYTES)

    async def story(environ: dict[str, str]) -> None:
        program = ["-W", "error", "-c", "from tiktok_adapters.cli import main; main()", "mcp", "--folder", str(folder)]
        server = StdioServerParameters(command=sys.executable, args=program, env=environ)
        async with Client(stdio_client(server)) as agent:
            entered = await call(agent, "post_video", video="clip.mp4", privacy_level="SELF_ONLY")
            key = entered["post"]["key"]
            assert entered["post"]["needs_release"]
            assert (await call(agent, "doctor"))["findings"]
            await asyncio.to_thread(release, environ, key)
            await call(agent, "resume", key=key)

    async def call(agent: Any, tool: str, **arguments: Any) -> Any:
        answer = await agent.call_tool(tool, arguments)
        assert not answer.is_error, answer
        return answer.structured_content

    def release(environ: dict[str, str], key: str) -> None:
        with connect(environ=environ) as tiktok:
            tiktok.account().release(key)

    sim = SimulatedTikTok()
    with signed_in(sim, tmp_path / "home") as environ:
        asyncio.run(story(environ))
        (post,) = sim.posts
        assert post.bytes_received == len(CLIP_BYTES)
