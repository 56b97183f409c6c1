"""Ten AdamW steps of N-LVR in PyTorch, noise included: no golden run of them exists.

    python oracle/adamw_nlvr.py

Written with torch 2.15 (CPU), transformers 4.54.0, numpy 2.4.6. The loop of `adamw_spread.py`,
which reproduces the golden steps of the other variants to the bit, on the golden N-LVR
checkpoint and the packs of the golden LVR steps, with N(0, 0.3^2) added to the latents fed
(raw units, targets clean). Writes the losses, and the noise as it was added, to
`crates/prism-train/tests/fixtures/adamw10_nlvr.{json,safetensors}`.
"""

import json
from pathlib import Path

import numpy
import torch
from safetensors.torch import save_file
from transformers import __version__

from adamw_spread import KEYS, Variant

ROOT = Path(__file__).resolve().parent.parent
SIGMA, LR, CLIP = 0.3, 1e-3, 1.0


def main():
    torch.set_num_threads(1)
    variant = Variant("nlvr", steps="lvr")
    model = variant.model()
    model.model.visual.requires_grad_(False)
    named = {n: p for n, p in model.named_parameters() if p.requires_grad}
    adam = torch.optim.AdamW(
        [{"params": [p], "weight_decay": 0.0 if n.endswith(".bias") else 0.1} for n, p in named.items()], lr=LR, betas=(0.9, 0.999), eps=1e-8
    )
    draws, steps, noises = numpy.random.default_rng(0), [], {}
    for step in ({"step": s["step"], "rows": s["rows"]} for s in variant.steps):
        latents = sum(len(tokens) for row in step["rows"] for _, tokens in variant.sample(row)["segments"])
        noise = torch.from_numpy(SIGMA * draws.standard_normal((latents, model.config.hidden_size))).float()
        adam.zero_grad()
        terms = variant.losses(model, step["rows"], noise=noise)
        terms["total"].backward()
        norm = torch.nn.utils.clip_grad_norm_(named.values(), CLIP)
        adam.step()
        steps.append({**step, **{key: terms[key].item() for key in KEYS}, "grad_norm": norm.item()})
        noises[f"noise.{step['step']}"] = noise
        print(steps[-1])
    target = ROOT / "crates/prism-train/tests/fixtures"
    save_file(noises, target / "adamw10_nlvr.safetensors")
    made = {"by": "oracle/adamw_nlvr.py", "torch": torch.__version__, "transformers": __version__, "numpy": numpy.__version__, "steps": steps}
    (target / "adamw10_nlvr.json").write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
