"""What transformers answers to the small MMVP and BLINK of oracle/benchmarks.py: greedy, with the golden base model.

Usage: python oracle/layouts.py      (transformers 4.54.0, torch 2.15, pandas 3.1, Pillow 13.0)
Writes crates/prism/tests/fixtures/layouts.json: for each benchmark and question the number of images and of prompt
tokens, and the generated ids. The prompt is the one the harness writes, behind its images in order. The model sees
little; what is held against it is that the same tokens come out.
"""
import io
import json
from pathlib import Path

import pandas as pd
import torch
import transformers
from PIL import Image
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor, Qwen2Tokenizer
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

from golden import GOLDEN

root = Path(__file__).resolve().parent.parent
fixtures = root / "crates/prism-data/tests/fixtures/benchmarks"
checkpoint = GOLDEN / "checkpoints/base"
NEW_TOKENS = 24
torch.set_num_threads(1)


def images(benchmark, question):
    """The published files' images, in order."""
    if benchmark == "mmvp":
        return [Image.open(fixtures / f"mmvp/MMVP Images/{question['id']}.jpg")]
    task = question["category"]
    rows = pd.concat([pd.read_parquet(path) for path in sorted((fixtures / "blink" / task).glob("val-*.parquet"))])
    row = rows[rows.idx == question["id"]].iloc[0]
    found = [row[f"image_{k}"] for k in range(1, 5) if isinstance(row[f"image_{k}"], dict)]
    return [Image.open(io.BytesIO(image["bytes"])) for image in found]


processor = Qwen2_5_VLProcessor(
    Qwen2VLImageProcessor.from_pretrained(checkpoint), Qwen2Tokenizer.from_pretrained(checkpoint), Qwen2VLVideoProcessor(),
    chat_template=(checkpoint / "chat_template.jinja").read_text())
model = Qwen2_5_VLForConditionalGeneration.from_pretrained(checkpoint, torch_dtype=torch.float32).eval()
questions = json.loads((fixtures / "expected.json").read_text())
document = {"made_with": {"transformers": transformers.__version__, "torch": torch.__version__, "pandas": pd.__version__},
            "max_new_tokens": NEW_TOKENS}
for benchmark in ("mmvp", "blink"):
    rows = []
    for question in questions[benchmark]:
        pictures = [image.convert("RGB") for image in images(benchmark, question)]
        assert len(pictures) == len(question["images"])
        content = [{"type": "image"} for _ in pictures] + [{"type": "text", "text": question["prompt"]}]
        text = processor.apply_chat_template([{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True)
        batch = processor(text=[text], images=pictures, return_tensors="pt", input_data_format="channels_last")
        with torch.no_grad():
            new = model.generate(**batch, do_sample=False, max_new_tokens=NEW_TOKENS)[0, batch["input_ids"].shape[1] :]
        rows.append({"id": question["id"], "images": len(pictures), "prompt_tokens": batch["input_ids"].shape[1], "generated": new.tolist()})
    document[benchmark] = rows
    print(benchmark, len(rows), len({tuple(row["generated"]) for row in rows}), "sequences")
out = root / "crates/prism/tests/fixtures/layouts.json"
out.parent.mkdir(parents=True, exist_ok=True)
lines = ",\n".join(f"{json.dumps(k)}: " + (json.dumps(v) if k not in questions else "[\n" + ",\n".join(map(json.dumps, v)) + "\n]")
                   for k, v in document.items())
out.write_text("{" + lines + "}\n")
