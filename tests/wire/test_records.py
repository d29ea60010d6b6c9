"""The spelling of the journal's records in a store: every record comes back, and no error quotes damage."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.chunks import ChunkPlan
from tiktok_core.domain.journal import Record, Stage, Wish
from tiktok_core.domain.kept_refusal import KINDS, Refusal
from tiktok_core.domain.media import MediaType
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.publishing import Publication, PublishStatus
from tiktok_core.domain.schedule import Schedule
from tiktok_core.domain.tokens import Secret
from tiktok_core.wire.records import dump_record, load_record

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
WHOLE = Record(
    key="canary-key",
    app="canary-app",
    account="canary-account",
    wish=Wish(
        post=VideoPost(title="canary-title", privacy_level="SELF_ONLY", video_cover_timestamp_ms=5),
        video="/canary/clip.mp4",
        fingerprint="canary-fingerprint",
        media_type=MediaType.MP4,
        plan=ChunkPlan(20_000_000, 10_000_000, 2),
        is_cut_chosen=True,
    ),
    stage=Stage.UPLOADING,
    created_at=NOW,
    updated_at=NOW + timedelta(seconds=1),
    inits=1,
    lost_inits=1,
    init_at=NOW,
    publish_id="canary-id",
    others=("canary-other",),
    upload_url=Secret("https://upload.example.com/?upload_token=canary"),
    plan=ChunkPlan(20_000_000, 10_000_000, 2),
    offset=10_000_000,
    last_left=True,
    handed_at=NOW,
    last=Publication(publish_id="canary-id", status="PROCESSING_UPLOAD", post_ids=(2**63 - 1,), uploaded_bytes=7),
    refusal=Refusal(kind="InvalidPost", fields=("canary-field",), messages=("canary-message",)),
)
FIRST = (
    '{"account": "canary-account", "app": "canary-app", "created_at": "2026-03-01T12:00:00.123456+00:00", '
    '"handed_at": "2026-03-01T12:00:00.123456+00:00", "init_at": "2026-03-01T12:00:00.123456+00:00", "inits": 1, '
    '"key": "canary-key", "last": {"downloaded_bytes": null, "fail_reason": "", "key": null, "post_ids": '
    '[9223372036854775807], "publish_id": "canary-id", "status": "PROCESSING_UPLOAD", "uploaded_bytes": 7}, '
    '"offset": 10000000, "plan": [20000000, 10000000, 2], "publish_id": "canary-id", "stage": "uploading", '
    '"updated_at": "2026-03-01T12:00:01.123456+00:00", "upload_url": '
    '"https://upload.example.com/?upload_token=canary", "version": 1, "wish": {"fingerprint": "canary-fingerprint", '
    '"is_cut_chosen": true, "kind": "video", "media_type": "video/mp4", "plan": [20000000, 10000000, 2], "post": '
    '{"brand_content_toggle": false, "brand_organic_toggle": false, "disable_comment": false, "disable_duet": '
    'false, "disable_stitch": false, "draft": false, "is_aigc": false, "privacy_level": "SELF_ONLY", "title": '
    '"canary-title", "video_cover_timestamp_ms": 5}, "video": "/canary/clip.mp4"}}'
)
"""`WHOLE` as the first version of this release wrote it."""
PHOTOS = Record(
    key="k",
    app="a",
    account="b",
    wish=Wish(post=PhotoPost(photo_images=("https://example.com/canary.jpg",))),
    created_at=NOW,
    updated_at=NOW,
)

# File names may have the surrogates that stand for undecodable bytes.
texts = st.text(st.characters(exclude_categories=["Cs"]) | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF))
numbers = st.integers(0, 2**63 - 1)
moments = st.datetimes(timezones=st.just(UTC))
plans = st.builds(ChunkPlan, *[st.integers(1, 2**63 - 1)] * 3)
# A plain `from_type` leaves out fields with a default, so the strategy names each of them.
posts = st.one_of(
    st.builds(
        VideoPost,
        title=texts,
        privacy_level=st.none() | texts,
        disable_comment=st.booleans(),
        disable_duet=st.booleans(),
        disable_stitch=st.booleans(),
        video_cover_timestamp_ms=st.none() | numbers,
        brand_content_toggle=st.booleans(),
        brand_organic_toggle=st.booleans(),
        is_aigc=st.booleans(),
        draft=st.booleans(),
    ),
    st.builds(
        PhotoPost,
        photo_images=st.lists(texts, max_size=4).map(tuple),
        photo_cover_index=numbers,
        title=texts,
        description=texts,
        privacy_level=st.none() | texts,
        disable_comment=st.booleans(),
        auto_add_music=st.booleans(),
        brand_content_toggle=st.booleans(),
        brand_organic_toggle=st.booleans(),
        is_aigc=st.booleans(),
        draft=st.booleans(),
    ),
)
wishes = st.builds(
    Wish,
    post=posts,
    video=st.none() | texts | texts.map("https://h.example.com/?{}".format),
    query_digest=st.sampled_from(["", "0" * 64]),
    upload=st.none() | st.booleans(),
    fingerprint=texts,
    media_type=st.none() | st.sampled_from(MediaType),
    plan=st.none() | plans,
    is_cut_chosen=st.booleans(),
)
publications = st.builds(
    Publication,
    publish_id=texts,
    status=st.sampled_from(PublishStatus) | texts,
    fail_reason=texts,
    post_ids=st.lists(numbers, max_size=3).map(tuple),
    uploaded_bytes=st.none() | numbers,
    downloaded_bytes=st.none() | numbers,
    key=st.none() | texts,
)
refusals = st.lists(st.tuples(texts, texts), max_size=2).flatmap(
    lambda problems: st.builds(
        Refusal,
        kind=st.sampled_from(sorted(KINDS)),
        what=texts,
        reason=texts,
        status=st.none() | numbers,
        log_id=texts,
        fields=st.just(tuple(field for field, _ in problems)),
        messages=st.just(tuple(message for _, message in problems)),
    )
)
schedules = st.builds(Schedule, not_before=moments, not_after=moments, zone=texts)
records = st.builds(
    Record,
    key=texts,
    app=texts,
    account=texts,
    wish=wishes,
    stage=st.sampled_from(Stage),
    created_at=moments,
    updated_at=moments,
    inits=numbers,
    lost_inits=numbers,
    init_at=st.none() | moments,
    publish_id=st.none() | texts,
    others=st.lists(texts, max_size=2).map(tuple),
    upload_url=st.none() | texts.map(Secret),
    plan=st.none() | plans,
    offset=numbers,
    last_left=st.booleans(),
    handed_at=st.none() | moments,
    last=st.none() | publications,
    refusal=st.none() | refusals,
    schedule=st.none() | schedules,
    is_held=st.booleans(),
    is_entered=st.booleans(),
).map(lambda record: evolve(record, wish=record.wish.without_queries) if record.is_ended else record)
leaves: st.SearchStrategy[object] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.just("canary"), st.just(["canary"]), st.just({})
)


def _paths(document: Any, before: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of each value of a JSON document, except the document itself."""
    inside = document.items() if isinstance(document, dict) else enumerate(document)
    for name, value in inside:
        yield (*before, name)
        if isinstance(value, dict | list):
            yield from _paths(value, (*before, name))


