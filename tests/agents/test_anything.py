"""Random sequences of an agent's calls, with a person, a worker and TikTok's faults between them.

What belongs here: what holds after any of them. `make prove-agents` runs more (`AGENT_SEQUENCES`). Nothing is published that no person released, no key posts twice, and every answer
keeps to the schema of its tool.
"""

import asyncio
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tiktok_core import TikTokError

SEQUENCES = int(os.environ.get("AGENT_SEQUENCES", "20"))
MEDIA = (
    "clip.mp4",
    "other.mp4",
    "https://media.example.com/clip.mp4",
    "../secret.mp4",
    "https://evil.example/clip.mp4",
)
FAULTS = ("init=drop-after", "put=drop-after", "init=code:spam_risk", "init=status:500", "status=code:internal_error")
BEGINNING = (("post_video", "clip.mp4", "", False), ("post_photos", "1.jpg", False))
KEYS = st.integers(0, 2)
STEPS = st.one_of(
    st.tuples(st.just("post_video"), st.sampled_from(MEDIA), st.sampled_from(("", "two")), st.booleans()),
    st.tuples(st.just("post_photos"), st.sampled_from(("1.jpg", "2.jpg")), st.booleans()),
    st.tuples(
        st.sampled_from(("resume", "resume", "status", "release", "release", "work", "advance", "give_up")), KEYS
    ),
    st.tuples(st.sampled_from(("release", "resume")), st.just(0)),
    st.tuples(st.sampled_from(("posts", "accounts"))),
    st.tuples(st.just("fault"), st.sampled_from(FAULTS)),
    st.tuples(st.just("time"), st.sampled_from((2, 70, 4000, 90_000))),
)


class Story:
    """One sequence, and what the person has released in it."""

    def __init__(self, world: Any, agent: Any, schemas: dict[str, Any]) -> None:
        self.world = world
        self.agent = agent
        self.schemas = schemas
        self.released: set[str] = set()

    async def take(self, step: tuple[Any, ...]) -> None:
        """Take a step of the agent, of the person, of a worker, or of time."""
        match step:
            case ("post_video", media, title, draft):
                level = {} if draft else {"privacy_level": "SELF_ONLY"}
                await self.call("post_video", video=media, title=title, draft=draft, **level)
            case ("post_photos", name, draft):
                level = {} if draft else {"privacy_level": "SELF_ONLY"}
                images = [f"https://media.example.com/{name}"]
                await self.call("post_photos", photo_images=images, draft=draft, **level)
            case ("posts" | "accounts" as tool,):
                await self.call(tool)
            case ("fault", fault):
                self.world.sim.faults.add(fault)
            case ("time", seconds):
                self.world.clock.advance(timedelta(seconds=seconds).total_seconds())
            case ("work", _):
                await self.world.work()
            case (what, number):
                await self.about_one(what, number)

    async def about_one(self, what: str, number: int) -> None:
        """Do something with one of the posts that there are."""
        records = sorted(self.world.journal.records(), key=lambda one: (one.created_at, one.key))
        key = records[number % len(records)].key if records else "none"
        if what == "release":
            try:
                await self.world.account.release(key)
            except TikTokError:
                return
            self.released.add(key)
        elif what == "advance":
            await self.world.went_on(key)
        else:
            await self.call(what, key=key)

    async def call(self, tool: str, **arguments: Any) -> None:
        """Call a tool, and hold its answer to the tool's schema."""
        from jsonschema import validate  # noqa: PLC0415 - it comes with the SDK

        answer = await self.agent.call_tool(tool, arguments)
        validate(answer.structured_content, self.schemas[tool])
        assert answer.is_error is (answer.structured_content["error"] is not None)

    def holds(self) -> None:
        """See what was published."""
        owners: dict[str, str] = {}
        for record in self.world.journal.records():
            owners.update(dict.fromkeys(filter(None, (record.publish_id, *record.others)), record.key))
        keys = [owners.get(post.publish_id) for post in self.public]
        assert set(keys) <= self.released | {None}
        # An init whose answer was lost has an id that only TikTok knows; a person settles it, and it belongs to a released post.
        assert not [key for key in keys if key is None] or self.released
        known = [key for key in keys if key is not None]
        assert len(known) == len(set(known)), "a key has posted twice"

    @property
    def public(self) -> list[Any]:
        """What was published, or is about to be."""
        return [post for post in self.world.sim.posts if post.mode == "DIRECT_POST" and self.is_whole(post)]

    def is_whole(self, post: Any) -> bool:
        """Whether TikTok has all that it needs to publish it."""
        return post.source == "PULL_FROM_URL" or post.bytes_received == post.size


@pytest.mark.full
@settings(max_examples=SEQUENCES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(STEPS, min_size=6, max_size=16))
def test_nothing_is_published_that_no_person_released(
    in_world: Callable[[Any], None], steps: list[tuple[Any, ...]]
) -> None:
    """After every step."""

    async def story(world: Any) -> None:
        async with world.agent() as agent:
            schemas = {tool.name: tool.output_schema for tool in (await agent.list_tools()).tools}
            told = Story(world, agent, schemas)
            for step in (*BEGINNING, *steps):
                await told.take(step)
                told.holds()
            event("a post was published" if told.public else "nothing was published")

    in_world(story)


def test_the_judge_notices_a_post_that_no_person_released(in_world: Callable[[Any], None]) -> None:
    """Otherwise the property could not fail."""

    async def story(world: Any) -> None:
        async with world.agent(allowed=True) as agent:
            schemas = {tool.name: tool.output_schema for tool in (await agent.list_tools()).tools}
            told = Story(world, agent, schemas)
            await told.take(("post_video", "clip.mp4", "", False))
            await asyncio.sleep(0)
            with pytest.raises(AssertionError):
                told.holds()

    in_world(story)
