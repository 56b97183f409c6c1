"""The three exits of a latent block (steps, latent, token), in PyTorch on golden checkpoints.

    python oracle/strategies.py

Written with torch 2.15 (CPU, f32, sdpa), transformers 4.54.0, Pillow 13. A greedy loop
over Hugging Face's own model and key/value cache, on the golden `lvr` (one stage) and
`plvr2` (context and target) checkpoints. Distances are torch's: `mse_loss`, `l1_loss` and
`1 - cosine_similarity` between the state that was fed to a forward and an end embedding, as
in the published `decoding_strategy="latent"`; `token` leaves where the argmax is the end
token, as in its default strategy. Caps and stages follow the rules that
`crates/prism-record/src/decode/block_begin_end.rs` states.

The golden models say one token throughout a block, so every case is run twice: with their
own `lm_head`, and with one in which a dozen tokens (start, end and stop tokens among them)
have rows (random ones, and for start and end fitted ones) and all others none; then blocks end at the token too. The end
embedding is a state that such a decode passes by, and each threshold lies in a gap between
distances: the script fails if a distance or a pair of logits comes too near to call.

Writes crates/prism-model/tests/fixtures/strategies.json and strategies.safetensors.
"""

import copy
import json
import math
import pathlib

import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional
from transformers import AutoProcessor, DynamicCache, Qwen2_5_VLForConditionalGeneration

from golden import GOLDEN

root = pathlib.Path(__file__).resolve().parent.parent
fixtures = root / "crates/prism-model/tests/fixtures"
torch.set_num_threads(1)
ROWS, BUDGET, LONG = 16, 40, 12
# Logits nearer than this could be told apart by another order of summation.
NEAR = 5e-5
ORDINARY = [27, 29, 198, 267, 300, 348]
DISTANCES = {
    "mse": lambda x, y: functional.mse_loss(x, y).item(),
    "mae": lambda x, y: functional.l1_loss(x, y).item(),
    "cosine": lambda x, y: 1 - functional.cosine_similarity(x, y, dim=-1).item(),
}
examples = json.loads((GOLDEN / "examples/data.json").read_text())[:ROWS]