def _holder(document: Any, path: tuple[str | int, ...]) -> Any:
    for name in path[:-1]:
        document = document[name]
    return document


WHOLE_PATHS = list(_paths(json.loads(dump_record(WHOLE))))
NEEDED = [path for path in WHOLE_PATHS if not isinstance(path[-1], int)]


def _refused(data: bytes) -> None:
    with pytest.raises(ValueError) as caught:
        load_record(data)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def _loaded(data: bytes) -> Record | None:
    try:
        return load_record(data)
    except ValueError:
        return None


@given(records)
def test_every_record_comes_back(record: Record) -> None:
    """A record from a store is the same, and gives the same bytes again."""
    data = dump_record(record)
    assert load_record(data) == record
    assert dump_record(load_record(data)) == data


@given(records, records)
def test_two_records_are_never_spelled_alike(one: Record, other: Record) -> None:
    """Two different records never give the same document."""
    assert (dump_record(one) == dump_record(other)) == (one == other)


def test_times_come_back_in_utc() -> None:
    """A document with another offset gives the same moment, in UTC."""
    document = json.loads(dump_record(WHOLE)) | {"handed_at": "2026-03-01T14:00:00.123456+02:00"}
    handed_at = load_record(json.dumps(document).encode()).handed_at
    assert handed_at == NOW
    assert handed_at is not None
    assert handed_at.tzinfo is UTC


