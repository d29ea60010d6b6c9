"""Films: what boxes, elements and fragments say of tracks, rates and durations; and any bytes end the look in peace."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core import VideoFacts
from tiktok_core.domain.containers import film
from tiktok_core.domain.media import media_doubts, media_problems
from tiktok_core.domain.reading import LookEnded
from tiktok_core.domain.tracks import Film, Frames

MEDIA = Path(__file__).parents[1] / "media"
FTYP = b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"
ONES = 0xFFFFFFFF
KNOWN = {
    "good.mp4": VideoFacts(codec="H.264", frame_rate=30.0, width=720, height=1280, duration=5.0, has_picture=True),
    "fragmented.mp4": VideoFacts(codec="H.264", frame_rate=24.0, width=360, height=640, duration=1.0, has_picture=True),
    "mpeg4.mp4": VideoFacts(
        codec="MPEG-4 Visual", frame_rate=30.0, width=360, height=640, duration=1.0, has_picture=True
    ),
    "eleven-minutes.mp4": VideoFacts(
        codec="H.264", frame_rate=1.0, width=360, height=640, duration=660.0, has_picture=True
    ),
    "sound.m4a": VideoFacts(duration=1.0, has_picture=False),
    "renamed.mp4": VideoFacts(),
}


def look(data: bytes, steps: int = 10**9) -> Film:
    """Return what a film says about itself, in a look that ends after so many reads."""
    left = steps

    def read(start: int, length: int) -> bytes:
        nonlocal left
        left -= 1
        if left < 0:
            raise LookEnded
        return data[start : start + length]

    return film(len(data), read)


# --- Building films --------------------------------------------------------------------------------------------------


def box(kind: bytes, *inside: bytes) -> bytes:
    """Return a box."""
    body = b"".join(inside)
    return (len(body) + 8).to_bytes(4) + kind + body


def numbers(*values: int) -> bytes:
    """Return 32-bit numbers."""
    return b"".join(value.to_bytes(4) for value in values)


def wide(value: int) -> bytes:
    """Return a 64-bit number."""
    return value.to_bytes(8)


def mvhd(duration: int, *, is_wide: bool = False) -> bytes:
    """Return the header of a film in thousandths of a second."""
    if is_wide:
        return box(b"mvhd", numbers(1 << 24), bytes(16), numbers(1000), wide(duration))
    return box(b"mvhd", bytes(12), numbers(1000, duration))


def entry(code: bytes, width: int = 640, height: int = 360) -> bytes:
    """Return what describes the pictures of a track."""
    return box(code, bytes(24), struct.pack(">HH", width, height), bytes(50))


def trak(
    number: int,
    *entries: bytes,
    stts: tuple[tuple[int, int], ...] = ((60, 20),),
    duration: int = 2000,
    media_duration: int = 1200,
    kind: bytes = b"vide",
    refers: bytes = b"",
    is_wide: bool = False,
) -> bytes:
    """Return a track of 600 units a second."""
    if is_wide:
        head = box(b"tkhd", numbers(1 << 24), bytes(16), numbers(number, 0), wide(duration))
        mdhd = box(b"mdhd", numbers(1 << 24), bytes(16), numbers(600), wide(media_duration))
    else:
        head = box(b"tkhd", bytes(12), numbers(number, 0, duration))
        mdhd = box(b"mdhd", bytes(12), numbers(600, media_duration))
    table = box(
        b"stbl",
        box(b"stsd", numbers(0, len(entries)), *entries),
        box(b"stts", numbers(0, len(stts)), *(numbers(*run) for run in stts)),
    )
    media = box(b"mdia", mdhd, box(b"hdlr", bytes(8), kind, bytes(12)), box(b"minf", box(b"smhd"), table))
    return box(b"trak", head, refers, media)


def movie(*inside: bytes) -> bytes:
    """Return a film whose index is first."""
    return FTYP + box(b"moov", *inside) + box(b"mdat", bytes(9))


def moof(
    begins: int | None,
    *ticks: int,
    number: int = 1,
    usual: int | None = None,
    count: int = 0,
    runs: int = 1,
    is_wide: bool = True,
) -> bytes:
    """Return a fragment: `ticks` for each sample, or `count` samples of the usual duration, in each of `runs` equal runs."""
    tfhd = numbers(0x8 if usual is not None else 0, number) + (numbers(usual) if usual is not None else b"")
    if begins is None:
        tfdt = b""
    else:
        tfdt = box(b"tfdt", numbers(1 << 24), wide(begins)) if is_wide else box(b"tfdt", numbers(0, begins))
    if ticks:
        trun = numbers(0x301, len(ticks), 0) + b"".join(numbers(tick, 99) for tick in ticks)
    else:
        trun = numbers(0x1, count, 0)
    return box(b"moof", box(b"mfhd"), box(b"traf", box(b"tfhd", tfhd), tfdt, box(b"trun", trun) * runs)) + box(
        b"mdat", bytes(5)
    )


def fragmented(*fragments: bytes, usual: int = 20, mehd: bytes = b"", end: bytes = b"") -> bytes:
    """Return a film in fragments."""
    extension = box(b"mvex", mehd, box(b"trex", numbers(0, 1, 1, usual, 0, 0)))
    index = box(b"moov", mvhd(0), trak(1, entry(b"avc1"), stts=(), duration=0, media_duration=0), extension)
    return FTYP + index + b"".join(fragments) + end


def mfra(offset: int, *, is_wide: bool) -> bytes:
    """Return the list of fragments at the end of a file, with one that begins at `offset`."""
    listed = wide(0) + wide(offset) if is_wide else numbers(0, offset)
    inside = box(b"tfra", numbers(1 << 24 if is_wide else 0, 1, 0, 1), listed, b"\1\1\1")
    return box(b"mfra", inside, box(b"mfro", numbers(0, 8 + len(inside) + 16)))


# --- Films as they are -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KNOWN)
def test_each_kind_of_film_is_known(name: str) -> None:
    """The core reads what ffmpeg was told to make, and claims nothing of what is no film."""
    assert look((MEDIA / name).read_bytes()).facts == KNOWN[name]


@pytest.mark.parametrize(("name", "rate"), [("vp8.webm", 60), ("vp9.webm", 30), ("live.webm", 30), ("h265.mov", 29.97)])
def test_the_frames_of_a_film_are_counted(name: str, rate: float) -> None:
    """A WebM's rate follows from the times of its frames, which it rounds, and which may vary."""
    facts = look((MEDIA / name).read_bytes()).facts
    assert facts.frame_rate == pytest.approx(rate, abs=0.05)
    assert facts.has_variable_rate is name.endswith(".webm")
    assert facts.duration == pytest.approx(1, abs=0.05)


