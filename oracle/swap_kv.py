"""Exchange of keys and values (`swap-kv`) in PyTorch, on golden checkpoints.

    python oracle/swap_kv.py

Written with torch 2.15 (CPU, f32, sdpa), transformers 4.54.0, Pillow 13. A greedy loop over
Hugging Face's own model and key/value cache, with hooks on the outputs of `k_proj` and `v_proj`
in every layer, that is before the rotary turn. In an example's clean run the hooks note what a
latent forward projects, by stage and step (over all blocks of the stage). In the exchanged run
they put the donor's in its place: Hugging Face turns those keys to the recipient's positions
and writes them to its cache, and the forward's own query attends to them already. What is fed
stays the recipient's own state.

The donor of example k is example k + 1. Cases: its keys and values as they are; times -4, for
in these tiny models examples hardly differ; times -4 where the donor ran fewer steps than the
recipient, so that its last one serves the rest; and times -4 at the first two steps of the
target stage alone. A run that gets its own keys and values must not change.

Writes crates/prism-model/tests/fixtures/swap_kv.json (tokens) and swap_kv.safetensors (states of
the first examples).
"""

import copy
import json
import pathlib

import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from transformers import AutoProcessor, DynamicCache, Qwen2_5_VLForConditionalGeneration

from golden import GOLDEN

root = pathlib.Path(__file__).resolve().parent.parent
fixtures = root / "crates/prism-model/tests/fixtures"
torch.set_num_threads(1)
VARIANTS, ROWS, STATES, BUDGET, STEPS = ["lvr", "dlvr", "plvr2", "plvr3"], 8, 2, 48, 4
# Logits nearer than this could be told apart by another order of summation.
NEAR = 5e-5
CASES = [
    {"name": "plain", "scale": 1, "donor_steps": STEPS, "stage": None, "last": None},
    {"name": "strong", "scale": -4, "donor_steps": STEPS, "stage": None, "last": None},
    {"name": "shorter", "scale": -4, "donor_steps": 2, "stage": None, "last": None},
    {"name": "scoped", "scale": -4, "donor_steps": STEPS, "stage": "target", "last": 1},
]
examples = json.loads((GOLDEN / "examples/data.json").read_text())[: ROWS + 1]


class Taps:
    """Hooks on the key and value projections of every layer."""

    def __init__(self, model):
        self.noted, self.given = [], None
        for index, layer in enumerate(model.model.language_model.layers):
            for kind, projection in enumerate([layer.self_attn.k_proj, layer.self_attn.v_proj]):
                projection.register_forward_hook(self.hook(2 * index + kind))

    def hook(self, at):
        def seen(module, inputs, output):
            if self.given is not None:
                assert output.shape == self.given[at].shape
                output = self.given[at].clone()
            self.noted.append(output.clone())
            return output

        return seen


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
    mask = torch.ones(1, cache.get_seq_length() + embeds.shape[1], dtype=torch.long)
    result = model.model.language_model(
        inputs_embeds=embeds, position_ids=positions, attention_mask=mask, past_key_values=cache, use_cache=True
    )
    return result.last_hidden_state[0, -1]


def decode(model, taps, starts, stops, prompt, steps, give=None):
    """Ids, all states, and what each latent step projected: `{stage: [[k, v of every layer], ...]}`.

    `give(stage, step)` is what stands in its place, or `None`.
    """
    cache, state = copy.deepcopy(prompt.cache), prompt.state
    last, generated, states, nearest = int(prompt.ids[0, -1]), [], [], float("inf")
    left, taken = {"context": 0, "target": 0}, {"context": [], "target": []}
    running = None
    while True:
        states.append(state)
        logits = model.lm_head.weight @ state
        best = logits.topk(2).values
        nearest = min(nearest, (best[0] - best[1]).item())
        token = int(logits.argmax())
        opening = starts.get(last)
        if opening and left[opening[0]] > 0:
            opening = None
        if running:
            left = {stage: max(0, n - 1) for stage, n in left.items()}
        if opening:
            left[opening[0]] = opening[1] * steps
        generated.append(token)
        last = token
        running = next((stage for stage in ("target", "context") if left[stage] > 0), None)
        if running is None and (token in stops or len(generated) >= BUDGET):
            return generated, torch.stack(states), taken, nearest
        embeds = state if running else model.model.get_input_embeddings()(torch.tensor(token))
        positions = (cache.get_seq_length() + prompt.delta).reshape(1, 1, 1).expand(3, 1, 1)
        taps.noted, taps.given = [], give(running, len(taken[running])) if running and give else None
        state = forward(model, embeds[None, None], positions, cache)
        if running:
            taken[running].append(taps.noted)
        taps.given = None


def giver(donor, case):
    def give(stage, step):
        if case["stage"] not in (None, stage) or (case["last"] is not None and step > case["last"]):
            return None
        return [case["scale"] * projected for projected in donor[stage][min(step, len(donor[stage]) - 1)]]

    return give


fixture = {"by": "oracle/swap_kv.py", "torch": torch.__version__, "transformers": transformers.__version__}
fixture |= {"max_new_tokens": BUDGET, "steps": STEPS, "cases": CASES, "checkpoints": {}}
tensors = {}
with torch.no_grad():
    for variant in VARIANTS:
        folder = GOLDEN / "checkpoints" / variant
        model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, torch_dtype=torch.float32, attn_implementation="sdpa").eval()
        processor = AutoProcessor.from_pretrained(folder, use_fast=False)
        config = json.loads((folder / "config.json").read_text())
        eos = json.loads((folder / "generation_config.json").read_text())["eos_token_id"]
        stops = eos if isinstance(eos, list) else [eos]
        blocks = [("lvr", "target", 1)] + ([("ctx", "context", 2), ("tgt", "target", 1)] if config["plvr_mode"] else [])
        starts = {config[f"{name}_start_id"]: (stage, n) for name, stage, n in blocks}
        taps = Taps(model)
        prompts = [Prompt(model, processor, example) for example in examples]
        run = lambda prompt, steps, give=None: decode(model, taps, starts, stops, prompt, steps, give)
        clean = {steps: [run(prompt, steps) for prompt in prompts] for steps in {STEPS, 2}}
        told = fixture["checkpoints"][variant] = {"clean": [ids for ids, *_ in clean[STEPS][:ROWS]]}
        for k in range(ROWS):
            own = clean[STEPS][k]
            again = run(prompts[k], STEPS, giver(own[2], CASES[0]))
            assert again[0] == own[0] and torch.equal(again[1], own[1]), "with itself as donor"
        for case in CASES:
            done = [run(prompts[k], STEPS, giver(clean[case["donor_steps"]][k + 1][2], case)) for k in range(ROWS)]
            nearest = min(d[3] for d in done)
            assert nearest > NEAR, (variant, case, nearest)
            told[case["name"]] = [ids for ids, *_ in done]
            for k in range(STATES):
                tensors[f"{variant}.{case['name']}.{k}"] = done[k][1]
            moved = [(d[1][: len(c[1])] - c[1][: len(d[1])]).abs().max().item() for d, c in zip(done, clean[STEPS])]
            changed = sum(d[0] != c[0] for d, c in zip(done, clean[STEPS]))
            print(variant, case["name"], f"{changed} of {ROWS} token lists change, states move by up to {max(moved):.3f}, nearest call {nearest:.1e}")
(fixtures / "swap_kv.json").write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
save_file({name: value.contiguous() for name, value in tensors.items()}, fixtures / "swap_kv.safetensors", metadata={"torch": torch.__version__})
