#!/bin/sh
# Makes the media of this folder anew, with ffmpeg 5.1 (libx264, libx265, libvpx, libwebp). The tests do not need it.
set -eu
cd "$(dirname "$0")"

exact="-map_metadata -1 -fflags +bitexact -flags:v +bitexact"
black() { # width x height, frames a second, seconds
  echo "-f lavfi -i color=black:size=$1:rate=$2:duration=$3"
}
make() { ffmpeg -hide_banner -loglevel error -y "$@"; }
h264="-c:v libx264 -preset veryslow -crf 51 -pix_fmt yuv420p"

# What TikTok takes.
make $(black 720x1280 30 5) $h264 $exact good.mp4
make $(black 720x1280 30 5) $h264 $exact -movflags +faststart index-first.mp4
make $(black 360x640 24 1) $h264 $exact -movflags frag_keyframe+empty_moov fragmented.mp4
make $(black 360x640 30000/1001 1) -c:v libx265 -preset veryslow -x265-params log-level=none:info=0 $exact h265.mov
make $(black 360x640 60 1) -c:v libvpx $exact vp8.webm
make $(black 360x640 30 1) -c:v libvpx-vp9 $exact vp9.webm
make $(black 360x640 30 1) -c:v libvpx $exact -live 1 -f webm pipe:1 > live.webm
# Its rate varies, and is 13 a second on the whole.
make $(black 360x640 30 2) -vf "select='not(mod(n,7))+not(mod(n,3))'" -fps_mode vfr $h264 $exact varying.mp4

# What it refuses.
make $(black 360x640 1 660) $h264 $exact eleven-minutes.mp4
make $(black 720x1280 15 2) $h264 $exact 15fps.mp4
make $(black 5000x400 30 1) $h264 $exact 5000-wide.mp4
make $(black 360x200 30 1) $h264 $exact 200-high.mp4
make $(black 360x640 30 1) -c:v mpeg4 -q:v 31 $exact mpeg4.mp4
make -f lavfi -i sine=duration=1 -c:a aac -b:a 16k $exact sound.m4a
head -c 1500 good.mp4 > cut-index.mp4
head -c 4000 index-first.mp4 > cut-frames.mp4
head -c 1000 vp8.webm > cut.webm

# Pictures: what it takes, and what it refuses.
make $(black 1080x1920 1 1) -frames:v 1 -q:v 31 -bitexact good.jpg
make $(black 1080x1920 1 1) -frames:v 1 -quality 0 -bitexact good.webp
make $(black 1080x1920 1 1) -frames:v 1 -lossless 1 -bitexact lossless.webp
make -f lavfi -i testsrc=size=64x48:rate=2:duration=1 -c:v libwebp_anim -quality 0 -bitexact animated.webp
make $(black 1254x1254 1 1) -frames:v 1 -q:v 31 -bitexact 1254.jpg
make $(black 1080x1080 1 1) -frames:v 1 -pred mixed -bitexact square.png
cp good.jpg renamed.mp4