@given(st.integers(0, len(dump_record(WHOLE)) - 1))
def test_a_document_that_is_cut_is_refused(length: int) -> None:
    """The reader never takes a part of a document for a whole one."""
    _refused(dump_record(WHOLE)[:length])


@given(st.binary() | st.text().map(str.encode))
def test_bytes_of_something_else_are_refused(data: bytes) -> None:
    """Any bytes that are not a record raise `ValueError`."""
    _refused(data)


@pytest.mark.parametrize("path", NEEDED, ids=lambda path: ".".join(map(str, path)))
def test_a_document_without_a_value_is_refused(path: tuple[str | int, ...]) -> None:
    """The reader makes up no value that a record needs."""
    document = json.loads(dump_record(WHOLE))
    del _holder(document, path)[path[-1]]
    _refused(json.dumps(document).encode())


@pytest.mark.parametrize("path", [("wish", "post", "canary"), ("last", "canary")], ids=["post", "last"])
def test_a_setting_that_nobody_knows_is_refused(path: tuple[str, ...]) -> None:
    """The reader never drops a setting: the post would be another one."""
    document = json.loads(dump_record(WHOLE))
    _holder(document, path)[path[-1]] = True
    _refused(json.dumps(document).encode())


@given(st.sampled_from(WHOLE_PATHS), leaves)
def test_a_value_of_another_kind_is_refused_or_meant(path: tuple[str | int, ...], value: object) -> None:
    """Any value is changed to any other.

    The reader refuses the document, or gives a record that spells exactly this one.
    """
    document = json.loads(dump_record(WHOLE))
    _holder(document, path)[path[-1]] = value
    data = json.dumps(document, sort_keys=True).encode()
    record = _loaded(data)
    if record is None:
        _refused(data)
    else:
        assert dump_record(record) == data


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("inits",), "1"),
        (("inits",), True),
        (("offset",), 1.0),
        (("offset",), -1),
        (("inits",), -1),
        (("lost_inits",), -1),
        (("plan",), [20_000_000, 10_000_000]),
        (("plan",), [20_000_000, 0, 2]),
        (("stage",), "canary"),
        (("created_at",), "2026-03-01T12:00:00"),
        (("wish", "kind"), "canary"),
        (("wish", "media_type"), "canary"),
        (("wish", "post"), None),
        (("wish", "post", "title"), None),
        (("wish", "post", "draft"), 1),
        (("wish", "is_cut_chosen"), None),
        (("last", "post_ids"), ["canary"]),
        (("upload_url",), ["canary"]),
        (("refusal", "kind"), "canary"),
        (("refusal", "kind"), "SystemExit"),
        (("refusal", "fields"), []),
    ],
)
def test_what_only_looks_right_is_refused(path: tuple[str, ...], value: object) -> None:
    """A number is no text, true is no number, no count is below zero, and a plan has three sizes above zero."""
    document = json.loads(dump_record(WHOLE))
    _holder(document, path)[path[-1]] = value
    _refused(json.dumps(document).encode())


def test_photos_that_are_no_texts_are_refused() -> None:
    """Each photo is a URL."""
    document = json.loads(dump_record(PHOTOS))
    document["wish"]["post"]["photo_images"] = ["canary", 1]
    _refused(json.dumps(document).encode())


@pytest.mark.parametrize("version", [0, 6, "canary", None, True, 1.0])
def test_another_version_says_which(version: object) -> None:
    """A record of another release raises another error than damage does."""
    document = json.loads(dump_record(WHOLE)) | {"version": version}
    with pytest.raises(ValueError, match=r"version (0|6|unknown), this release reads version 5") as caught:
        load_record(json.dumps(document).encode())
    assert "canary" not in str(caught.value)


def test_a_record_of_the_first_version_is_read() -> None:
    """The client can continue what an older release wrote.

    For facts that the older release did not write, the reader assumes the worse.
    """
    record = load_record(FIRST.encode())
    assert record == evolve(WHOLE, lost_inits=0, others=(), refusal=None)
    early = load_record(FIRST.replace('"offset": 10000000', '"offset": 0').encode())
    assert (early.offset, early.last_left) == (0, False)
    lost = load_record(FIRST.replace('"stage": "uploading"', '"stage": "init sent"').encode())
    assert (lost.inits, lost.lost_inits) == (1, 1)
    ended = load_record(FIRST.replace('"stage": "uploading"', '"stage": "complete"').encode())
    assert (ended.stage, ended.last_left) == (Stage.COMPLETE, False)


