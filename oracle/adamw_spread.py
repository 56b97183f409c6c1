"""How far ten AdamW steps of PyTorch itself lie from the golden ones, and why.

    python oracle/adamw_spread.py [VARIANT ...]   (default: plvr2 plvr3 lvr dlvr)

Written with torch 2.15 (CPU), transformers 4.54.0; two minutes on one core. The objective is
built here from the method alone, on transformers' Qwen2.5-VL. In order it shows

1. that ids, labels, losses and gradient norms of `train_V.json` come out;
2. that float32, sdpa, one right-padded batch gives the numbers of `adamw10_V.json` (to the
   bit; plvr3 within 4e-7), and how far equivalent arithmetic lies from them, step by step;
3. for plvr2, the reason: ONE scalar, column 6 of the embedding of <|lvr_latent_end|>. Its
   gradient at step 1 is a sum of eight terms of 1e-5 to 2e-4 that cancel to 1.4e-9, below
   the rounding of float32 and below AdamW's eps 1e-8, so that rounding decides the first
   update, lr * g / (|g| + eps), and the loss of step 2 is steep along it;
4. that with this scalar set after step 1 to the golden run's value ("pinned") every
   configuration, double precision included, is within 3e-6 in all ten steps, while
   mistakes in the optimizer are not.

"exact" is double precision throughout; in "f64, HF's casts" norms and angles are float32.
"""

import contextlib
import functools
import json
import math
import sys
from unittest import mock

import torch
import torch.nn.functional as F
import transformers.models.qwen2_5_vl.modeling_qwen2_5_vl as qwen
from PIL import Image
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration, __version__
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor

from golden import GOLDEN

LVR, CONTEXT, FREE, TARGET = ("lvr", 1.0), ("ctx", 1.5), ("free", None), ("tgt", 1.0)
STAGES = {"lvr": [LVR], "nlvr": [LVR], "dlvr": [LVR], "plvr2": [CONTEXT, TARGET], "plvr3": [CONTEXT, FREE, TARGET]}
SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
EMBED, COLUMN = "model.language_model.embed_tokens.weight", 6
KEYS = ("ce", "latent", "total")
CONFIGURATIONS = {
    "f32 sdpa, padded batch": {},
    "f32, two threads": {"threads": 2},
    "f32, eager attention": {"attention": "eager"},
    "f32, one by one": {"batch": False},
    "f32, rows 3 2 1 0": {"order": [3, 2, 1, 0]},
    "f32, padded to 160": {"pad": 160},
    "f32, without oneDNN": {"onednn": False},
    "f64, HF's casts": {"dtype": torch.float64},
    "exact": {"dtype": torch.float64, "exact": True},
}


