"""Image files of every kind that is read: RGB bytes as Pillow gives them, pixel values as transformers' processors do.

Usage: python oracle/images.py              the fixtures: crates/prism-model/tests/fixtures/images/
       [PYTHONPATH=tf-RELEASE] python oracle/images.py wide FOLDER
                                            photographs (scikit-image's) and drawings of every kind into FOLDER, for
                                            PRISM_WIDE_IMAGES=FOLDER cargo test --release --workspace --test images_oracle
expected.json has for each file Pillow's mode and size, a hash of the RGB bytes (mode RGBA pasted on white, as qwen_vl_utils
does), the same after `ImageOps.exif_transpose` where that changes something, and hashes of `pixel_values` by the slow processor
(`use_fast=False`), the fast one (`use_fast=True`) and the one that AutoProcessor takes for the folder as it is saved; null where
Pillow refuses the file. `cuts` has for some files lengths to which they are cut, and whether Pillow still opens them. `sizes` has
what qwen_vl_utils' and the processor's `smart_resize` make of sides under a token's. Made with transformers 4.54.1; `wide` was
also run with 4.57.1 and 5.23.0.
"""
import hashlib
import io
import json
import struct
import sys
import tempfile
import warnings
import zlib
from pathlib import Path

import numpy as np
import PIL
import torch
import transformers
from PIL import Image, ImageOps, features
from transformers import AutoImageProcessor

import golden

warnings.simplefilter("ignore")
transformers.logging.set_verbosity_error()
here = Path(__file__).resolve().parent.parent / "crates/prism-model/tests/fixtures/images"
wide = len(sys.argv) == 3 and sys.argv[1] == "wide"
out = Path(sys.argv[2]) if wide else here
out.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(17)
torch.set_num_threads(2)
LIMITS = {"min_pixels": 3136, "max_pixels": 28 * 28 * 40}