def test_only_a_post_that_was_given_up_has_the_newest_version() -> None:
    """An older release goes on with every other record, and stops at this one; neither version is read as the other."""
    for stage in Stage:
        document = json.loads(dump_record(evolve(WHOLE, stage=stage)))
        assert document["version"] == (3 if stage is Stage.GIVEN_UP else 2)
        for version in (1, 2, 3):
            if version != document["version"]:
                _refused(json.dumps({**document, "version": version}).encode())


URL = "https://media.example.com/canary.mp4"
SIGNED = evolve(WHOLE, wish=Wish(post=WHOLE.wish.post, video=f"{URL}?sig=canary"), plan=None, upload_url=None)


@pytest.mark.parametrize(
    "wish",
    [
        SIGNED.wish,
        evolve(WHOLE.wish, video=URL, upload=True),
        evolve(SIGNED.wish, query=None, upload=False),
        SIGNED.wish.without_queries,
        Wish(post=PhotoPost(photo_images=(f"{URL}?sig=canary",))).without_queries,
    ],
    ids=["query", "upload", "no upload", "digest", "photos"],
)
def test_what_an_older_release_would_misread_of_a_url_has_the_newest_version(wish: Wish) -> None:
    """It would pull without the query, or pull once more what is an upload. No version is read as another one."""
    document = json.loads(dump_record(evolve(SIGNED, wish=wish)))
    assert document["version"] == 5
    assert load_record(json.dumps(document).encode()).wish == wish
    for version in (1, 2, 3, 4):
        _refused(json.dumps({**document, "version": version}).encode())
    _refused(json.dumps({**json.loads(dump_record(WHOLE)), "version": 5}).encode())
    plain = {"query": None, "query_digest": "", "upload": None}
    same = json.loads(dump_record(evolve(WHOLE, is_held=True)))
    _refused(json.dumps({**same, "version": 5, "wish": {**same["wish"], **plain}}).encode())


@pytest.mark.parametrize("field", ["video", "query", "query_digest", "upload"])
@pytest.mark.parametrize("value", [3, "https://media.example.com/?canary", ["canary"]])
def test_a_wrong_value_about_a_url_is_refused_or_meant(field: str, value: object) -> None:
    """No damage becomes another URL without a word, and a query stands in one place only."""
    document = json.loads(dump_record(SIGNED))
    document["wish"][field] = value
    data = json.dumps(document, sort_keys=True).encode()
    record = _loaded(data)
    if record is None:
        _refused(data)
    else:
        assert dump_record(record) == data
        assert field in {"query", "query_digest"}


@pytest.mark.parametrize("version", [2, 4])
def test_a_query_in_the_record_of_an_older_release_is_taken_out_of_the_name(version: int) -> None:
    """The URL is the same, and its query is a secret. Of what has ended it is gone."""
    stored = SIGNED if version == 2 else evolve(SIGNED, is_held=True)
    bare = evolve(stored, wish=evolve(stored.wish, query=None))
    old = json.loads(dump_record(bare))
    old["wish"]["video"] = f"{URL}?sig=canary"
    assert old["version"] == version
    assert load_record(json.dumps(old).encode()) == stored
    ended = load_record(json.dumps({**old, "stage": "complete"}).encode())
    assert ended.wish == SIGNED.wish.without_queries


@pytest.mark.parametrize("name", sorted(json.loads(dump_record(WHOLE)).keys() - json.loads(FIRST).keys()))
def test_a_first_version_with_later_fields_is_damage(name: str) -> None:
    """No release wrote such a record."""
    _refused(json.dumps({**json.loads(FIRST), name: json.loads(dump_record(WHOLE))[name]}).encode())


def test_deep_nesting_and_endless_numbers_are_damage() -> None:
    """The reader refuses what would break it as any other damage."""
    _refused(b"[" * 100_000)
    _refused(dump_record(WHOLE).replace(b'"inits": 1', b'"inits": Infinity'))
    _refused(dump_record(WHOLE).replace(b'"inits": 1', b'"inits": ' + b"9" * 10_000))


def test_a_record_does_not_show_its_upload_url() -> None:
    """The document has the signed URL, and no repr has it."""
    assert b"upload_token=canary" in dump_record(WHOLE)
    assert "upload_token" not in repr(WHOLE)
    assert "upload_token" not in str(WHOLE)
    assert "upload_token" not in f"{WHOLE.upload_url!r} {WHOLE.upload_url}"
