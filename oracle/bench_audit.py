"""The same audit as one full run per branch in Python: what `prism audit` is timed beside.

    python oracle/bench_audit.py CHECKPOINT BENCHMARK.jsonl EXAMPLES [RECORDS]

Written with torch 2.15, transformers 4.54.0, Pillow 13. Plain transformers, as the existing
studies do it: every branch of every example opens the image, runs processor, vision tower and
prefill, and decodes greedily (K = 8, at most 64 new tokens, LVR's `steps` exit), with a
function that may replace each vector fed back. The clean runs come first; they are one of the
24 branches, and give the others their donors and the pool's statistics.

Prints the JSON line of `xtask bench` (milliseconds an example, loading not counted), and with
RECORDS, the records folder of `prism audit` on the same examples and branches, in how many
runs of the branches without random numbers both wrote the same text.
"""

import json
import pathlib
import sys
import time

import torch
from PIL import Image
from transformers import AutoProcessor, DynamicCache, Qwen2_5_VLForConditionalGeneration

# More threads make so small a model slower.
torch.set_num_threads(1)
STEPS, BUDGET = 8, 64


def normal(h):
    return torch.randn(h.shape)


# What a latent forward reads in place of h: from the step, h, the example's own clean latents,
# a donor's, the pool's mean at the step, its mean over all, its spread at the step.
BRANCHES = {
    "clean": lambda at: at.h,
    "zero": lambda at: torch.zeros_like(at.h),
    "noise:0.1": lambda at: at.h + 0.1 * normal(at.h),
    "noise:0.3": lambda at: at.h + 0.3 * normal(at.h),
    "noise:1": lambda at: at.h + normal(at.h),
    "relative:0.5": lambda at: at.h + 0.5 * at.spread * normal(at.h),
    "norm-matched": lambda at: torch.nn.functional.normalize(normal(at.h), dim=-1) * at.h.norm(),
    "mean": lambda at: at.mean,
    "constant": lambda at: at.constant,
    "first": lambda at: at.own[0],
    "reversed": lambda at: at.own[STEPS - 1 - at.step],
    "shuffled": lambda at: at.own[at.order[at.step]],
    "sham": lambda at: at.own[at.step],
    "swap": lambda at: at.donor("swap")[at.step],
    "swap:same-answer": lambda at: at.donor("same")[at.step],
    "swap:other-answer": lambda at: at.donor("other")[at.step],
    "mix:0.25": lambda at: 0.75 * at.h + 0.25 * at.donor("swap")[at.step],
    "mix:0.5": lambda at: 0.5 * at.h + 0.5 * at.donor("swap")[at.step],
    "zero/step=0": lambda at: torch.zeros_like(at.h) if at.step == 0 else at.h,
    "zero/step=7": lambda at: torch.zeros_like(at.h) if at.step == 7 else at.h,
    "zero/steps=0-3": lambda at: torch.zeros_like(at.h) if at.step < 4 else at.h,
    "zero/steps=4-7": lambda at: torch.zeros_like(at.h) if at.step >= 4 else at.h,
    "noise:1/step=0": lambda at: at.h + normal(at.h) if at.step == 0 else at.h,
    "remove": None,
}
# Those whose outcome no random number enters, so that both sides must write the same.
CERTAIN = ["clean", "zero", "first", "reversed", "sham", "zero/step=0", "zero/step=7", "zero/steps=0-3", "zero/steps=4-7", "remove"]


class At:
    """Where a branch stands, and what it may take its vector from."""

    def __init__(self, index, examples, clean):
        self.own, self.step, self.h, self.clean, self.index, self.examples = clean.get(index), 0, None, clean, index, examples
        self.order = torch.randperm(STEPS)

    def pool(self):
        return torch.stack([latents for latents in self.clean.values() if latents is not None])

    @property
    def mean(self):
        return self.pool()[:, self.step].mean(0)

    @property
    def constant(self):
        return self.pool().mean((0, 1))

    @property
    def spread(self):
        return self.pool()[:, self.step].std(0)

    def donor(self, kind):
        label = self.examples[self.index]["label"]
        fits = {"swap": lambda e: True, "same": lambda e: e["label"] == label, "other": lambda e: e["label"] != label}[kind]
        rows = [i for i, e in enumerate(self.examples) if i != self.index and fits(e) and self.clean[i] is not None]
        return self.clean[rows[0]] if rows else self.own