class Prompt:
    """One example after its prefill."""

    def __init__(self, model, processor, example):
        text = processor.apply_chat_template(
            [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": example["text"]}]}],
            tokenize=False,
            add_generation_prompt=True,
        )
        images = [Image.open(GOLDEN / "examples" / name).convert("RGB") for name in example["image"]]
        inputs = processor(text=[text], images=images, return_tensors="pt")
        self.ids, grid = inputs["input_ids"], inputs["image_grid_thw"]
        embeds = model.model.get_input_embeddings()(self.ids).clone()
        embeds[self.ids == model.config.image_token_id] = torch.cat(list(model.model.get_image_features(inputs["pixel_values"], grid)))
        positions, self.delta = model.model.get_rope_index(self.ids, grid)
        self.cache = DynamicCache()
        self.state = forward(model, embeds, positions, self.cache)


def forward(model, embeds, positions, cache):
    length = cache.get_seq_length() + embeds.shape[1]
    mask = torch.ones(1, length, dtype=torch.long)
    result = model.model.language_model(
        inputs_embeds=embeds, position_ids=positions, attention_mask=mask, past_key_values=cache, use_cache=True
    )
    return result.last_hidden_state[0, -1]


def decode(model, head, starts, stops, prompt, case, end, watched):
    """Generated ids, a letter per forward, the state each latent forward was fed, all states."""
    cache, state, previous = copy.deepcopy(prompt.cache), prompt.state, None
    last, generated, picture, fed, states = int(prompt.ids[0, -1]), [], ".", [], []
    left, ends = {"context": 0, "target": 0}, {}
    running = None
    while True:
        states.append(state)
        logits = head @ state
        best = logits.topk(2).values
        watched["logits"] = min(watched["logits"], (best[0] - best[1]).item())
        token = int(logits.argmax())
        opening = starts.get(last)
        if opening and left[opening["stage"]] > 0:
            opening = None
        if running:
            left = {stage: max(0, n - 1) for stage, n in left.items()}
        near = False
        if case["exit"] == "latent" and previous is not None:
            distance = DISTANCES[case["criterion"]](previous, end)
            watched["distance"] = min(watched["distance"], abs(distance / case["threshold"] - 1))
            near = distance < case["threshold"]
        leaves = lambda end_token: near or (case["exit"] == "token" and token == end_token)
        for stage in left:
            if leaves(ends.get(stage)):
                left[stage] = 0
        if opening:
            stage = opening["stage"]
            ends[stage] = opening["end"]
            length = opening["times"] * case["steps"] if case.get("cap") is None else case["cap"]
            left[stage] = 0 if leaves(opening["end"]) else length
        generated.append(token)
        last = token
        running = next((stage for stage in ("target", "context") if left[stage] > 0), None)
        if running is None and (token in stops or len(generated) >= BUDGET):
            return generated, picture, fed, states
        picture += running[0] if running else "."
        if running:
            fed.append(state)
        embeds = state if running else model.model.get_input_embeddings()(torch.tensor(token))
        positions = (cache.get_seq_length() + prompt.delta).reshape(1, 1, 1).expand(3, 1, 1)
        previous, state = state, forward(model, embeds[None, None], positions, cache)


def threshold(criterion, fed, end):
    """Between two distances, where the first steps below it differ most between examples."""
    ways = [[DISTANCES[criterion](state, end) for state in states] for states in fed]
    distances = sorted(d for way in ways for d in way)
    between = [math.sqrt(a * b) for a, b in zip(distances, distances[1:]) if b > a * 1.01 and a > 1e-6]
    first = lambda way, t: next((i for i, d in enumerate(way) if d < t), len(way))
    return round(max(between, key=lambda t: len({first(way, t) for way in ways})), 7)


fixture = {"torch": torch.__version__, "transformers": transformers.__version__, "max_new_tokens": BUDGET, "checkpoints": {}}
tensors = {}
with torch.no_grad():
    for variant in ["lvr", "plvr2"]:
        folder = GOLDEN / "checkpoints" / variant
        model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, torch_dtype=torch.float32, attn_implementation="sdpa").eval()
        processor = AutoProcessor.from_pretrained(folder, use_fast=False)
        config = json.loads((folder / "config.json").read_text())
        eos = json.loads((folder / "generation_config.json").read_text())["eos_token_id"]
        stops = eos if isinstance(eos, list) else [eos]
        blocks = [("lvr", "target", 1)] + ([("ctx", "context", 2), ("tgt", "target", 1)] if config["plvr_mode"] else [])
        starts = {config[f"{name}_start_id"]: {"stage": stage, "times": n, "end": config[f"{name}_end_id"]} for name, stage, n in blocks}
        prompts = [Prompt(model, processor, example) for example in examples]
        stored = json.loads((GOLDEN / f"expected/decode_{variant}_k8.json").read_text())["rows"][0]
        assert prompts[0].ids[0].tolist() == stored["prompt_ids"]

        # Rows that tell states apart: random in the coordinates in which the states of a
        # plain decode are spread alike, blind to their mean.
        plain = {"exit": "steps", "steps": LONG}
        free = [decode(model, model.lm_head.weight, starts, stops, p, plain, None, {"logits": math.inf, "distance": math.inf}) for p in prompts]
        states = torch.stack([state for run in free for state in run[3]])
        mean = states.mean(0)
        values, vectors = torch.linalg.eigh(torch.cov(states.T))
        live = sorted({*starts, *(s["end"] for s in starts.values()), *stops, *ORDINARY})
        opener = config["ctx_start_id" if config["plvr_mode"] else "lvr_start_id"]
        generator = torch.Generator().manual_seed(1)
        rows = torch.randn(len(live), len(values), generator=generator) / (values + values.mean() / 10).sqrt() @ vectors.T
        rows -= (rows @ mean / mean.dot(mean))[:, None] * mean

        # Every example opens a block at once and says the end token in an early forward
        # of the block: 40 there, about nothing at the other states of the prefill and the block.
        way = torch.stack([torch.stack([run[3][0], *run[2][:LONG]]) for run in free]).mean(0)
        gram = way @ way.T
        solved = way.T @ torch.linalg.inv(gram + 1e-5 * gram.diagonal().mean() * torch.eye(len(way)))
        for token, at in [(opener, 0), (starts[opener]["end"], 4)]:
            rows[live.index(token)] = 40 * solved[:, at]
        lively = torch.zeros_like(model.lm_head.weight)
        lively[live] = rows
        tensors[f"{variant}.rows"] = rows
        tensors[f"{variant}.live"] = torch.tensor(live)
        heads = {"own": model.lm_head.weight, "lively": lively}
        runs = []
        for name, head in heads.items():
            watched = {"logits": math.inf, "distance": math.inf}
            fed = [decode(model, head, starts, stops, p, plain, None, watched)[2] for p in prompts]
            end = fed[0][len(fed[0]) // 3]
            tensors[f"{variant}.{name}.end"] = end.clone()
            cases = [{"exit": "steps", "steps": 5}]
            for criterion, steps, cap in [("mse", 6, None), ("mae", 3, 9), ("cosine", 7, None)]:
                cases.append({"exit": "latent", "criterion": criterion, "threshold": threshold(criterion, fed, end), "steps": steps, "cap": cap})
            cases.append({"exit": "latent", "criterion": "mse", "threshold": 1e-9, "steps": 8, "cap": 3})
            cases += [{"exit": "token", "steps": 6, "cap": None}, {"exit": "token", "steps": 2, "cap": 10}, {"exit": "token", "steps": 8, "cap": 2}]
            for case in cases:
                done = [decode(model, head, starts, stops, p, case, end, watched) for p in prompts]
                runs.append({**case, "head": name, "generated": [run[0] for run in done], "forwards": [run[1] for run in done]})
                lengths = sorted({len(b) for _, f, *_ in done for b in f.replace("c", "t").split(".") if b})
                print(variant, name, case, "block lengths", lengths, "pictures", len({f for _, f, *_ in done}))
            print(variant, name, "nearest call", watched)
            assert watched["logits"] > NEAR and watched["distance"] > 1e-3, watched
        fixture["checkpoints"][variant] = runs
(fixtures / "strategies.json").write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
save_file({name: value.contiguous() for name, value in tensors.items()}, fixtures / "strategies.safetensors", metadata={"torch": torch.__version__})