# --- MP4 and MOV -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_wide", [False, True])
def test_the_longest_of_the_durations_counts(is_wide: bool) -> None:
    """Two seconds of picture under 700 seconds of sound are a film of 700 seconds."""
    tracks = (
        trak(1, entry(b"hvc1"), is_wide=is_wide),
        trak(2, entry(b"mp4a"), kind=b"soun", duration=700_000, is_wide=is_wide),
    )
    facts = look(movie(mvhd(2000, is_wide=is_wide), *tracks)).facts
    assert (facts.codec, facts.duration, facts.may_be_longer) == ("H.265", 700.0, False)


@pytest.mark.parametrize(("media_duration", "seconds"), [(6000, 10.0), (ONES, 2.0), (0, 2.0)])
def test_a_duration_of_all_ones_is_unknown(media_duration: int, seconds: float) -> None:
    """Where the film and its tracks state none, the media's counts, and else the frames are added up."""
    facts = look(movie(mvhd(ONES), trak(1, entry(b"avc1"), duration=ONES, media_duration=media_duration))).facts
    assert facts.duration == seconds
    nothing = look(movie(mvhd(ONES), trak(1, entry(b"avc1"), stts=(), duration=ONES, media_duration=ONES))).facts
    assert nothing.duration is None


@pytest.mark.parametrize(
    ("stts", "rate", "varies"),
    [
        (((60, 20),), 30.0, False),
        (((59, 20), (1, 400)), 30.0, False),
        (((30, 20), (30, 21), (10, 20)), 600 * 70 / 1430, False),
        (((30, 10), (30, 30)), 30.0, True),
        (((40, 2), (20, 3)), 600 * 60 / 140, True),
        (((1, 20),), None, False),
        (((5, 0),), None, False),
        (((5, 20), (2, 0xFFFFFF00), (5, 20)), None, False),
        ((), None, False),
    ],
)
def test_the_rate_follows_from_the_table_of_frames(
    stts: tuple[tuple[int, int], ...], rate: float | None, varies: bool
) -> None:
    """The last frame has a duration of its own; rounding does not make a rate vary; negative durations say nothing."""
    facts = look(movie(mvhd(2000), trak(1, entry(b"avc1"), stts=stts))).facts
    assert facts.frame_rate == (None if rate is None else pytest.approx(rate))
    assert facts.has_variable_rate is varies


