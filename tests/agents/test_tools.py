"""The tools as an agent meets them: what they read, what they enter, what waits for a person, and what is refused.

What belongs here: each tool over the SDK's own client, in memory. `test_anything.py` has random sequences of calls.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tiktok_core import Stage, VideoPost

SELF = {"privacy_level": "SELF_ONLY"}
URL = "https://media.example.com/clip.mp4"
Run = Callable[[Any], None]


async def told(agent: Any, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool, and return its answer, which was no error."""
    answer = await agent.call_tool(tool, arguments)
    assert not answer.is_error, answer
    assert json.loads(answer.content[0].text) == answer.structured_content
    return dict(answer.structured_content)


async def refused(agent: Any, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool, and return the trouble that it tells."""
    answer = await agent.call_tool(tool, arguments)
    assert answer.is_error, answer
    return dict(answer.structured_content["error"])


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_what_an_agent_enters_waits_for_a_person(in_world: Run, mode: str) -> None:
    """Neither the same call again nor `resume` nor a worker posts it; a release does, once."""

    async def story(world: Any) -> None:
        async with world.agent(mode=mode) as agent:
            first = await told(agent, "post_video", video="clip.mp4", title="Hello", **SELF)
            key = first["post"]["key"]
            assert (first["post"]["needs_release"], first["is_same_post"]) == (True, False)
            assert f"tiktok release {key}" in first["next"]
            again = await told(agent, "post_video", video="clip.mp4", title="Hello", **SELF)
            assert (again["post"]["key"], again["is_same_post"]) == (key, True)
            assert (await refused(agent, "resume", key=key))["type"] == "ReleaseRequired"
            await world.work()
            assert world.sim.posts == ()
            await world.account.release(key)
            done = await told(agent, "resume", key=key)
            assert (await told(agent, "status", key=key))["post"]["stage"] == "complete", done
            same = await told(agent, "post_video", video="clip.mp4", title="Hello", **SELF)
            assert same["is_same_post"]
            assert len(world.sim.posts) == 1

    in_world(story)


def test_a_draft_needs_no_release(in_world: Run) -> None:
    """It goes to the inbox at once, where a person decides."""

    async def story(world: Any) -> None:
        async with world.agent() as agent:
            answer = await told(agent, "post_video", video=str(world.folder / "clip.mp4"), draft=True)
            assert answer["post"]["draft"]
            assert (await told(agent, "status", key=answer["post"]["key"]))["post"]["stage"] == "in inbox"
            assert len(world.sim.posts) == 1

    in_world(story)


def test_a_privacy_level_that_is_not_known_is_always_held() -> None:
    """Also where the account was named; a draft has no level."""
    pytest.importorskip("mcp", reason="mcp is not installed")
    from tiktok_adapters.agents import Permits  # noqa: PLC0415 - it needs the package

    permits = Permits(accounts=frozenset({"mine"}))
    for level, draft, held in (("SELF_ONLY", False, False), ("NEW_LEVEL", False, True), (None, True, False)):
        assert permits.is_held("mine", VideoPost(privacy_level=level, draft=draft)) is held
    assert permits.is_held("theirs", VideoPost(privacy_level="SELF_ONLY"))
    assert not permits.is_held("theirs", VideoPost(draft=True))


def test_an_account_that_was_named_posts_at_once(in_world: Run) -> None:
    """A file, a URL that TikTok pulls, and photos; a level that TikTok does not offer is refused before."""

    async def story(world: Any) -> None:
        async with world.agent(allowed=True) as agent:
            for tool, media in (
                ("post_video", {"video": "clip.mp4"}),
                ("post_video", {"video": URL}),
                ("post_photos", {"photo_images": ["https://media.example.com/1.jpg"]}),
            ):
                answer = await told(agent, tool, **media, **SELF)
                assert answer["post"]["stage"] not in {"planned", "unknown"}, answer
            assert len(world.sim.posts) == 3
            unknown = await refused(agent, "post_video", video="other.mp4", privacy_level="NEW_LEVEL")
            assert unknown["problems"][0]["field"] == "privacy_level"
            assert len(world.sim.posts) == 3

    in_world(story)


@pytest.mark.parametrize(
    ("video", "said"),
    [
        ("../secret.mp4", "--folder"),
        ("/etc/hostname", "--folder"),
        ("link.mp4", "--folder"),
        ("nothing.mp4", "there is none of this name"),
        ("", "not the path of a file"),
        ("https://evil.example/clip.mp4", "--host evil.example"),
        ("https://media.example.com@evil.example/clip.mp4", "not a plain https URL"),
        ("https://media.example.com\\@evil.example/clip.mp4", "not a plain https URL"),
        ("http://media.example.com/clip.mp4", "not a plain https URL"),
        ("s3://bucket/clip.mp4", ""),
        ("file:///etc/hostname", ""),
    ],
)
def test_what_was_not_named_is_refused(in_world: Run, tmp_path: Path, video: str, said: str) -> None:
    """A path, a link out of the folder, or a host: nothing is entered, and the sentence names the option."""
    (tmp_path / "secret.mp4").write_bytes(b"secret")

    async def story(world: Any) -> None:
        (world.folder / "link.mp4").symlink_to(tmp_path / "secret.mp4")
        async with world.agent(allowed=True) as agent:
            for tool in ("post_video", "check_video"):
                trouble = await refused(agent, tool, video=video, **SELF)
                assert trouble["type"] == "InvalidInput"
                assert said in trouble["problems"][0]["message"]["untrusted_text"]
        assert list(world.journal.records()) == []

    in_world(story)


def test_what_reads_changes_nothing(in_world: Run) -> None:
    """Accounts, creator, plan, check, posts, videos and explanations; texts from elsewhere are marked as data."""

    async def story(world: Any) -> None:
        async with world.agent() as agent:
            (account,) = (await told(agent, "accounts"))["accounts"]
            assert account["open_id"] == world.account.open_id
            creator = await told(agent, "creator_info")
            assert set(creator["nickname"]) == {"untrusted_text"}
            assert (await told(agent, "plan", video="clip.mp4"))["total_chunk_count"] == 1
            assert (await told(agent, "check_video", video="clip.mp4", **SELF))["can_post"]
            wrong = await told(
                agent, "check_video", video="clip.mp4", privacy_level="FOLLOWER_OF_CREATOR", title="x" * 3000
            )
            assert not wrong["can_post"]
            assert "title" in {one["field"] for one in wrong["problems"]}
            assert (await told(agent, "posts"))["posts"] == []
            assert (await told(agent, "videos"))["videos"] == []
            assert (await told(agent, "explain", code="spam_risk"))["explanation"]
            assert (await refused(agent, "explain", code="no_such_code"))["type"] == "InvalidInput"
            assert await told(agent, "doctor") == {"error": None, "can_post": True, "findings": []}
        assert world.sim.posts == ()

    in_world(story)


def test_only_what_waits_for_a_person_is_given_up(in_world: Run) -> None:
    """An agent takes back what it entered; what a person asked for stays theirs."""

    async def story(world: Any) -> None:
        mine = await world.account.enter_video(world.folder / "other.mp4", key="mine", **SELF)
        async with world.agent() as agent:
            entered = await told(agent, "post_video", video="clip.mp4", **SELF)
            taken = await told(agent, "give_up", key=entered["post"]["key"])
            assert taken["post"]["stage"] == "given up"
            assert (
                "tiktok abandon mine"
                in (await refused(agent, "give_up", key=mine.key))["problems"][0]["message"]["untrusted_text"]
            )
        assert (await world.account.post("mine")).stage is Stage.PLANNED
        assert world.sim.posts == ()

    in_world(story)


def test_what_a_person_began_and_left_stays_with_that_person(in_world: Run) -> None:
    """An agent sees such a post, and does not go on with it."""

    async def story(world: Any) -> None:
        await world.account.enter_video(world.folder / "clip.mp4", key="mine", for_workers=False, **SELF)
        async with world.agent() as agent:
            assert [one["key"] for one in (await told(agent, "posts"))["posts"]] == ["mine"]
            trouble = await refused(agent, "resume", key="mine")
            assert "tiktok resume mine" in trouble["problems"][0]["message"]["untrusted_text"]
        assert world.sim.posts == ()

    in_world(story)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(
    ("action", "release", "posted"),
    [("accept", True, 1), ("accept", False, 0), ("decline", None, 0), ("cancel", None, 0)],
)
def test_a_person_is_asked_by_the_agents_program(
    in_world: Run, mode: str, action: str, release: "bool | None", posted: int
) -> None:
    """Only a person who says yes releases the post."""
    from mcp_types import ElicitResult  # noqa: PLC0415 - some installations lack it

    asked: list[str] = []

    async def answer(_context: Any, params: Any) -> Any:
        asked.append(params.message)
        return ElicitResult(action=action, content=None if release is None else {"release": release})

    async def story(world: Any) -> None:
        async with world.agent(mode=mode, asked=answer) as agent:
            entered = await told(agent, "post_video", video="clip.mp4", title="Hello", **SELF)
            await agent.call_tool("release_by_asking", {"key": entered["post"]["key"]})
            assert asked
            assert "clip.mp4" in asked[0]
            assert len(world.sim.posts) == posted

    in_world(story)


def test_a_program_that_cannot_ask_releases_nothing(in_world: Run) -> None:
    """The tool is refused before it runs, and the post waits on."""

    async def story(world: Any) -> None:
        from mcp import MCPError  # noqa: PLC0415 - some installations lack it

        async with world.agent() as agent:
            entered = await told(agent, "post_video", video="clip.mp4", **SELF)
            with pytest.raises(MCPError):
                await agent.call_tool("release_by_asking", {"key": entered["post"]["key"]})
        assert world.sim.posts == ()

    in_world(story)


def test_errors_are_told_with_their_code_and_without_a_secret(in_world: Run) -> None:
    """A refusal of TikTok, a lost answer, and a sign-in that has ended."""

    async def story(world: Any) -> None:
        async with world.agent(allowed=True) as agent:
            world.sim.faults.add("video_init=code:spam_risk_too_many_posts")
            trouble = await refused(agent, "post_video", video="clip.mp4", **SELF)
            assert (trouble["code"], bool(trouble["explanation"])) == ("spam_risk_too_many_posts", True)
            world.sim.faults.add("photo_init=drop-after")
            trouble = await refused(
                agent, "post_photos", photo_images=["https://media.example.com/1.jpg?sig=canary"], **SELF
            )
            assert trouble["type"] == "OutcomeUnknown"
            assert "canary" not in json.dumps(trouble)
            await world.account.revoke()
            trouble = await refused(agent, "creator_info")
            assert trouble["type"] == "SignInRequired"

    in_world(story)