def smooth(height, width, channels):
    """Waves, a hard edge and noise."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([127 + 120 * np.sin(x / (2 + c) + y / (5 - c)) for c in range(channels)], -1)
    waves[height // 3 : height // 2, width // 4 : width // 2] = rng.integers(0, 256, channels)
    return np.clip(waves + rng.normal(0, 10, waves.shape), 0, 255).astype(np.uint8)


def image(height, width, mode="RGB"):
    channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4, "P": 3, "1": 1}[mode]
    array = smooth(height, width, channels)
    made = Image.fromarray(array[..., 0] if channels == 1 else array, {"P": "RGB", "1": "L"}.get(mode, mode))
    return made.quantize(23) if mode == "P" else made.convert("1") if mode == "1" else made


def saved(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def exif(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def png(width, height, bits, colour, rows, *chunks):
    """A PNG file of raw rows."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(chunk(*c) for c in chunks) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def interlaced(array):
    """An interlaced PNG file of RGB, which Pillow does not write."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = [row.tobytes() for y, x, down, across in passes for row in array[y::down, x::across] if row.size]
    data = png(array.shape[1], array.shape[0], 8, 2, rows)
    head = bytearray(data[:33])
    head[28] = 1
    head[29:33] = struct.pack(">I", zlib.crc32(bytes(head[12:29])))
    return bytes(head) + data[33:]


def without_end(data):
    return data[:-12]


def flipped(data, at):
    changed = bytearray(data)
    changed[at] ^= 0x41
    return bytes(changed)


def bmp(width, height, bits, rows, masks=(), palette=b"", compression=0, down=False, header=40, colours=0):
    """A BMP file of raw rows, lowest first unless `down`."""
    extra = struct.pack("<" + "I" * len(masks), *masks)
    body = struct.pack("<IiiHHIIiiII", header, width, -height if down else height, 1, bits, compression, len(rows), 2835, 2835, colours, 0)
    body += extra if header == 40 else extra.ljust(header - 40, b"\0")
    start = 14 + len(body) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + body + palette + rows


def tiff(entries, data, big=False):
    """A TIFF file of one directory; `data` lies at byte 8."""
    e = ">" if big else "<"
    start = 8 + len(data) + len(data) % 2
    head = (b"MM\0*" if big else b"II*\0") + struct.pack(e + "I", start) + data + b"\0" * (len(data) % 2)
    fields, later, at = b"", b"", start + 2 + 12 * len(entries) + 4
    for tag, (kind, values) in sorted(entries.items()):
        code, width = {"H": (3, 2), "I": (4, 4)}[kind]
        block = struct.pack(e + kind * len(values), *values)
        if len(block) > 4:
            fields += struct.pack(e + "HHII", tag, code, len(values), at + len(later))
            later += block + b"\0" * (len(block) % 2)
        else:
            fields += struct.pack(e + "HHI", tag, code, len(values)) + block.ljust(4, b"\0")
    return head + struct.pack(e + "H", len(entries)) + fields + b"\0\0\0\0" + later


def plain_tiff(array, bits, photometric, big=False, **more):
    height, width = array.shape[:2]
    samples = 1 if array.ndim == 2 else array.shape[2]
    names = {"extra": 338, "format": 339, "order": 266, "orientation": 274, "planes": 284, "colours": 320}
    data = array.astype(array.dtype.newbyteorder(">" if big else "<")).tobytes()
    entries = {
        256: ("H", [width]), 257: ("H", [height]), 258: ("H", [bits] * samples), 259: ("H", [1]), 262: ("H", [photometric]),
        273: ("I", [8]), 277: ("H", [samples]), 278: ("H", [height]), 279: ("I", [len(data)]),
    }
    return tiff(entries | {names[k]: ("H", v) for k, v in more.items()}, data, big)


def gif_frame(width, height, place, indices, palette, transparent=None, local=None, interlaced=False):
    """A GIF file of one frame, laid anywhere; its codes are as long as they can be (no compression)."""
    x, y, w, h = place
    bits = 7
    data, codes, n = b"", [], 0
    for index in indices:
        if n % 100 == 0:
            codes.append(128)
        codes.append(index)
        n += 1
    codes.append(129)
    value = length = 0
    for code in codes:
        value |= code << length
        length += 8
    data = value.to_bytes((length + 7) // 8, "little")
    blocks = b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255)) + b"\0"
    control = b"!\xf9\x04" + bytes([1 if transparent is not None else 0, 0, 0, transparent or 0]) + b"\0"
    screen = b"GIF89a" + struct.pack("<HH", width, height) + (bytes([0x80 | 6, 0, 0]) + palette if palette else bytes([0, 0, 0]))
    flags = (0x80 | 6 if local else 0) | (0x40 if interlaced else 0)
    return screen + control + b"," + struct.pack("<HHHHB", x, y, w, h, flags) + (local or b"") + bytes([bits]) + blocks + b";"


def photographs():
    from skimage import data as photos

    names = ["astronaut", "cat", "coffee", "camera", "coins", "page", "text", "moon", "hubble_deep_field", "rocket", "immunohistochemistry", "chelsea"]
    for name in names:
        try:
            array = getattr(photos, name)()
        except Exception as error:  # what the wheel does not hold would be fetched
            print(name, "is not here:", type(error).__name__)
            continue
        yield name, Image.fromarray(array).convert("RGB")


def every_kind(name, picture):
    """One picture in every kind of file."""
    grey, alpha = picture.convert("L"), picture.copy()
    alpha.putalpha(Image.fromarray(smooth(picture.height, picture.width, 1)[..., 0]))
    yield f"{name}.png", saved(picture, "PNG")
    yield f"{name}_90.jpg", saved(picture, "JPEG", quality=90)
    yield f"{name}_420.jpg", saved(picture, "JPEG", quality=60, subsampling=2, progressive=True)
    yield f"{name}_lossy.webp", saved(picture, "WEBP", quality=70)
    yield f"{name}_lossless.webp", saved(picture, "WEBP", lossless=True)
    yield f"{name}_alpha.webp", saved(alpha, "WEBP", quality=60)
    yield f"{name}.gif", saved(picture, "GIF")
    yield f"{name}.bmp", saved(picture, "BMP")
    yield f"{name}_lzw.tiff", saved(picture, "TIFF", compression="tiff_lzw")
    yield f"{name}_deflate.tiff", saved(alpha, "TIFF", compression="tiff_adobe_deflate")
    yield f"{name}_jpeg.tiff", saved(picture, "TIFF", compression="jpeg")
    yield f"{name}.ppm", saved(picture, "PPM")
    yield f"{name}_alpha.png", saved(alpha, "PNG")
    yield f"{name}_palette.png", saved(picture.quantize(64), "PNG")
    yield f"{name}_grey.pgm", saved(grey, "PPM")
    yield f"{name}_grey.webp", saved(grey, "WEBP", quality=50)


def small():
    rows16 = [rng.integers(0, 65536, 2 * 20, dtype=np.uint16).astype(">u2").tobytes() for _ in range(14)]
    yield "grey16_alpha.png", png(20, 14, 16, 4, rows16)
    rgba16 = [rng.integers(0, 65536, 4 * 20, dtype=np.uint16).astype(">u2").tobytes() for _ in range(14)]
    yield "rgba16.png", png(20, 14, 16, 6, rgba16)
    yield "rgb16.png", png(20, 14, 16, 2, [rng.integers(0, 65536, 3 * 20, dtype=np.uint16).astype(">u2").tobytes() for _ in range(14)])
    yield "palette_short.png", png(9, 3, 8, 3, [bytes([0, 1, 2, 3, 100, 200, 255, 7, 1])] * 3, (b"PLTE", bytes(range(9))))
    good = saved(image(23, 31), "PNG")
    yield "no_end.png", without_end(good)
    yield "no_end_palette.png", without_end(saved(image(23, 31, "P"), "PNG"))
    yield "no_sum.png", good[:-16]
    yield "half_data.png", good[: len(good) // 2]
    yield "data_sum_wrong.png", flipped(good, len(good) - 13)
    yield "head_sum_wrong.png", flipped(good, 30)
    yield "text_sum_wrong.png", flipped(png(4, 2, 8, 0, [b"abcd"] * 2, (b"tEXt", b"a\0b")), 33 + 8)
    yield "behind_the_end.png", good + b"and more"
    yield "interlaced.png", interlaced(smooth(19, 23, 3))
    frames = [image(20, 30) for _ in range(3)]
    yield "frames.png", saved(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=50)
    yield "frames_default.png", saved(frames[0], "PNG", save_all=True, append_images=frames[1:], default_image=True)
    yield "frames_rgba.png", saved(image(20, 30, "RGBA"), "PNG", save_all=True, append_images=[image(20, 30, "RGBA")], duration=50)
    yield "oriented.png", saved(image(16, 26), "PNG", exif=exif(8))
    for quality in [1, 40, 80, 100]:
        yield f"lossy_{quality}.webp", saved(image(37, 53), "WEBP", quality=quality)
    for height, width in [(1, 1), (16, 16), (17, 33), (2, 70), (64, 3)]:
        yield f"lossy_{height}x{width}.webp", saved(image(height, width), "WEBP", quality=75)
    yield "lossless.webp", saved(image(37, 53), "WEBP", lossless=True)
    yield "lossless_palette.webp", saved(image(37, 53, "P").convert("RGB"), "WEBP", lossless=True)
    yield "lossless_alpha.webp", saved(image(37, 53, "RGBA"), "WEBP", lossless=True)
    yield "lossless_exact.webp", saved(image(37, 53, "RGBA"), "WEBP", lossless=True, exact=True)
    yield "alpha.webp", saved(image(37, 53, "RGBA"), "WEBP", quality=60)
    yield "alpha_coarse.webp", saved(image(37, 53, "RGBA"), "WEBP", quality=60, alpha_quality=20)
    yield "grey.webp", saved(image(30, 40, "L"), "WEBP", quality=60)
    yield "oriented.webp", saved(image(16, 26), "WEBP", quality=80, exif=exif(6))
    yield "frames.webp", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=50, quality=60)
    yield "frames_alpha.webp", saved(image(20, 30, "RGBA"), "WEBP", save_all=True, append_images=[image(20, 30, "RGBA")], lossless=True)
    yield "cut.webp", saved(image(37, 53), "WEBP", quality=80)[:-30]
    yield "plain.gif", saved(image(31, 45, "P"), "GIF")
    yield "grey.gif", saved(image(31, 45, "L"), "GIF")
    yield "bilevel.gif", saved(image(31, 45, "1"), "GIF")
    transparent = image(31, 45, "P")
    yield "transparent.gif", saved(transparent, "GIF", transparency=3)
    yield "rgba.gif", saved(image(31, 45, "RGBA"), "GIF")
    yield "frames.gif", saved(frames[0].quantize(20), "GIF", save_all=True, append_images=[f.quantize(20) for f in frames[1:]], duration=50)
    yield "interlaced.gif", saved(image(31, 45, "P"), "GIF", interlace=1)
    palette = bytes(rng.integers(0, 256, 3 * 128).tolist())
    local = bytes(rng.integers(0, 256, 3 * 128).tolist())
    pixels = [int(v) for v in rng.integers(0, 128, 48)]
    yield "offset.gif", gif_frame(12, 10, (2, 1, 8, 6), pixels, palette)
    yield "offset_transparent.gif", gif_frame(12, 10, (2, 1, 8, 6), pixels, palette, transparent=5)
    yield "offset_local.gif", gif_frame(12, 10, (2, 1, 8, 6), pixels, palette, local=local)
    yield "no_palette.gif", gif_frame(8, 6, (0, 0, 8, 6), pixels, b"")
    yield "larger_than_screen.gif", gif_frame(6, 5, (1, 1, 8, 6), pixels, palette)
    yield "cut.gif", saved(image(31, 45, "P"), "GIF")[:-60]
    for mode in ["RGB", "L", "1", "P", "RGBA"]:
        yield f"saved_{mode}.bmp", saved(image(13, 21, mode), "BMP")
    four = bytes(rng.integers(0, 256, 4 * 7 * 5).tolist())
    yield "x32.bmp", bmp(7, 5, 32, four)
    yield "down.bmp", bmp(7, 5, 32, four, down=True)
    yield "bgra32.bmp", bmp(7, 5, 32, four, (0xFF0000, 0xFF00, 0xFF, 0xFF000000), compression=3, header=56)
    yield "rgba32.bmp", bmp(7, 5, 32, four, (0xFF, 0xFF00, 0xFF0000, 0xFF000000), compression=3, header=108)
    yield "bgrx32.bmp", bmp(7, 5, 32, four, (0xFF0000, 0xFF00, 0xFF), compression=3)
    two = bytes(rng.integers(0, 256, 16 * 5).tolist())
    yield "b555.bmp", bmp(7, 5, 16, two)
    yield "b565.bmp", bmp(7, 5, 16, two, (0xF800, 0x7E0, 0x1F), compression=3)
    colours = bytes(rng.integers(0, 256, 4 * 16).tolist())
    yield "nibbles.bmp", bmp(7, 5, 4, bytes(rng.integers(0, 256, 4 * 5).tolist()), palette=colours)
    yield "few_colours.bmp", bmp(8, 5, 8, bytes(rng.integers(0, 16, 8 * 5).tolist()), palette=colours, colours=16)
    runs8 = b"".join(b"\x03\x05\x00\x04\x01\x02\x03\x04\x00\x00" for _ in range(5)) + b"\0\x01"
    yield "runs8.bmp", bmp(7, 5, 8, runs8, palette=colours, compression=1, colours=16)
    runs4 = b"".join(b"\x04\x5a\x00\x03\x12\x30\x00\x00" for _ in range(5)) + b"\0\x01"
    yield "runs4.bmp", bmp(7, 5, 4, runs4, palette=colours, compression=2)
    jump = b"\x02\x03\0\x02\x03\x01\x04\x02" + b"\0\0" + b"\x07\x01\0\0" * 3 + b"\0\x01"
    yield "runs_jump.bmp", bmp(7, 5, 8, jump, palette=colours, compression=1, colours=16)
    yield "cut.bmp", saved(image(13, 21), "BMP")[:-50]
    yield "masks_unknown.bmp", bmp(7, 5, 16, two, (0xF00, 0xF0, 0xF), compression=3)
    for mode in ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"]:
        for name in ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"]:
            yield f"{mode}_{name}.tiff", saved(image(19, 27, mode), "TIFF", compression=None if name == "raw" else name)
    yield "jpeg.tiff", saved(image(40, 50), "TIFF", compression="jpeg")
    yield "jpeg_grey.tiff", saved(image(40, 50, "L"), "TIFF", compression="jpeg", quality=60)
    yield "predictor.tiff", saved(image(19, 27), "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    yield "predictor_strips.tiff", saved(image(90, 60), "TIFF", compression="tiff_adobe_deflate", tiffinfo={317: 2, 278: 16})
    for orientation in range(2, 9):
        yield f"oriented_{orientation}.tiff", saved(image(8, 13), "TIFF", tiffinfo={274: orientation})
    grey16 = rng.integers(0, 700, (7, 11), dtype=np.uint16)
    yield "grey16.tiff", plain_tiff(grey16, 16, 1)
    yield "grey16_big.tiff", plain_tiff(grey16, 16, 1, big=True)
    yield "grey16_white.tiff", plain_tiff(grey16, 16, 0)
    yield "grey16_signed.tiff", plain_tiff(grey16.astype(np.int16) - 300, 16, 1, format=[2])
    yield "rgb16.tiff", plain_tiff(rng.integers(0, 65536, (7, 11, 3), dtype=np.uint16), 16, 2)
    yield "rgb16_big.tiff", plain_tiff(rng.integers(0, 65536, (7, 11, 3), dtype=np.uint16), 16, 2, big=True)
    yield "rgba16.tiff", plain_tiff(rng.integers(0, 65536, (7, 11, 4), dtype=np.uint16), 16, 2, extra=[2])
    yield "float.tiff", plain_tiff((rng.random((7, 11)) * 600 - 150).astype(np.float32), 32, 1, format=[3])
    yield "whole32.tiff", plain_tiff(rng.integers(-200, 500, (7, 11), dtype=np.int32), 32, 1, format=[2])
    yield "white_is_0.tiff", plain_tiff(smooth(7, 11, 1)[..., 0], 8, 0)
    yield "rgbx.tiff", plain_tiff(smooth(7, 11, 4), 8, 2, extra=[0])
    yield "multiplied.tiff", plain_tiff(smooth(7, 11, 4), 8, 2, extra=[1])
    yield "no_extra.tiff", plain_tiff(smooth(7, 11, 4), 8, 2)
    yield "reversed.tiff", plain_tiff(smooth(7, 11, 1)[..., 0], 8, 1, order=[2])
    yield "ten_bits.tiff", plain_tiff(grey16, 10, 1)
    yield "cut.tiff", saved(image(19, 27), "TIFF", compression="tiff_lzw")[:60]
    for mode in ["1", "L", "RGB"]:
        yield f"saved_{mode}.pnm", saved(image(9, 14, mode), "PPM")
    yield "plain_bits.pnm", b"P1\n# a comment\n7 2\n1010101 0 1 0 1 0 1 0\n"
    yield "plain_grey.pnm", b"P2\n3 2\n7\n0 1 2\n# inside\n5 6 7\n"
    yield "plain_colour.pnm", b"P3 2 2 255\n1 2 3  4 5 6\n255 0 9 100 200 50\n"
    yield "most_100.pnm", b"P6 3 2 100\n" + bytes(rng.integers(0, 101, 18).tolist())
    yield "most_1000.pnm", b"P6 3 2 1000\n" + rng.integers(0, 1001, 18).astype(">u2").tobytes()
    yield "grey_most_1000.pnm", b"P5 3 2 1000\n" + rng.integers(0, 1001, 6).astype(">u2").tobytes()
    yield "grey_most_65535.pnm", b"P5 3 2 65535\n" + rng.integers(0, 500, 6).astype(">u2").tobytes()
    yield "float.pnm", b"Pf 3 2 -1.0\n" + (rng.random(6) * 500 - 100).astype("<f4").tobytes()
    yield "float_big.pnm", b"Pf 3 2 1.0\n" + (rng.random(6) * 500 - 100).astype(">f4").tobytes()
    yield "comments.pnm", b"P6#c\n3 #d\n2\n255\n" + bytes(range(18))
    yield "cut.pnm", b"P6 3 2 255\n" + bytes(17)
    yield "too_large_value.pnm", b"P2 2 1 5\n1 9\n"
    yield "no_white.pnm", b"P5 2 1 0\nab"
    for orientation in range(2, 9):
        yield f"oriented_{orientation}.jpg", saved(image(16, 24), "JPEG", exif=exif(orientation), quality=70)
    # By content, whatever the name says.
    yield "really_webp.png", saved(image(20, 20), "WEBP", quality=70)
    yield "really_gif.jpg", saved(image(20, 20, "P"), "GIF")
    yield "really_png.bmp", saved(image(20, 20), "PNG")
    # No image, or none that is read.
    yield "pointer.png", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
    yield "empty.png", b""
    yield "page.jpg", b"<!DOCTYPE html><html><body>404</body></html>"
    yield "text.png", b"hello"


def as_rgb(opened):
    """As qwen_vl_utils' to_rgb."""
    if opened.mode == "RGBA":
        white = Image.new("RGB", opened.size, (255, 255, 255))
        white.paste(opened, mask=opened.split()[3])
        return white
    return opened.convert("RGB")


