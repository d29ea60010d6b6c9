#!/usr/bin/env bash
# What surprises: the header of a fragmented MP4 states a duration, and it is that of the first fragment alone.
#
# ffmpeg 7.0.2 (imageio-ffmpeg 0.6.0) with `-movflags frag_keyframe`, as recorders use it, writes the index after the first
# fragment. It then stands before the others, and `mvhd`, `tkhd` and `mdhd` all say 1.04 seconds of a film of ten. Only with
# `empty_moov` does the header say nothing (0). So a duration in the header of such a film is no duration of the film, and no box
# beside it says so: `mvex` has no `mehd`. Readers that know tags and lengths believe it: mutagen 1.48.1 and tinytag 2.3.2 tell 1.04 s.
#
# A limit on the length of a film (a minute, ten minutes) that is checked with them lets every such film through. What holds is the
# sum of the fragments, as ffmpeg itself shows (10.0 s).
#
# This script fails as soon as one of these facts has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip --quiet --disable-pip-version-check install imageio-ffmpeg==0.6.0 mutagen==1.48.1 tinytag==2.3.2 2>"$folder/pip.log" ||
  { cat "$folder/pip.log"; exit 1; }
ffmpeg=$("$python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')

cd "$folder"
make() {
  "$ffmpeg" -nostdin -loglevel error -y -f lavfi -i testsrc2=s=320x240:r=30:d=10 -f lavfi -i sine=d=10 \
    -c:v libx264 -preset ultrafast -g 30 -c:a aac -movflags "$2" "$1"
}
make fragments.mp4 frag_keyframe
make empty.mp4 frag_keyframe+empty_moov

found=$("$python" - <<'PYTHON'
import struct

import mutagen.mp4
import tinytag


def boxes(data, start, end):
    while start + 8 <= end:
        length, kind = struct.unpack(">I4s", data[start : start + 8])
        yield kind, start + 8, start + length
        start += length


def header(path):
    """Return the seconds that the film's header states, and the number of its fragments."""
    data = open(path, "rb").read()
    top = list(boxes(data, 0, len(data)))
    ((_, start, end),) = [box for box in top if box[0] == b"moov"]
    ((_, at, _),) = [box for box in boxes(data, start, end) if box[0] == b"mvhd"]
    scale, duration = struct.unpack(">II", data[at + 12 : at + 20])
    return round(duration / scale, 2), sum(kind == b"moof" for kind, _, _ in top)


for path in ("fragments.mp4", "empty.mp4"):
    seconds, fragments = header(path)
    length = round(mutagen.mp4.MP4(path).info.length, 2)
    tagged = round(tinytag.TinyTag.get(path).duration, 2)
    print(f"{path}: header {seconds:g} s, mutagen {length:g} s, tinytag {tagged:g} s, more fragments: {fragments > 1}")
PYTHON
)
echo "$found"
shown=$("$ffmpeg" -nostdin -hide_banner -i fragments.mp4 2>&1 | grep -o 'Duration: 00:00:10') || true
echo "ffmpeg shows: $shown"
expected="fragments.mp4: header 1.04 s, mutagen 1.04 s, tinytag 1.04 s, more fragments: True
empty.mp4: header 0 s, mutagen 0 s, tinytag 0 s, more fragments: True"
[ "$found" = "$expected" ] && [ "$shown" = "Duration: 00:00:10" ] || { echo "This has changed."; exit 1; }
