"""Compares the frames that pixdex takes from videos with those of FFmpeg's libraries, over generated clips of every kind.

    cargo build --example frames
    python tests/second_decoder/compare_video.py target/debug/examples/frames

Needs PyAV and numpy. A clip is right where its frames are key frames of it, seen at the same times to the millisecond, of the same
size, and differ by two of 255 in the mean at most. Ends with 1 where one is wrong.
"""

import json
import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy
from av.video.reformatter import ColorRange, Colorspace, Interpolation

MOST = 2.0
RATE = 25

# The encoder of AV1 tells of itself for each clip otherwise.
os.environ.setdefault("SVT_LOG", "1")


def picture(at, width, height):
    """Smooth, and another one each second."""
    y, x = numpy.mgrid[0:height, 0:width]
    turn = at // RATE
    return numpy.stack(
        [
            127 + 100 * numpy.sin(x / 47 + y / 37 + turn),
            127 + 100 * numpy.sin(x / 61 - y / 43 + 2 * turn),
            127 + 100 * numpy.cos(x / 33 + y / 59 - turn + at / 90),
        ],
        2,
    ).astype(numpy.uint8)


def write(path, codec, seconds, size, pixels="yuv420p", matrix="bt709", full=False, gop=RATE, b_frames=0, container=None, **options):
    """A clip of this kind."""
    with av.open(str(path), "w", options=container or {}) as out:
        stream = out.add_stream(codec, rate=RATE)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        stream.codec_context.time_base = Fraction(1, RATE)
        space = {"bt709": 1, "bt601": 6, "bt2020": 9}[matrix]
        stream.codec_context.colorspace = space
        stream.codec_context.color_range = 2 if full else 1
        if options:
            stream.options = {key: str(value) for key, value in options.items()}
        for at in range(round(seconds * RATE)):
            frame = av.VideoFrame.from_ndarray(picture(at, *size), "rgb24")
            frame = frame.reformat(
                format=pixels,
                dst_colorspace={1: Colorspace.ITU709, 6: Colorspace.ITU601, 9: 9}[space],
                dst_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
                interpolation=Interpolation.BICUBIC,
            )
            frame.colorspace = space
            frame.color_range = 2 if full else 1
            frame.pts = at
            frame.time_base = Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def clips(folder):
    """By name, files of every kind."""
    kinds = {}
    x264 = {"crf": 18, "x264-params": "scenecut=0"}
    x265 = {"crf": 18, "x265-params": "log-level=error:scenecut=0"}
    av1 = {"crf": 25, "svtav1-params": "scd=0"}
    small, hd, odd = (320, 240), (1280, 720), (322, 178)

    def add(name, codec, seconds=4, size=small, **how):
        path = folder / name
        write(path, codec, seconds, size, **how)
        kinds[name] = path

    for ending in ("mp4", "mov", "mkv", "m4v", "3gp"):
        add(f"h264.{ending}", "libx264", **x264)
    for ending in ("mp4", "mov", "mkv"):
        add(f"hevc.{ending}", "libx265", **x265)
    for ending in ("mp4", "mkv", "webm"):
        add(f"av1.{ending}", "libsvtav1", **av1)
    for codec, options in (("libx264", x264), ("libx265", x265), ("libsvtav1", av1)):
        short = codec.removeprefix("lib").removeprefix("svt")
        add(f"{short}-odd.mp4", codec, size=odd, **options)
        add(f"{short}-601.mp4", codec, size=hd, seconds=1, matrix="bt601", **options)
        add(f"{short}-full.mp4", codec, full=True, **options)
        add(f"{short}-ten.mp4", codec, pixels="yuv420p10le", **options)
        add(f"{short}-hd.mkv", codec, size=hd, seconds=2, **options)
        add(f"{short}-long.mp4", codec, seconds=30, size=(160, 120), **options)
        pieces = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
        add(f"{short}-pieces.mp4", codec, container=pieces, **options)
    add("h264-front.mp4", "libx264", container={"movflags": "faststart"}, **x264)
    add("h264-every-frame.mp4", "libx264", gop=1, **x264)
    add("h264-b.mp4", "libx264", b_frames=2, **x264)
    add("hevc-b.mp4", "libx265", b_frames=2, **x265)
    add("h264-b.mkv", "libx264", b_frames=2, **x264)
    add("h264-b-pieces.mp4", "libx264", b_frames=2, container={"movflags": "frag_keyframe+empty_moov"}, **x264)
    add("h264-half.mp4", "libx264", pixels="yuv422p", **x264)
    add("h264-grey.mp4", "libx264", pixels="gray", **x264)
    add("h264-interlaced.mp4", "libx264", **{**x264, "flags": "+ildct+ilme"})
    add("h264-cavlc.mp4", "libx264", profile="baseline", **x264)
    add("h264-live.mkv", "libx264", container={"live": "1"}, **x264)
    add("av1-live.webm", "libsvtav1", container={"live": "1"}, **av1)
    add("hevc-half.mkv", "libx265", pixels="yuv422p", **x265)
    add("hevc-full-colour.mp4", "libx265", pixels="yuv444p", **x265)
    return kinds


def reference(path):
    """The key frames of a clip as FFmpeg has them, by their times in milliseconds, and its length."""
    frames = {}
    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        stream.codec_context.skip_frame = "NONKEY"
        for frame in clip.decode(stream):
            if frame.key_frame:
                # Without these, colours are doubled and rounded for speed, which alone is two steps off.
                exact = Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
                shown = frame.reformat(format="rgb24", interpolation=exact)
                frames[round(max(frame.time, 0) * 1000)] = shown.to_ndarray()
        length = clip.duration and clip.duration / 1000
    return frames, length


def read(path):
    head, pixels = path.read_bytes().split(b" 255\n", 1)
    _, width, height = head.split()
    return numpy.frombuffer(pixels, numpy.uint8).reshape(int(height), int(width), 3)


def judge(name, path, answer, out):
    """What is wrong with a clip."""
    if not answer.startswith("{"):
        return answer
    known = json.loads(answer)
    frames, length = reference(path)
    found = sorted(int(file.stem) for file in out.glob("*.ppm"))
    if not found:
        return "no frames"
    if length and abs(known["duration_ms"] - length) > 45:
        return f"{known['duration_ms']} ms long, not {length}"
    worst = 0
    for time in found:
        near = min(frames, key=lambda other: abs(other - time))
        if abs(near - time) > 1:
            return f"a frame at {time} ms, key frames are at {sorted(frames)}"
        mine = read(out / f"{time}.ppm")
        if mine.shape != frames[near].shape:
            return f"{mine.shape}, not {frames[near].shape}"
        worst = max(worst, numpy.abs(mine.astype(int) - frames[near]).mean())
    return f"{worst:.2f} of 255 off" if worst > MOST else None


def main():
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        kinds = clips(folder)
        with subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
            for name, path in kinds.items():
                out = folder / f"{name}.frames"
                out.mkdir()
                program.stdin.write(f"{path}\t{out}\n")
                program.stdin.flush()
                fault = judge(name, path, program.stdout.readline().strip(), out)
                wrong += fault is not None
                print(f"{name}: {fault or 'right'}")
            program.stdin.close()
    print(f"{len(kinds) - wrong} of {len(kinds)} right")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