def prompt(example):
    """As `prism` writes a question with options."""
    options = "\n".join(f"{chr(65 + i)}. {option}" for i, option in enumerate(example["options"]))
    return f"{example['question']}\nOptions:\n{options}\n\nAnswer with the option's letter from the given choices directly."


def forward(model, embeds, positions, cache):
    mask = torch.ones(1, cache.get_seq_length() + embeds.shape[1], dtype=torch.long)
    result = model.model.language_model(
        inputs_embeds=embeds, position_ids=positions, attention_mask=mask, past_key_values=cache, use_cache=True
    )
    return result.last_hidden_state[0, -1]


def run(model, processor, folder, example, start, stops, replace, at):
    """One full run: generated ids, and the vectors that were fed back."""
    turn = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt(example)}]}]
    text = processor.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    image = Image.open(folder / example["image"]).convert("RGB")
    inputs = processor(text=[text], images=[image], return_tensors="pt")
    ids, grid = inputs["input_ids"], inputs["image_grid_thw"]
    embeds = model.model.get_input_embeddings()(ids).clone()
    embeds[ids == model.config.image_token_id] = torch.cat(list(model.model.get_image_features(inputs["pixel_values"], grid)))
    positions, delta = model.model.get_rope_index(ids, grid)
    cache = DynamicCache()
    state = forward(model, embeds, positions, cache)
    last, generated, left, fed = int(ids[0, -1]), [], 0, []
    while True:
        token = int(model.lm_head(state).argmax())
        left = STEPS if last == start and left == 0 and replace is not None else max(0, left - 1)
        generated.append(token)
        last = token
        if left == 0 and (token in stops or len(generated) >= BUDGET):
            return generated, torch.stack(fed) if len(fed) == STEPS else None
        if left > 0:
            at.step, at.h = STEPS - left, state
            embed = replace(at)
            fed.append(embed)
        else:
            embed = model.model.get_input_embeddings()(torch.tensor(token))
        place = (cache.get_seq_length() + delta).reshape(1, 1, 1).expand(3, 1, 1)
        state = forward(model, embed[None, None], place, cache)


def main():
    checkpoint, benchmark, count = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(checkpoint, torch_dtype=torch.float32, attn_implementation="sdpa").eval()
    processor = AutoProcessor.from_pretrained(checkpoint, use_fast=False)
    config = json.loads((checkpoint / "config.json").read_text())
    stops = json.loads((checkpoint / "generation_config.json").read_text())["eos_token_id"]
    stops = stops if isinstance(stops, list) else [stops]
    examples = [json.loads(line) for line in benchmark.read_text().splitlines() if line.strip()][:count]
    written, clean = {}, {}
    with torch.inference_mode():
        begun = time.perf_counter()
        for name, replace in BRANCHES.items():
            for index, example in enumerate(examples):
                at = At(index, examples, clean)
                ids, fed = run(model, processor, benchmark.parent, example, config["lvr_start_id"], stops, replace, at)
                written[index, name] = ids
                if name == "clean":
                    clean[index] = fed
        seconds = time.perf_counter() - begun
    told = {"engine": f"transformers, torch {torch.__version__}", "size": "audit", "what": "24 branches an example"}
    print(json.dumps({**told, "milliseconds": 1e3 * seconds / count}), flush=True)
    if len(sys.argv) > 4:
        import pandas

        answers = pandas.read_parquet(pathlib.Path(sys.argv[4]) / "answers.parquet")
        ours = {(row, name): list(ids) for row, name, ids in zip(answers.row, answers.intervention, answers.generated)}
        same = sum(written[index, name] == ours.get((index, name)) for index in range(count) for name in CERTAIN)
        print(json.dumps({"size": "audit", "what": "same output", "same": same, "of": count * len(CERTAIN)}), flush=True)


main()