@pytest.mark.parametrize("code", [b"encv", b"XXXX", b"drmi"])
def test_a_film_whose_pictures_nobody_can_name_has_no_codec(code: bytes) -> None:
    """A protected film is none of H.264, and none of another codec either: it is unknown."""
    facts = look(movie(mvhd(2000), trak(1, entry(code)))).facts
    assert (facts.codec, facts.has_picture, facts.width) == (None, True, 640)


def test_each_track_is_told_and_a_cover_is_none() -> None:
    """A single picture beside a film, a thumbnail and the pictures of chapters are set aside; alone, a picture is the film."""
    main = trak(1, entry(b"avc1"), refers=box(b"tref", box(b"chap", numbers(4))))
    second = trak(2, entry(b"mp4v", 200, 200), entry(b"vp09", 0, 0))
    cover = trak(3, entry(b"jpeg", 9000, 9000), stts=((1, 20),))
    chapters = trak(4, entry(b"jpeg", 160, 90))
    thumbnail = trak(5, entry(b"avc1", 160, 90), refers=box(b"tref", box(b"thmb", numbers(1))))
    data = trak(6, kind=b"meta")
    facts = look(movie(mvhd(2000), cover, main, second, chapters, thumbnail, data)).facts
    assert (facts.codec, facts.width, facts.height, facts.duration) == ("H.264", 640, 360, 2.0)
    assert [(one.codec, one.width, one.height) for one in facts.others] == [
        ("MPEG-4 Visual", 200, 200),
        ("VP9", None, None),
    ]
    assert look(movie(mvhd(2000), cover)).facts.codec == "Motion JPEG"


def test_a_table_of_frames_that_is_too_long_is_not_read() -> None:
    """The rate is then unknown."""
    table = box(b"stts", bytes(5 * 1024**2))
    media = box(
        b"mdia",
        box(b"mdhd", bytes(12), numbers(600, 1200)),
        box(b"hdlr", bytes(8), b"vide"),
        box(b"minf", box(b"stbl", box(b"stsd", numbers(0, 1), entry(b"avc1")), table)),
    )
    facts = look(movie(mvhd(2000), box(b"trak", media))).facts
    assert (facts.codec, facts.frame_rate) == ("H.264", None)


def test_a_header_without_a_scale_has_no_duration() -> None:
    """A number that counts nothing is none."""
    assert look(movie(box(b"mvhd", bytes(12), numbers(0, 9000)), trak(1, entry(b"avc1")))).facts.duration == 2.0


def test_coarse_times_of_a_constant_rate_are_constant() -> None:
    """A scale of the rate itself gives each frame one unit."""
    steady = Frames()
    steady.add(30, 1)
    steady.add(1, 3)
    assert steady.rate(30) == (30.0, False)


def test_boxes_of_any_kind_are_skipped() -> None:
    """Boxes that nobody knows, inside and outside, and one that is longer than what holds it."""
    strange = box(b"beam", bytes(5))
    inner = box(b"minf", bytes(9)) + numbers(9000) + b"free"
    whole = (
        FTYP
        + strange
        + box(b"moov", strange, mvhd(2000), trak(1, entry(b"avc1")), box(b"udta", inner), b"\0\0\0\3ab12")
    )
    assert look(whole).facts.codec == "H.264"
    assert not look(FTYP + strange).lacks_index
    assert look(FTYP + box(b"moov", box(b"tref"))).facts.has_picture is None


# --- Fragments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_wide", [False, True])
def test_fragments_are_added_up(is_wide: bool) -> None:
    """Their own beginnings count. The last sample of a fragment may be wrong, as browsers write it."""
    parts = [moof(600 * second, 300, 20, is_wide=is_wide) for second in range(10)]
    facts = look(fragmented(*parts)).facts
    assert facts.duration == pytest.approx((600 * 9 + 320) / 600)
    assert facts.frame_rate == pytest.approx(20 / facts.duration)
    assert not facts.may_be_longer


