"""Hashes of `pixel_values` of large images by both Qwen2-VL image processors of transformers.

Usage: python oracle/preprocess_large.py        (transformers 4.54.0, Pillow 13.0, torchvision 0.29, numpy 2.4)
Writes crates/prism-model/tests/fixtures/preprocess/large.json. The images are not stored: their bytes are the high
bytes of a linear congruential generator (1664525, 1013904223), whose first state is height * 65536 + width.
"""
import hashlib
import json
from pathlib import Path

import numpy as np
import PIL
import torchvision
import transformers
from PIL import Image
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen2_vl.image_processing_qwen2_vl_fast import Qwen2VLImageProcessorFast

out = Path(__file__).resolve().parent.parent / "crates/prism-model/tests/fixtures/preprocess/large.json"
MASK = 0xFFFFFFFF


def drawn(height, width):
    """All states at once: state n is a power of the step, which doubling builds."""
    count = height * width * 3
    factors, terms = np.array([1664525], np.uint64), np.array([1013904223], np.uint64)
    while len(factors) < count:  # steps 1..n, then steps n+1..2n: the same behind n steps
        factor, term = factors[-1], terms[-1]
        factors, terms = np.append(factors, factors * factor & MASK), np.append(terms, (factors * term + terms) & MASK)
    states = (factors[:count] * np.uint64(height * 65536 + width & MASK) + terms[:count]) & MASK
    return Image.fromarray((states >> np.uint64(24)).astype(np.uint8).reshape(height, width, 3))


cases = []
sizes = [(1500, 2000, 12845056), (1500, 2000, 1003520), (1283, 641, 1003520), (77, 3001, 1003520), (64, 65, 1003520), (5000, 300, 1003520),
         (2000, 1990, 200704), (1064, 1064, 50176), (30, 40, 1003520), (1400, 63, 3136), (900, 1001, 1003520)]
for height, width, most in sizes:
    image, case = drawn(height, width), {"height": height, "width": width, "max_pixels": most}
    for name, kind in [("slow", Qwen2VLImageProcessor), ("fast", Qwen2VLImageProcessorFast)]:
        result = kind(min_pixels=56 * 56, max_pixels=most, size={"shortest_edge": 56 * 56, "longest_edge": most})(images=[image], return_tensors="pt")
        pixels = np.ascontiguousarray(np.asarray(result["pixel_values"]).astype("<f4"))
        case |= {"grid": result["image_grid_thw"][0].tolist()[1:], name: hashlib.sha256(pixels.tobytes()).hexdigest()}
    cases.append(case)
    print(case)
versions = {"transformers": transformers.__version__, "pillow": PIL.__version__, "torchvision": torchvision.__version__, "numpy": np.__version__}
lines = ",\n".join(json.dumps(case) for case in cases)
out.write_text(f'{{"versions": {json.dumps(versions)}, "cases": [\n{lines}\n]}}\n')
