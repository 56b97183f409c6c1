"""Opens a checkpoint that Prism saved in transformers, and writes what it computes there.

    python oracle/saved_logits.py [CHECKPOINT]        (default: assets/base-tiny)

Written with torch 2.15 (CPU, f32, sdpa), transformers 4.54.0, numpy 2.4, Pillow 13. Says which
weights are missing or unexpected (none: {}); fails if there are any. For the default
checkpoint it writes crates/prism-model/tests/fixtures/saved_base.{png,safetensors}: an
image drawn from a seeded generator, the prompt's ids from the checkpoint's own processor,
and the logits of its last positions.
"""

import pathlib
import sys

import numpy
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration

root = pathlib.Path(__file__).resolve().parent.parent
fixtures = root / "crates/prism-model/tests/fixtures"
folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "assets/base-tiny"
torch.set_num_threads(1)

model, info = Qwen2_5_VLForConditionalGeneration.from_pretrained(
    folder, torch_dtype=torch.float32, attn_implementation="sdpa", output_loading_info=True
)
print("transformers", transformers.__version__, "torch", torch.__version__, "parameters", sum(p.numel() for p in model.parameters()))
wrong = {key: value for key, value in info.items() if value}
print("did not fit:", wrong)
assert not wrong

picture = fixtures / "saved_base.png"
if not picture.exists():
    blocks = numpy.random.default_rng(5).integers(0, 256, (8, 8, 3), dtype=numpy.uint8)
    Image.fromarray(blocks.repeat(14, 0).repeat(14, 1)).save(picture)
processor = AutoProcessor.from_pretrained(folder, use_fast=False)
question = "What is the color of the star?\nOptions:\nA. red\nB. blue\n\nAnswer with the option's letter from the given choices directly."
messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
inputs = processor(text=[text], images=[Image.open(picture).convert("RGB")], return_tensors="pt")
with torch.no_grad():
    logits = model.eval()(**inputs).logits[0]
print("prompt", inputs["input_ids"].shape[1], "grid", inputs["image_grid_thw"].tolist(), "last logits", logits[-1, :4].tolist())
if len(sys.argv) == 1:
    save_file(
        {"ids": inputs["input_ids"][0].to(torch.int64).contiguous(), "logits": logits[-16:].contiguous()},
        fixtures / "saved_base.safetensors",
        metadata={"torch": torch.__version__, "transformers": transformers.__version__},
    )
