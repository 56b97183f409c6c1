"""Milliseconds from an image file to pixel_values in Hugging Face's processors, median of 15, as JSON lines.

    python oracle/bench_preprocess.py FOLDER

Makes FOLDER with photo.jpg, 2000 x 1500, and Qwen2.5-VL's published preprocessor_config.json where it does not
exist yet. transformers 4.54.0, Pillow 13, torchvision; `cargo xtask bench` runs it beside the example
`bench_preprocess`, which reads the same folder.
"""

import json
import sys
import time
from pathlib import Path

import numpy
import torch
from PIL import Image
from transformers import Qwen2VLImageProcessor, Qwen2VLImageProcessorFast

folder = Path(sys.argv[1])
photo = folder / "photo.jpg"
if not photo.exists():
    folder.mkdir(parents=True, exist_ok=True)
    Qwen2VLImageProcessor(min_pixels=3136, max_pixels=12845056).save_pretrained(folder)
    y, x = numpy.mgrid[0:1500, 0:2000]
    waves = numpy.stack([127 + 60 * numpy.sin(x / (97 + 40 * c)) + 50 * numpy.cos(y / (31 + 9 * c)) for c in range(3)], -1)
    grain = numpy.random.default_rng(0).normal(0, 6, waves.shape)
    Image.fromarray(numpy.clip(waves + grain, 0, 255).astype(numpy.uint8)).save(photo, quality=85)

for kind, name in ((Qwen2VLImageProcessor, "slow"), (Qwen2VLImageProcessorFast, "fast")):
    processor = kind.from_pretrained(folder)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        times = []
        for _ in range(15):
            begun = time.perf_counter()
            processor(images=[Image.open(photo).convert("RGB")], return_tensors="pt")
            times.append(1e3 * (time.perf_counter() - begun))
        times.sort()
        print(json.dumps({"size": "2000x1500", "what": f"preprocess {name} threads {threads}", "milliseconds": times[7]}))
