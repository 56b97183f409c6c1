"""The two latent heads in PyTorch, on weights and states from a seeded generator.

    python oracle/latent_head.py

Written with torch 2.15 (CPU, f32). Writes crates/prism-model/tests/fixtures/latent_head.safetensors:
the weights under the names of a checkpoint (`lvr_head.*`), `h`, and what each head makes of it.
"""

import pathlib

import torch
from safetensors.torch import save_file
from torch import nn

WIDTH, INNER = 24, 40
torch.manual_seed(3)
h = torch.randn(5, WIDTH) * 3

simple = nn.Module()
simple.ln_q = nn.LayerNorm(WIDTH, eps=1e-6)
simple.mlp = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))
nn.init.normal_(simple.ln_q.weight, 1.0, 0.3)
nn.init.normal_(simple.ln_q.bias)

glu = nn.Module()
glu.gate_proj, glu.up_proj, glu.down_proj = nn.Linear(WIDTH, INNER), nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH)

with torch.no_grad():
    tensors = {
        "h": h,
        "simple": simple.mlp(simple.ln_q(h)),
        "glu": glu.down_proj(nn.functional.silu(glu.gate_proj(h)) * glu.up_proj(h)),
    }
    for head in (simple, glu):
        tensors |= {f"lvr_head.{name}": value.detach().contiguous() for name, value in head.state_dict().items()}
root = pathlib.Path(__file__).resolve().parent.parent
save_file(tensors, root / "crates/prism-model/tests/fixtures/latent_head.safetensors", metadata={"torch": torch.__version__})