def test_fragments_that_do_not_follow_each_other_have_no_rate_together() -> None:
    """Where they all begin alike, their frames cannot be added up; where they lie apart, the rate varies."""
    alike = look(fragmented(*(moof(600, *[20] * 30) for _ in range(5)))).facts
    assert (alike.frame_rate, alike.duration) == (None, 1.0)
    apart = look(fragmented(*(moof(6000 * second, *[20] * 30) for second in range(5)))).facts
    assert (apart.frame_rate, apart.has_variable_rate) == (pytest.approx(150 / 41), True)
    assert not look(fragmented(*(moof(600 * second, *[20] * 30) for second in range(5)))).facts.has_variable_rate


def test_odd_parts_of_fragments_and_tables_are_passed_over() -> None:
    """A run of a track that nobody named, boxes that nobody knows, defaults of a track that is not there, and runs of nothing."""
    nameless = box(b"moof", box(b"traf", box(b"saiz", bytes(9)), box(b"trun", numbers(1, 5, 0))))
    extension = box(b"mvex", box(b"leva", bytes(5)), box(b"trex", numbers(0, 9, 1, 20, 0, 0)))
    track = trak(1, entry(b"avc1"), stts=((0, 7), (60, 20)))
    facts = look(FTYP + box(b"moov", mvhd(2000), track, extension) + nameless).facts
    assert (facts.frame_rate, facts.has_variable_rate, facts.duration) == (30.0, False, 2.0)


def test_fragments_without_a_beginning_follow_each_other() -> None:
    """Each begins where the one before has ended; the duration of a sample is the usual one of the fragment or the film."""
    parts = [moof(None, count=30), moof(None, count=30, usual=40)]
    facts = look(fragmented(*parts, moof(None, count=3, number=7), usual=20)).facts
    assert (facts.duration, facts.has_variable_rate) == (3.0, True)
    assert look(fragmented(moof(None))).facts.frame_rate is None


def test_a_film_that_does_not_begin_at_zero_lasts_from_its_first_fragment() -> None:
    """A part of a broadcast begins hours after it."""
    facts = look(fragmented(*(moof(10**9 + 600 * second, count=30, usual=20) for second in range(5)))).facts
    assert facts.duration == 5.0


@pytest.mark.parametrize("is_wide", [False, True])
def test_the_list_at_the_end_tells_the_last_fragment(is_wide: bool) -> None:
    """A look that cannot see all fragments knows the duration all the same, and that the rate may vary."""
    parts = [moof(600 * second, *[20] * 30) + box(b"free", bytes(20_000)) for second in range(50)]
    whole = fragmented(*parts[:-1])
    data = whole + parts[-1] + moof(30_000, 20, 20) + mfra(len(whole), is_wide=is_wide)
    full, short = look(data).facts, look(data, steps=20).facts
    assert full.duration == short.duration == pytest.approx(30_040 / 600)
    assert (full.may_be_longer, short.may_be_longer) == (False, False)
    assert (full.has_variable_rate, short.has_variable_rate) == (False, True)
    without = look(data[: -len(mfra(0, is_wide=is_wide))], steps=20).facts
    assert without.may_be_longer
    assert without.duration is not None
    assert without.duration < 50


@pytest.mark.parametrize(
    "end",
    [
        box(b"mfro", numbers(0, 16)),
        box(b"mfro", numbers(0, 10**6)),
        mfra(0, is_wide=False),
        mfra(3, is_wide=True),
        mfra(10**9, is_wide=True),
        box(b"mfra", box(b"tfra", numbers(0, 1, 0, 9)), box(b"mfro", numbers(0, 8 + 24 + 16))),
    ],
)
def test_a_list_that_leads_nowhere_is_not_believed(end: bytes) -> None:
    """The fragments themselves are read then."""
    facts = look(fragmented(*(moof(600 * second, count=30) for second in range(4)), end=end)).facts
    assert (facts.duration, facts.may_be_longer) == (4.0, False)


def test_an_index_of_segments_and_a_header_may_state_the_duration() -> None:
    """Either may be longer than the fragments that are there: the film then is as long as it says."""
    listed = b"".join(numbers(1000, ticks, 0) for ticks in (90_000, 45_000))
    for sidx in (
        box(b"sidx", numbers(0, 1, 1000, 5000, 0), struct.pack(">HH", 0, 2), listed),
        box(b"sidx", numbers(1 << 24, 1, 1000), wide(5000), wide(0), struct.pack(">HH", 0, 2), listed),
    ):
        assert look(FTYP + fragmented(moof(0, count=30))[len(FTYP) :] + sidx).facts.duration == 135.0
    none = box(b"sidx", numbers(0, 1, 0, 5000, 0), struct.pack(">HH", 0, 2), listed)
    assert look(fragmented(moof(0, count=30), end=none)).facts.duration == 1.0
    for mehd in (box(b"mehd", numbers(0, 9000)), box(b"mehd", numbers(1 << 24), wide(9000))):
        assert look(fragmented(moof(0, count=30), mehd=mehd)).facts.duration == 9.0


