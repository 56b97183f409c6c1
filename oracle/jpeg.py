"""RGB bytes of small JPEG files as Pillow (libjpeg-turbo) decodes them, and what it refuses.

Usage: python oracle/jpeg.py
Writes crates/prism-model/tests/fixtures/jpeg/: the files, and expected.json with, for each, its mode, size
and a hash of its RGB bytes, or null where Pillow raises. `cuts` has, for some files, every length they are
cut to and whether Pillow still opens them. Made with Pillow 13.0.0 (libjpeg-turbo 3.2.0), numpy 2.4.6;
the versions of a new run are written into expected.json.
"""
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, features

out = Path(__file__).resolve().parent.parent / "crates/prism-model/tests/fixtures/jpeg"
out.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(7)


def smooth(height, width, channels):
    """Waves, hard edges and noise, so that every path of the upsampling has something to do."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([127 + 120 * np.sin(x / (2 + c) + y / (5 - c)) for c in range(channels)], -1)
    waves[height // 3 : height // 2, width // 4 : width // 2] = rng.integers(0, 256, channels)
    return np.clip(waves + rng.normal(0, 15, waves.shape), 0, 255).astype(np.uint8)


def jpeg(height, width, mode="RGB", **options):
    channels = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    array = smooth(height, width, channels)
    image = Image.fromarray(array[..., 0] if channels == 1 else array, mode)
    file = io.BytesIO()
    image.save(file, "JPEG", **{"quality": 85, **options})
    return file.getvalue()


def patched(data, marker, offset, value):
    """The file with one byte of the first segment of that kind replaced."""
    at = data.index(bytes([0xFF, marker])) + 4 + offset
    return data[:at] + bytes([value]) + data[at + 1 :]


def four_by_two(data):
    """A 4:2:2 file of a square relabelled 4:4:0: as many blocks, chroma halved downwards."""
    return patched(data, 0xC0, 7, 0x12)


cases = {}
for name, subsampling in [("444", 0), ("422", 1), ("420", 2)]:
    for height, width in [(32, 48), (33, 47), (1, 1), (7, 90), (61, 2)]:
        cases[f"{name}_{height}x{width}"] = jpeg(height, width, subsampling=subsampling)
    cases[f"{name}_progressive"] = jpeg(45, 67, subsampling=subsampling, progressive=True)
    for quality in [10, 100]:
        cases[f"{name}_quality{quality}"] = jpeg(37, 53, subsampling=subsampling, quality=quality)
exif = Image.Exif()
exif[0x0112] = 6
cases |= {
    "grey": jpeg(33, 47, "L"),
    "grey_progressive": jpeg(33, 47, "L", progressive=True),
    "cmyk": jpeg(33, 47, "CMYK"),
    "cmyk_quality30": jpeg(16, 90, "CMYK", quality=30),
    "stored_rgb": jpeg(33, 47, keep_rgb=True),
    "restarts": jpeg(50, 70, subsampling=2, restart_marker_blocks=2),
    "optimised": jpeg(50, 70, optimize=True),
    "rotated_by_exif": jpeg(20, 44, exif=exif),
    "440": four_by_two(jpeg(64, 64, subsampling=1)),
    "large": jpeg(211, 307, subsampling=2, quality=60),
}
cases["ycck"] = patched(cases["cmyk"], 0xEE, 11, 2)
cases["bytes_behind_the_end"] = cases["420_33x47"] + b"and more"
broken = bytearray(cases["420_quality100"])
broken[len(broken) * 2 // 3] ^= 0x55
cases["one_byte_wrong"] = bytes(broken)
cases["five_channels"] = patched(cases["grey"], 0xC0, 5, 5)


def rgb(data):
    """RGB bytes as transformers gets them, or None where Pillow raises."""
    try:
        image = Image.open(io.BytesIO(data))
        return image.mode, image.convert("RGB")
    except (OSError, SyntaxError):
        return None


expected, cuts = {}, {}
for name, data in cases.items():
    (out / f"{name}.jpg").write_bytes(data)
    opened = rgb(data)
    expected[name] = opened and {
        "mode": opened[0], "size": opened[1].size, "sha256": hashlib.sha256(opened[1].tobytes()).hexdigest(),
    }
for name in ["420_33x47", "420_progressive", "grey", "restarts"]:
    data = cases[name]
    lengths = sorted({len(data) - n for n in [0, 1, 2, 3, 4, 10]} | set(range(0, len(data), max(1, len(data) // 23))))
    cuts[name] = [[length, rgb(data[:length]) is not None] for length in lengths]
versions = {"pillow": PIL.__version__, "libjpeg_turbo": features.version("libjpeg_turbo"), "numpy": np.__version__}
(out / "expected.json").write_text(json.dumps({"versions": versions, "images": expected, "cuts": cuts}, indent=None) + "\n")
print(versions, len(cases), sum(map(len, cases.values())), {n: e and e["mode"] for n, e in expected.items()})
print({n: [c for c in v if c[1]] for n, v in cuts.items()})
