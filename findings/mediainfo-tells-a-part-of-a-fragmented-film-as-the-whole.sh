#!/usr/bin/env bash
# What surprises: MediaInfo calls the part of a fragmented MP4 that it could read the duration of the whole film, and the first
# three gaps of a WebM its constant frame rate.
#
# pymediainfo 7.0.1 (its wheel holds MediaInfo 24.12) takes an open file, so that only a part of a film on a slow or distant
# disk has to be read. A reader that stops after some megabytes (here 4 MiB) then looks like the end of the file. For an ordinary MP4, whose
# index states the duration, this is right. A fragmented one has no such figure: MediaInfo adds up the fragments that it was
# given, and says neither that there may be more nor that the figure is a sum so far.
#
# With parse_speed=0, the quickest look, it also calls the rate of a WebM constant ("CFR") after three gaps between frames. A
# film of 30 frames a second that begins with eight slower ones is told as 15, and so is out of many sites' limits.
#
# The films are made by ffmpeg (imageio-ffmpeg 0.6.0). This script fails as soon as one of these facts has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip --quiet --disable-pip-version-check install pymediainfo==7.0.1 imageio-ffmpeg==0.6.0 2>"$folder/pip.log" ||
  { cat "$folder/pip.log"; exit 1; }
ffmpeg=$("$python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
make() { "$ffmpeg" -nostdin -loglevel error -y "$@"; }

cd "$folder"
make -f lavfi -i testsrc2=s=640x360:r=30:d=10 -c:v libx264 -preset ultrafast -g 30 part.mp4
make -stream_loop 29 -i part.mp4 -c copy -movflags frag_keyframe+empty_moov+skip_trailer long.mp4
make -f lavfi -i testsrc2=s=640x360:r=30:d=5 -vf "select='if(lt(n,8),not(mod(n,2)),1)'" -fps_mode vfr -c:v libvpx gaps.webm

found=$("$python" - <<'PYTHON'
from pymediainfo import MediaInfo


class Beginning:
    """A file of which only so many bytes are given."""

    mode = "rb"

    def __init__(self, path):
        self.file = open(path, "rb")
        self.size = self.file.seek(0, 2)
        self.left = 4 * 1024**2
        self.file.seek(0)

    def seek(self, offset, whence=0):
        return self.file.seek(offset, whence)

    def tell(self):
        return self.file.tell()

    def read(self, length):
        data = self.file.read(min(length, self.left))
        self.left -= len(data)
        return data


(whole,) = MediaInfo.parse("long.mp4", parse_speed=0).video_tracks
(part,) = MediaInfo.parse(Beginning("long.mp4"), parse_speed=0).video_tracks
(webm,) = MediaInfo.parse("gaps.webm", parse_speed=0).video_tracks
seconds = [round(track.duration / 1000) for track in (whole, part)]
print(f"whole {seconds[0]} s, a part of it told as {seconds[1]} s; 29 frames a second told as {float(webm.frame_rate):g}, {webm.frame_rate_mode}")
PYTHON
)
echo "$found"
[ "$found" = "whole 300 s, a part of it told as 64 s; 29 frames a second told as 15, CFR" ] || { echo "This has changed."; exit 1; }