def test_boxes_within_a_fragment_are_skipped() -> None:
    """A group of samples is no list of samples, and neither is anything else that a writer puts there."""
    plain = moof(0, count=30)
    inner = plain.index(b"traf") - 4
    length = int.from_bytes(plain[inner : inner + 4])
    group = box(b"sbgp", numbers(0, 9, 1, 5000, 1), bytes(64))
    traf = numbers(length + len(group)) + plain[inner + 4 : inner + length] + group
    whole = numbers(int.from_bytes(plain[:4]) + len(group)) + plain[4:inner] + traf + plain[inner + length :]
    assert look(fragmented(whole)).facts.duration == 1.0


def test_an_index_of_segments_counts_from_its_earliest_time() -> None:
    """What lies before it is no part of the film."""
    listed = numbers(1000, 90_000, 0)
    narrow = box(b"sidx", numbers(0, 1, 1000, 5000, 0), struct.pack(">HH", 0, 1), listed)
    wider = box(b"sidx", numbers(1 << 24, 1, 1000), wide(5000), wide(0), struct.pack(">HH", 0, 1), listed)
    for sidx in (narrow, wider):
        later = box(b"sidx", numbers(0, 1, 1000, 95_000, 0), struct.pack(">HH", 0, 1), numbers(1000, 5_000, 0))
        assert look(FTYP + fragmented(moof(0, count=30))[len(FTYP) :] + sidx + later).facts.duration == 95.0


