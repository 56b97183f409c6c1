"""Visual tokens of a golden checkpoint for several image shapes, by transformers.

Usage: python oracle/vision_features.py
Writes crates/prism-model/tests/fixtures/vision_features.safetensors.
Pixels are drawn from numpy's PCG64 and stored as bytes' worth of f32 so that both sides read the same numbers.
"""
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from transformers import Qwen2_5_VLForConditionalGeneration

from golden import GOLDEN

out = Path(__file__).resolve().parent.parent / "crates/prism-model/tests/fixtures/vision_features.safetensors"
model = Qwen2_5_VLForConditionalGeneration.from_pretrained(GOLDEN / "checkpoints/base", torch_dtype=torch.float32).eval()
# Square, one token, one row of windows, a tall strip, sides that are no whole number of windows.
grids = torch.tensor([[1, 12, 12], [1, 2, 2], [1, 2, 30], [1, 34, 2], [1, 10, 14], [1, 8, 16]])
rng = np.random.default_rng(7)
count = int(grids.prod(1).sum())
# Patches repeat a short table, which keeps the fixture small.
table = rng.standard_normal((97, 1176)).astype(np.float32)
rows = rng.integers(0, 97, count)
pixels = torch.from_numpy(table[rows])
together = model.model.visual(pixels, grid_thw=grids)
loss = (together ** 2).mean()
loss.backward()
norms = {f"norm.{n}": p.grad.norm().reshape(1) for n, p in model.model.visual.named_parameters()}
save_file(
    {
        "table": torch.from_numpy(table),
        "rows": torch.from_numpy(rows.astype(np.float32)),
        "grids": grids.float(),
        "features": together.detach().contiguous(),
        **norms,
    },
    out,
    metadata={"torch": torch.__version__, "transformers": transformers.__version__, "checkpoint": "base"},
)
print(out, out.stat().st_size)