def box_tokens(box, h, w):
    clamp = lambda x, top: min(max(x, 0), top)
    span = lambda low, high, side: range(clamp(math.floor(low * side), side - 1) // 2, (clamp(math.ceil(high * side), side) + 1) // 2)
    return [row * (w // 2) + column for row in span(box[1], box[3], h) for column in span(box[0], box[2], w)]


def scaled(box, by):
    centre, half = [(box[i] + box[i + 2]) / 2 for i in (0, 1)], [(box[i + 2] - box[i]) / 2 * by for i in (0, 1)]
    return box if by == 1 else [min(max(c + side * s, 0.0), 1.0) for side in (-1, 1) for c, s in zip(centre, half)]


class Variant:
    """A golden checkpoint, its samples and what is known of its ten steps."""

    def __init__(self, name, steps=None):
        self.name, self.folder = name, GOLDEN / "checkpoints" / name
        self.records = json.loads((GOLDEN / "examples/data.json").read_text())
        self.tokenizer, self.processor = AutoTokenizer.from_pretrained(self.folder), Qwen2VLImageProcessor.from_pretrained(self.folder)
        self.latent, self.free, self.end = (self.tokenizer.convert_tokens_to_ids(f"<|{t}|>") for t in ("lvr", "free", "lvr_latent_end"))
        self.steps = json.loads((GOLDEN / f"expected/adamw10_{steps or name}.json").read_text())["steps"]

    @functools.cache
    def sample(self, index):
        record = self.records[index]
        encode = lambda text: self.tokenizer(text, add_special_tokens=False)["input_ids"]
        image = self.processor(images=[Image.open(GOLDEN / "examples" / record["image"][0])], return_tensors="pt")
        h, w = image["image_grid_thw"][0, 1:].tolist()
        asked, answer = (turn["value"] for turn in record["conversations"])
        asked = asked.replace("<image>\n", "<|vision_start|>" + "<|image_pad|>" * (h * w // 4) + "<|vision_end|>")
        ids = encode(f"{SYSTEM}<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n")
        prompt, segments, runs = len(ids), [], []
        for stage, scale in STAGES[self.name]:
            start, end = self.tokenizer.convert_tokens_to_ids([f"<|{stage}_start|>", f"<|{stage}_end|>"])
            at, tokens = len(ids) + 1, scale and box_tokens(scaled(record["bboxes"][0], scale), h, w)
            ids += [start, *([self.latent] * len(tokens) if tokens else [self.free] * 6), self.end, end]
            segments += [(at, tokens)] if tokens else []
            runs += [] if tokens else [slice(at, at + 6)]
        ids += encode(answer.removeprefix("<lvr>") + "<|im_end|>\n")
        labels = [-100] * prompt + ids[prompt:]
        counted = [-100 if label in (self.latent, self.free) else label for label in labels]
        return dict(ids=ids, labels=labels, counted=counted, segments=segments, free=runs, visual=h * w // 4,
                    pixels=image["pixel_values"], grid=image["image_grid_thw"])

    def model(self, attention="sdpa", dtype=torch.float32):
        return Qwen2_5_VLForConditionalGeneration.from_pretrained(self.folder, attn_implementation=attention).to(dtype)

    def losses(self, model, rows, of=None, pad=0, noise=0):
        """Terms of `rows` as one right-padded batch; means are taken over the rows `of`; `noise` is added to the latents fed."""
        samples, whole = [self.sample(r) for r in rows], [self.sample(r) for r in of or rows]
        length = max(pad, *(len(s["ids"]) for s in samples))
        fill = lambda key, value: torch.tensor([s[key] + [value] * (length - len(s[key])) for s in samples])
        ids, labels, grid = fill("ids", model.config.pad_token_id), fill("counted", -100), torch.cat([s["grid"] for s in samples])
        mask = torch.tensor([[1] * len(s["ids"]) + [0] * (length - len(s["ids"])) for s in samples])
        visual = model.model.visual(torch.cat([s["pixels"] for s in samples]).to(model.dtype), grid_thw=grid)
        embeds = model.get_input_embeddings()(ids)
        embeds = embeds.masked_scatter((ids == model.config.image_token_id)[..., None].expand_as(embeds), visual)
        segments = [(k, at, v[torch.tensor(t)]) for k, (s, v) in enumerate(zip(samples, visual.split([s["visual"] for s in samples])))
                    for at, t in s["segments"]]
        where = [torch.cat([torch.full((len(v),), k) for k, _, v in segments]), torch.cat([at + torch.arange(len(v)) for _, at, v in segments])]
        embeds = embeds.index_put(where, torch.cat([v for *_, v in segments]) + noise)
        positions, _ = model.model.get_rope_index(ids, grid, attention_mask=mask)
        hidden = model.model.language_model(inputs_embeds=embeds, position_ids=positions, attention_mask=mask).last_hidden_state
        logits, count = model.lm_head(hidden)[:, :-1].flatten(0, 1), sum(label != -100 for s in whole for label in s["counted"][1:])
        reduced = lambda loss, n, *args: loss(*args) if of is None else loss(*args, reduction="sum") / n
        terms = {"ce": reduced(F.cross_entropy, count, logits, labels[:, 1:].flatten())}
        states = [hidden[k, at - 1 : at - 1 + len(v)] for k, at, v in segments]
        if len(STAGES[self.name]) > 1:
            terms["latent"] = sum(F.mse_loss(h, v) for h, (*_, v) in zip(states, segments))
        else:
            elements = sum(len(t) for s in whole for _, t in s["segments"]) * hidden.shape[-1]
            terms["latent"] = reduced(F.mse_loss, elements, torch.cat(states), torch.cat([v for *_, v in segments]))
        units = [F.normalize(hidden[k, run], dim=-1) for k, s in enumerate(samples) for run in s["free"]]
        grams = [(unit @ unit.T).fill_diagonal_(0) for unit in units]
        diversity = sum(gram.square().mean() for gram in grams) / max(1, sum(len(s["free"]) for s in whole))
        return {**terms, "total": terms["ce"] + 0.1 * terms["latent"] + 0.01 * diversity}

    def ten_steps(self, attention="sdpa", dtype=torch.float32, batch=True, order=(0, 1, 2, 3), pad=0, threads=1, onednn=True,
                  exact=False, pin=None, steps=10, lr=1e-3, eps=1e-8, clip=1.0, norms_decay=True):
        """Losses per step, its gradients and the parameters after it."""
        out, gradients, after = [], [], []
        with double() if exact else contextlib.nullcontext(), torch.backends.mkldnn.flags(enabled=onednn):
            torch.set_num_threads(threads)
            model = self.model(attention, dtype)
            model.model.visual.requires_grad_(False)
            named = {n: p for n, p in model.named_parameters() if p.requires_grad}
            decays = lambda n, p: not n.endswith(".bias") and (norms_decay or p.dim() > 1)
            groups = [{"params": [p], "weight_decay": 0.1 * decays(n, p)} for n, p in named.items()]
            adam = torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.999), eps=eps)
            for golden in self.steps[:steps]:
                rows = [golden["rows"][i] for i in order]
                adam.zero_grad()
                parts = [self.losses(model, part, of=None if batch else rows, pad=pad) for part in ([rows] if batch else [[r] for r in rows])]
                for part in parts:
                    part["total"].backward()
                out.append({key: sum(part[key].item() for part in parts) for key in KEYS})
                gradients.append({n: p.grad.double().clone() for n, p in named.items()})
                torch.nn.utils.clip_grad_norm_(named.values(), clip)
                adam.step()
                if golden["step"] == 1 and pin is not None:
                    named[EMBED].data[self.end, COLUMN] = pin
                after.append({n: p.detach().double().clone() for n, p in named.items()})
            torch.set_num_threads(1)
        return out, gradients, after


@contextlib.contextmanager
def double():
    """Transformers without its casts to float32."""
    angles = lambda size, theta: 1 / theta ** (torch.arange(0, size, 2).double() / size)

    def rotary(self, x, positions):
        size = self.config.hidden_size // self.config.num_attention_heads
        turned = (positions[..., None].double() * angles(size, self.config.rope_theta)).repeat(1, 1, 1, 2)
        return turned.cos(), turned.sin()

    replaced = [
        (qwen.Qwen2RMSNorm, "forward", lambda s, x: s.weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + s.variance_epsilon))),
        (qwen.Qwen2_5_VLRotaryEmbedding, "forward", rotary),
        (qwen.Qwen2_5_VisionRotaryEmbedding, "forward", lambda s, n: torch.outer(torch.arange(n).double(), angles(2 * s.inv_freq.numel(), 1e4))),
        (qwen, "apply_rotary_pos_emb_vision", lambda q, k, c, s: tuple(x * c[:, None] + qwen.rotate_half(x) * s[:, None] for x in (q, k))),
    ]
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(mock.patch.object(*replacement)) for replacement in replaced]