def test_endless_fragments_end_the_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many fragments, or samples, make the duration a lower bound."""
    data = fragmented(*(moof(600 * second, count=30) for second in range(9)))
    monkeypatch.setattr("tiktok_core.domain.movies.MOST_FRAGMENTS", 4)
    assert (look(data).facts.duration, look(data).facts.may_be_longer) == (4.0, True)
    monkeypatch.undo()
    monkeypatch.setattr("tiktok_core.domain.fragments.MOST_SAMPLES", 70)
    assert (look(data).facts.duration, look(data).facts.may_be_longer) == (2.0, True)
    several = fragmented(*(moof(600 * second, count=10, runs=3) for second in range(2)))
    assert (look(several).facts.duration, look(several).facts.may_be_longer) == (2.0, False), "each run counts once"


# --- WebM ------------------------------------------------------------------------------------------------------------


def element(kind: int, *inside: bytes, length: int | None = None) -> bytes:
    """Return an element, with a length of its own or an unknown one (-1)."""
    body = b"".join(inside)
    told = (1 << 56) - 1 if length == -1 else len(body)
    return kind.to_bytes((kind.bit_length() + 7) // 8) + (told | 1 << 56).to_bytes(8) + body


def number(kind: int, value: int) -> bytes:
    """Return an element that holds a number."""
    return element(kind, value.to_bytes(max(1, (value.bit_length() + 7) // 8)))


def block(track: int, offset: int, frame: bytes = b"\x10") -> bytes:
    """Return a block of a cluster."""
    return element(0xA3, bytes([0x80 | track]), offset.to_bytes(2, signed=True), b"\0", frame)


def picture(
    track: int = 1, codec: bytes = b"V_VP9", *more: bytes, sides: tuple[int, int] = (640, 360), crop: bytes = b""
) -> bytes:
    """Return a track of pictures."""
    video = element(0xE0, number(0xB0, sides[0]), number(0xBA, sides[1]), crop)
    return element(0xAE, number(0xD7, track), number(0x83, 1), element(0x86, codec), video, *more)


SOUND = element(0xAE, number(0xD7, 2), number(0x83, 2), element(0x86, b"A_OPUS"))


def webm(tracks: bytes, *clusters: bytes, info: bytes = b"", length: int | None = None) -> bytes:
    """Return a WebM film."""
    header = element(0x1A45DFA3, element(0x4282, b"webm"))
    inside = (element(0x1549A966, number(0x2AD7B1, 1_000_000), info), element(0x1654AE6B, tracks), *clusters)
    return header + element(0x18538067, *inside, length=length)


def cluster(begins: int, *blocks: bytes, length: int | None = None) -> bytes:
    """Return a cluster."""
    return element(0x1F43B675, number(0xE7, begins), *blocks, length=length)


def seconds(value: float, width: str = ">d") -> bytes:
    """Return the duration of a segment, in thousandths."""
    return element(0x4489, struct.pack(width, value * 1000))


@pytest.mark.parametrize("length", [None, -1])
@pytest.mark.parametrize("of_cluster", [None, -1])
def test_the_clusters_of_a_live_film_tell_its_duration(length: int | None, of_cluster: int | None) -> None:
    """A browser writes no duration: the last block counts, also in clusters and segments of unknown length."""
    clusters = [
        cluster(1000 * at, *(block(1, 40 * n) for n in range(25)), block(2, 990), length=of_cluster)
        for at in range(660)
    ]
    facts = look(webm(picture() + SOUND, *clusters, length=length)).facts
    assert facts == VideoFacts(
        codec="VP9", frame_rate=25.0, has_variable_rate=True, width=640, height=360, duration=659.99, has_picture=True
    )


@pytest.mark.parametrize("width", [">d", ">f"])
def test_the_duration_of_the_segment_is_believed(width: str) -> None:
    """Tags say what they like. A duration that is no number is none."""
    clusters = [cluster(0, *(block(1, 40 * n) for n in range(25)))]
    assert look(webm(picture(), *clusters, info=seconds(12.5, width))).facts.duration == 12.5
    for nonsense in (float("nan"), float("inf"), -5.0, 0.0):
        assert look(webm(picture(), *clusters, info=seconds(nonsense, width))).facts.duration == 0.96


def test_the_first_gaps_say_nothing_about_the_rate() -> None:
    """All gaps count."""
    times = [*range(0, 400, 66), *range(400, 5000, 33)]
    facts = look(webm(picture(), cluster(0, *(block(1, time) for time in times)))).facts
    assert facts.frame_rate == pytest.approx(30, abs=2)


@pytest.mark.parametrize("stated", [b"", number(0x23E383, 33_333_333), number(0x23E383, 500_000_000)])
@pytest.mark.parametrize(("gap", "is_fast"), [(500, False), (10, True)])
def test_a_slow_webm_is_doubted_and_a_fast_one_is_refused(stated: bytes, gap: int, is_fast: bool) -> None:
    """Each of its frames has a time of its own, and nobody knows whether TikTok counts them or believes the list of tracks."""
    facts = look(webm(picture(1, b"V_VP9", stated), cluster(0, *(block(1, gap * n) for n in range(60))))).facts
    assert facts.frame_rate == pytest.approx(1000 / gap)
    assert [bool(list(judged(facts))) for judged in (media_problems, media_doubts)] == [is_fast, not is_fast]


def test_frames_that_are_never_shown_are_not_counted() -> None:
    """VP8 keeps some for later use, in blocks of their own."""
    blocks = [block(1, 20 * n, b"\x10" if n % 2 else b"\x00") for n in range(100)]
    assert look(webm(picture(1, b"V_VP8"), cluster(0, *blocks))).facts.frame_rate == pytest.approx(25)
    assert look(webm(picture(1, b"V_VP9"), cluster(0, *blocks))).facts.frame_rate == pytest.approx(50)


def test_a_block_may_lie_before_its_cluster_begins() -> None:
    """Its time is a number with a sign."""
    blocks = [block(1, 40 * n) for n in range(-10, 15)]
    assert look(webm(picture(), cluster(1000, *blocks))).facts.frame_rate == 25.0


def test_a_track_without_its_sides_has_none() -> None:
    """A side that is not told is not one pixel."""
    bare = element(0xAE, number(0xD7, 1), number(0x83, 1), element(0x86, b"V_VP9"), element(0xE0, number(0xBA, 360)))
    facts = look(webm(bare, cluster(0, block(1, 0)))).facts
    assert (facts.codec, facts.width) == ("VP9", None)


def test_blocks_in_groups_count_too() -> None:
    """A group holds a block and its duration."""
    groups = [element(0xA0, block(1, 40 * n).replace(b"\xa3", b"\xa1", 1), number(0x9B, 40)) for n in range(50)]
    assert look(webm(picture(), cluster(0, *groups))).facts.frame_rate == 25.0


def test_a_cropped_film_has_stored_and_shown_pixels() -> None:
    """Both are told: nobody knows by which TikTok goes. A crop of everything is none."""
    crop = number(0x54AA, 100) + number(0x54BB, 20) + number(0x54CC, 40) + number(0x54DD, 60)
    facts = look(webm(picture(crop=crop), cluster(0))).facts
    assert (facts.width, facts.height, facts.shown) == (640, 360, (540, 240))
    assert look(webm(picture(crop=number(0x54AA, 360)), cluster(0))).facts.shown is None


def test_a_track_of_one_picture_is_the_cover() -> None:
    """Each other track is told; a codec that nobody knows is unknown."""
    film_blocks = [block(1, 40 * n) for n in range(25)]
    tracks = (
        element(0xEC, b"filler") + picture(3, b"V_MJPEG", sides=(160, 90)) + picture(1) + picture(4, b"V_UNCOMPRESSED")
    )
    facts = look(webm(tracks, cluster(0, block(3, 0), *film_blocks, *(block(4, 40 * n) for n in range(25))))).facts
    assert (facts.codec, [one.codec for one in facts.others]) == ("VP9", [None])
    assert look(webm(SOUND, cluster(0, block(2, 0)))).facts.has_picture is False


def test_more_blocks_than_needed_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rate of the rest is then unknown; a duration that the segment states is known all the same."""
    monkeypatch.setattr("tiktok_core.domain.elements.MOST_BLOCKS", 30)
    clusters = [cluster(1000 * at, *(block(1, 40 * n) for n in range(25))) for at in range(9)]
    stated, live = look(webm(picture(), *clusters, info=seconds(9))).facts, look(webm(picture(), *clusters)).facts
    assert (stated.duration, stated.has_variable_rate, stated.may_be_longer) == (9.0, True, False)
    assert (live.duration, live.has_variable_rate, live.may_be_longer) == (8.96, True, False)


