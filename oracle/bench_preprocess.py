"""Milliseconds from an image file to pixel_values in Hugging Face's processors, median of 15.

    python oracle/bench_preprocess.py CHECKPOINT IMAGE

transformers 4.54.0, Pillow 13, torchvision; side by side with
`cargo run --release -p prism-model --example bench_preprocess CHECKPOINT IMAGE`.
"""

import sys
import time

import torch
from PIL import Image
from transformers import Qwen2VLImageProcessor, Qwen2VLImageProcessorFast

for threads in (1, 2):
    torch.set_num_threads(threads)
    for kind in (Qwen2VLImageProcessor, Qwen2VLImageProcessorFast):
        processor, times = kind.from_pretrained(sys.argv[1]), []
        for _ in range(15):
            begun = time.perf_counter()
            processor(images=[Image.open(sys.argv[2]).convert("RGB")], return_tensors="pt")
            times.append(1e3 * (time.perf_counter() - begun))
        times.sort()
        print(f"{kind.__name__}, {threads} threads: {times[7]:.1f} ms (least {times[0]:.1f})")
