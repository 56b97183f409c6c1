"""Pixels of small odd images by transformers' slow Qwen2-VL image processor behind Pillow.

Usage: python oracle/preprocess.py
Writes crates/prism-model/tests/fixtures/preprocess/: the PNG files, and expected.json with, for each,
grid and a hash and a few values of `pixel_values`.
"""
import hashlib
import json
from pathlib import Path

import numpy as np
import PIL
import transformers
from PIL import Image
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor

out = Path(__file__).resolve().parent.parent / "crates/prism-model/tests/fixtures/preprocess"
out.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(11)


def smooth(height, width, channels):
    """Waves with noise: every value occurs, edges overshoot when resized."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 127 * np.sin(x / (3 + c) + y / (5 - c)) for c in range(channels)]
    return np.clip(np.stack(waves, -1) + rng.normal(0, 12, (height, width, channels)), 0, 255).astype(np.uint8)


def rgb(height, width):
    return Image.fromarray(smooth(height, width, 3))


def palette():
    image = rgb(31, 45).quantize(17)
    image.info["transparency"] = 3
    return image


cases = {
    "square": rgb(40, 40), "odd": rgb(37, 91), "half_even": rgb(42, 70), "tiny": rgb(2, 5), "large": rgb(150, 260),
    "wide": rgb(4, 300), "tall": rgb(350, 5), "exact": rgb(56, 84), "one_pass": rgb(56, 100), "dot": rgb(5, 4),
    "stripes": Image.fromarray((np.indices((45, 64, 3)).sum(0) % 2 * 255).astype(np.uint8)),
    "grey": Image.fromarray(smooth(33, 50, 1)[..., 0]),
    "grey_alpha": Image.fromarray(smooth(33, 50, 2), "LA"),
    "bilevel": Image.fromarray(smooth(33, 50, 1)[..., 0]).convert("1"),
    "palette": rgb(31, 45).quantize(17), "palette_few": rgb(31, 45).quantize(3), "palette_transparent": palette(),
    "rgba": Image.fromarray(smooth(29, 61, 4), "RGBA"),
    "grey16": Image.fromarray((smooth(33, 50, 1)[..., 0].astype(np.uint16) * 2)),
    "grey16_high": Image.fromarray((smooth(33, 50, 1)[..., 0].astype(np.uint16) * 257)),
}
expected = {}
limits = {"min_pixels": 28 * 28 * 4, "max_pixels": 28 * 28 * 24}
processor = Qwen2VLImageProcessor(**limits)
for name, image in cases.items():
    path = out / f"{name}.png"
    options = {"bits": 2} if name == "palette_few" else {}
    image.save(path, optimize=True, **options)
    opened = Image.open(path)
    mode = opened.mode
    if mode == "RGBA":  # as qwen-vl-utils does
        white = Image.new("RGB", opened.size, (255, 255, 255))
        white.paste(opened, mask=opened.split()[3])
        opened = white
    else:
        opened = opened.convert("RGB")
    result = processor(images=[opened], return_tensors="np")
    pixels = np.ascontiguousarray(result["pixel_values"].astype("<f4"))
    expected[name] = {
        "mode": mode, "grid": result["image_grid_thw"][0].tolist(), "sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
        "sum": float(pixels.astype(np.float64).sum()),
    }
sizes = []
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize  # noqa: E402

for height, width in rng.integers(1, 4200, (400, 2)).tolist() + [[14, 14], [42, 42], [70, 98], [1, 200], [200, 1], [5000, 26]]:
    for low, high in [(3136, 1003520), (100352, 4014080), (3136, 50176)]:
        if max(height, width) / min(height, width) <= 200:
            sizes.append([height, width, low, high, *smart_resize(height, width, 28, low, high)])
document = {"versions": {"transformers": transformers.__version__, "pillow": PIL.__version__, "numpy": np.__version__},
            **limits, "images": expected}
(out / "expected.json").write_text(json.dumps(document, indent=1) + "\n")
(out / "sizes.json").write_text("[\n" + ",\n".join(json.dumps(s) for s in sizes) + "\n]\n")
print({name: case["mode"] for name, case in expected.items()})