@pytest.mark.parametrize("rest", [b"\0" * 9, b"\xa3", b"\xa3\x00", b"\xa3\x84\x81\0", b"\xa3\x84\0\0\0\0"])
def test_what_follows_the_last_whole_block_is_not_known(rest: bytes) -> None:
    """A recording that was interrupted lasts at least until its last block."""
    clusters = cluster(0, *(block(1, 40 * n) for n in range(25)), rest, length=-1)
    facts = look(webm(picture(), clusters, length=-1)).facts
    assert (facts.duration, facts.may_be_longer) == (0.96, True)


def test_a_look_may_end_at_any_read() -> None:
    """However few reads there are, nothing is claimed that a whole look denies, and a lower bound is called one."""
    parts = [moof(600 * second, *[20] * 30) + box(b"free", bytes(20_000)) for second in range(20)]
    live = webm(picture(), *(cluster(1000 * at, block(1, 0, bytes(20_000)), block(1, 500)) for at in range(20)))
    for data in (fragmented(*parts), live, (MEDIA / "good.mp4").read_bytes()):
        whole = look(data).facts
        assert whole.duration is not None
        for steps in range(30):
            facts = look(data, steps=steps).facts
            assert facts.codec in (None, whole.codec)
            assert facts.has_picture in (None, whole.has_picture)
            assert facts.duration is None or facts.duration == whole.duration or facts.may_be_longer
            assert (facts.duration or 0) <= whole.duration


@given(data=st.data())
def test_any_bytes_end_the_look_in_peace(data: st.DataObject) -> None:
    """Noise, and films in which bytes were changed, moved or cut, raise nothing; every figure is positive."""
    films = [
        (MEDIA / name).read_bytes() for name in ("good.mp4", "fragmented.mp4", "vp8.webm", "live.webm", "h265.mov")
    ]
    films.append(fragmented(moof(0, 20, 20), moof(40, count=9), end=mfra(200, is_wide=True)))
    content = bytearray(data.draw(st.sampled_from(films)))
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(content)))
        piece = data.draw(st.binary(max_size=12))
        content[place : place + data.draw(st.integers(0, 20))] = piece
    for bytes_of in (bytes(content), data.draw(st.binary(max_size=200)), FTYP + data.draw(st.binary(max_size=200))):
        found = look(bytes_of).facts
        for one in (found, *found.others):
            for figure in (one.frame_rate, one.width, one.height, one.duration):
                assert figure is None or figure > 0
