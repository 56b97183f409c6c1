"""Speed of the same language model in PyTorch: training, prefill and decoding.

A plain implementation of the decoder (fused scaled_dot_product_attention, torch's own
rms_norm, fused AdamW, a preallocated key-value cache) rather than transformers' module,
because it is the faster of the two. Prints the JSON lines of
`crates/prism-model/examples/bench_engine.rs`.

    python oracle/bench_torch.py [S|M]
"""
import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(2)
torch.manual_seed(1)

# layers, width, feed-forward width, heads, key-value heads, vocabulary, batch, length
SIZES = {"S": (4, 128, 384, 4, 2, 512, 32, 96), "M": (8, 768, 2048, 12, 4, 2048, 4, 256)}


def rotate(x, cos, sin):
    low, high = x.chunk(2, -1)
    return torch.cat((low * cos - high * sin, high * cos + low * sin), -1)


class Layer(nn.Module):
    def __init__(self, width, inner, heads, kv_heads):
        super().__init__()
        self.heads, self.kv_heads, self.d = heads, kv_heads, width // heads
        kv = kv_heads * self.d
        self.norm1, self.norm2 = nn.Parameter(torch.ones(width)), nn.Parameter(torch.ones(width))
        self.qkv = nn.Linear(width, width + 2 * kv)
        self.o = nn.Linear(width, width, bias=False)
        self.gate_up = nn.Linear(width, 2 * inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)
        self.split = (width, kv, kv)

    def forward(self, x, cos, sin, cache=None, at=0):
        batch, length, width = x.shape
        q, k, v = self.qkv(F.rms_norm(x, (width,), self.norm1, 1e-6)).split(self.split, -1)
        q = rotate(q.view(batch, length, self.heads, self.d).transpose(1, 2), cos, sin)
        k = rotate(k.view(batch, length, self.kv_heads, self.d).transpose(1, 2), cos, sin)
        v = v.view(batch, length, self.kv_heads, self.d).transpose(1, 2)
        if cache is not None:
            cache[0][:, :, at : at + length], cache[1][:, :, at : at + length] = k, v
            k, v = cache[0][:, :, : at + length], cache[1][:, :, : at + length]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=length > 1, enable_gqa=True)
        x = x + self.o(y.transpose(1, 2).reshape(batch, length, width))
        gate, up = self.gate_up(F.rms_norm(x, (width,), self.norm2, 1e-6)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Text(nn.Module):
    def __init__(self, layers, width, inner, heads, kv_heads, vocab, _batch, length):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.layers = nn.ModuleList(Layer(width, inner, heads, kv_heads) for _ in range(layers))
        self.norm = nn.Parameter(torch.ones(width))
        self.head = nn.Linear(width, vocab, bias=False)
        d = width // heads
        angles = torch.arange(length + 64)[:, None] * 1e6 ** (-torch.arange(0, d, 2) / d)
        self.cos, self.sin = angles.cos(), angles.sin()

    def forward(self, x, cache=None, at=0):
        cos, sin = self.cos[at : at + x.shape[1]], self.sin[at : at + x.shape[1]]
        for i, layer in enumerate(self.layers):
            x = layer(x, cos, sin, None if cache is None else cache[i], at)
        return F.rms_norm(x, (x.shape[-1],), self.norm, 1e-6)


def clock(repeats, f):
    for _ in range(2):
        f()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        f()
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[repeats // 2]


def report(size, what, **values):
    print(json.dumps({"engine": f"torch {torch.__version__}", "size": size, "what": what, **values}), flush=True)


for size, sizes in SIZES.items():
    if len(sys.argv) > 1 and sys.argv[1] != size:
        continue
    layers, width, inner, heads, kv_heads, vocab, batch, length = sizes
    repeats = 12 if size == "S" else 5
    model = Text(*sizes)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    ids = (torch.arange(batch * length) * 7919 % vocab).view(batch, length)

    def step():
        loss = F.cross_entropy(model.head(model(model.embed(ids))).view(-1, vocab), ids.view(-1))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    report(size, "train", tokens_per_second=batch * length / clock(repeats, step))
    with torch.inference_mode():
        d = width // heads
        new = lambda rows: [(torch.zeros(rows, kv_heads, length + 64, d), torch.zeros(rows, kv_heads, length + 64, d)) for _ in range(layers)]
        x = model.embed(ids[:1])
        cache = new(1)
        report(size, "prefill", tokens_per_second=length / clock(repeats * 4, lambda: model(x, cache)))
        for rows in (1, 8):
            one, cache, at = model.embed(ids[:1, :1]).expand(rows, 1, width).contiguous(), new(rows), [length]

            def decode():
                model.head(model(one, cache, at[0]))
                at[0] += 1

            report(size, "decode", batch=rows, milliseconds=clock(32, decode) * 1e3)