def opened(data):
    """Mode and RGB image, or None where Pillow refuses."""
    try:
        found = Image.open(io.BytesIO(data))
        mode = found.mode
        return found, mode, as_rgb(found)
    except (OSError, SyntaxError, ValueError, EOFError, TypeError, struct.error, zlib.error, IndexError, KeyError):
        return None


def digest(data):
    return hashlib.sha256(data).hexdigest()[:32]


def processors():
    """The slow one, the fast one, and AutoProcessor's own of a folder that names the slow one."""
    with tempfile.TemporaryDirectory() as name:
        settings = json.loads((golden.GOLDEN / "checkpoints/lvr/preprocessor_config.json").read_text())
        settings |= {**LIMITS, "size": {"shortest_edge": LIMITS["min_pixels"], "longest_edge": LIMITS["max_pixels"]}}
        Path(name, "preprocessor_config.json").write_text(json.dumps(settings))
        chosen = [AutoImageProcessor.from_pretrained(name, **options) for options in [{"use_fast": False}, {"use_fast": True}, {}]]
    return dict(zip(["slow", "fast", "as-saved"], chosen))


def pixel_values(processor, rgb):
    values = processor(images=[rgb], return_tensors="pt")["pixel_values"]
    return digest(np.ascontiguousarray(values.numpy().astype("<f4")).tobytes())