def show(variant, title, got):
    """Relative deviations from the golden steps, per term and step; returns the largest."""
    off = {key: [abs(step[key] / golden[key] - 1) for step, golden in zip(got, variant.steps)] for key in KEYS}
    for key in KEYS:
        print(f"  {title if key == 'ce' else '':27}{key:7}" + " ".join(f"{x:7.1e}" for x in off[key]))
    return max(map(max, off.values()))


def explain(variant):
    """Which elements of the first step carry the deviation of the second's loss."""
    _, (g, _), (p, _) = variant.ten_steps(steps=2)
    _, (exact_g, g2), (exact_p, _) = variant.ten_steps(steps=2, dtype=torch.float64, exact=True)
    pairs = [(n, *(x[n].flatten() for x in (g, exact_g, g2)), (exact_p[n] - p[n]).flatten()) for n in p]
    moved = sorted(((dp[i] * g2[i], n, i, g[i], ge[i], dp[i], g2[i])
                    for n, g, ge, g2, dp in pairs for i in (dp * g2).abs().topk(3).indices.tolist()), key=lambda m: -abs(m[0]))
    print("  exact - f32 after step 1, by its first-order effect on the total of step 2:")
    for effect, n, i, one, one_exact, step, two in moved[:5]:
        print(f"    {effect:+.1e} {n}[{i}]  g1 f32 {one:+.2e} exact {one_exact:+.2e}  moved {step:+.1e}  g2 {two:+.1e}")
    every, other = (torch.cat([pair[i] for pair in pairs]) for i in (2, 1))
    small, flips = ((every != 0) & (every.abs() < 1e-8)).sum(), (every * other < 0).sum()
    print(f"  {(every != 0).sum()} gradients other than 0, {small} of them below eps = 1e-8, {flips} with another sign in f32")
    row, off = exact_g[EMBED][variant.end], (g[EMBED] - exact_g[EMBED])[variant.end].abs()
    print(f"  row {variant.end}, <|lvr_latent_end|>: norm {row.norm():.1e}, f32 off by {off.square().mean().sqrt():.1e} rms, {off.max():.1e} at most")
    with double():
        model, held, rows = variant.model(dtype=torch.float64), [], variant.steps[0]["rows"]
        model.get_input_embeddings().register_full_backward_hook(lambda module, inputs, outputs: held.append(outputs[0]))
        variant.losses(model, rows)["total"].backward()
    places = [(k, i) for k, row in enumerate(rows) for i, token in enumerate(variant.sample(row)["ids"]) if token == variant.end]
    terms = torch.stack([held[0][k, i, COLUMN] for k, i in places])
    print(f"  its column {COLUMN}, exact, by position: {' '.join(f'{t:+.1e}' for t in terms.tolist())}, sum {terms.sum():+.2e}")
    pin, exact = (after[EMBED][variant.end, COLUMN].item() for after in (p, exact_p))
    print(f"  after step 1 it is {pin!r} in the golden run, {exact!r} in exact arithmetic")
    return pin, exact


def main():
    names = sys.argv[1:] or ["plvr2", "plvr3", "lvr", "dlvr"]
    torch.set_num_threads(1)
    print("torch", torch.__version__, "transformers", __version__)
    for name in names:
        variant = Variant(name)
        for pack in json.loads((GOLDEN / f"expected/train_{name}.json").read_text()):
            model = variant.model()
            terms = variant.losses(model, pack["rows"])
            terms["total"].backward()
            one = variant.sample(pack["rows"][0])
            if pack["pack"] == "one":
                found = one["ids"], one["labels"], [tokens for _, tokens in one["segments"]]
                assert found == (pack["input_ids"], pack["labels"], pack["lvr_tokens"])
            off = {k: abs(terms[k].item() / pack[k] - 1) for k in KEYS}
            off["gradient norms"] = max(abs(p.grad.norm().item() / pack["grad_norm"][n] - 1) for n, p in model.named_parameters())
            print(f"{name}, pack {pack['pack']}:", *(f"{k} {x:.1e}" for k, x in off.items()))
        pin, exact = explain(variant) if name == "plvr2" else (None, None)
        print(f"{name}: relative deviation from the golden steps 1 to 10")
        runs, summary = {}, []
        for title, options in CONFIGURATIONS.items():
            runs[title], gradients, _ = variant.ten_steps(**options)
            summary.append(f"    {title:27}{show(variant, title, runs[title]):.1e}")
            if pin is not None:
                pinned = show(variant, "  pinned", variant.ten_steps(pin=pin, **options)[0])
                summary[-1] += f", pinned {pinned:.1e}, g1 of the scalar {gradients[0][EMBED][variant.end, COLUMN]:+.2e}"
        ce = [[run[i]["ce"] for title, run in runs.items() if title.startswith("f32")] for i in range(10)]
        print(f"  {'spread of the f32 ones':27}ce     " + " ".join(f"{(max(c) - min(c)) / c[0]:7.1e}" for c in ce))
        print("  largest", *summary, sep="\n")
        # f32 sdpa again: the scalar alone as in exact arithmetic, then mistakes under the pin.
        for again in ({"pin": exact}, {"norms_decay": False}, {"eps": 2e-8}, {"clip": 1e9}, {"lr": 1.0001e-3}) if pin is not None else ():
            show(variant, "  ".join(f"{k}={v:.7g}" for k, v in again.items()), variant.ten_steps(**{"pin": pin, **again})[0])


if __name__ == "__main__":
    main()