def files():
    if not wide:
        return small()
    drawn = [(f"drawn_{h}x{w}", image(h, w)) for h, w in [(37, 91), (300, 200), (5, 400), (700, 640)]]
    return (file for name, picture in [*photographs(), *drawn] for file in every_kind(name, picture))


chosen = processors()
expected, cuts = {}, {}
for name, data in files():
    (out / name).write_bytes(data)
    found = opened(data)
    if found is None:
        expected[name] = None
        continue
    picture, mode, rgb = found
    expected[name] = {"mode": mode, "size": rgb.size, "rgb": digest(rgb.tobytes())}
    turned = opened(data)[0]
    transposed = as_rgb(ImageOps.exif_transpose(turned))
    if transposed.tobytes() != rgb.tobytes():
        expected[name]["turned"] = digest(transposed.tobytes())
    if max(rgb.size) <= 200 * min(rgb.size) and (wide or len(expected) % 2 == 0):
        # The slow processor of transformers 4 takes the rows of an image 1 or 3 pixels high for channels.
        fit = {kind: processor for kind, processor in chosen.items() if kind != "slow" or rgb.height not in (1, 3)}
        expected[name]["pixel_values"] = {kind: pixel_values(processor, rgb) for kind, processor in fit.items()}
if not wide:
    for name in ["no_end.png", "interlaced.png", "grey16_alpha.png", "frames.png", "plain.gif", "lossy_80.webp", "lossless.webp", "L_packbits.tiff", "saved_P.bmp", "saved_RGB.pnm"]:
        data = (out / name).read_bytes()
        lengths = sorted({len(data) - n for n in [0, 1, 2, 3, 4, 5, 8, 10, 12]} | set(range(0, len(data), max(1, len(data) // 17))))
        cuts[name] = [[length, opened(data[:length]) is not None] for length in lengths if length >= 0]
sizes = []
if not wide:
    from qwen_vl_utils.vision_process import smart_resize as fetched
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize as processed

    sides = [(10, 2000), (13, 14), (14, 14), (15, 2900), (27, 28), (1, 1), (1, 200), (200, 1), (5, 999), (2000, 10), (42, 70), (300, 500)]
    for height, width in sides:
        for low, high in [(3136, 12845056), (3136, 50176), (784, 1003520)]:
            sizes.append([height, width, low, high, *processed(height, width, 28, low, high), *fetched(height, width, 28, low, high)])
versions = {
    "transformers": transformers.__version__, "pillow": PIL.__version__, "numpy": np.__version__, "torch": torch.__version__,
    **{name: features.version(name) for name in ["webp", "libtiff", "libjpeg_turbo"]},
}
document = {"versions": versions, **LIMITS, "images": expected, "cuts": cuts, "sizes": sizes}
(out / "expected.json").write_text(json.dumps(document, indent=None).replace('}, "', '},\n "') + "\n")
refused = [name for name, found in expected.items() if found is None]
print(versions, len(expected), "files,", sum((out / name).stat().st_size for name in expected), "bytes; refused:", refused)
