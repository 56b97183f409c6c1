"""Every logit transformers computes on the checkpoints of oracle/checkpoints.py, drawn together: 40 examples each.

Usage: python oracle/checkpoints_whole.py [CASE...]        (transformers 4.54.0, torch 2.15, Pillow 13.0, on the CPU)
Writes beside each checkpoint whole.safetensors: `sums`, [tokens of all prompts, 16], of each token's logits in 16 groups the
sum, each logit with a sign of its own (double precision, stored as f32), so that one that is wrong by some amount moves
its group's sum by as much, and common errors do not cancel. And `bf16`, the largest and the mean difference over all logits of the model computed in bfloat16 to the same in f32.

Column c is in group c % 16, and its sign is a bit of a hash of c (see `signs`).
"""
import sys

import numpy as np
import torch
import transformers
from safetensors.torch import save_file

import checkpoints
from checkpoints_expected import example_list, forward, inputs, model_of, out, processor_of, rounded

GROUPS = 16


def signs(columns):
    """[columns, 16]: -1 or 1 where a column is in the group, else 0."""
    h = np.arange(columns, dtype=np.uint64)
    for shift, factor in [(0, 0x9E3779B1), (15, 0x85EBCA77), (13, 0xC2B2AE3D)]:
        h = (h ^ h >> np.uint64(shift) if shift else h) * np.uint64(factor) & np.uint64(0xFFFFFFFF)
    matrix = np.zeros((columns, GROUPS))
    matrix[np.arange(columns), np.arange(columns) % GROUPS] = (h >> np.uint64(16) & np.uint64(1)).astype(np.float64) * 2 - 1
    return torch.from_numpy(matrix)


def run(name, examples):
    folder, case = out / name, checkpoints.resolved(name)
    processor = processor_of(folder)
    ids = {token: processor.tokenizer.convert_tokens_to_ids(token) for token in checkpoints.specials}
    model = model_of(folder, name, ids)
    batches = [inputs(processor, [example]) for example in examples]
    single = [forward(model, batch)[0] for batch in batches]
    assert all(logits.shape[1] == case["rows"] for logits in single)
    sums = torch.cat([logits.double() @ signs(case["rows"]) for logits in single])
    rounded(model, torch.bfloat16)
    apart = torch.cat([(forward(model, batch)[0].float() - logits).abs().flatten() for batch, logits in zip(batches, single, strict=True)])
    bf16 = torch.tensor([apart.max().item(), apart.double().mean().item()])
    save_file({"sums": sums.float().contiguous(), "bf16": bf16}, folder / "whole.safetensors",
              metadata={"torch": torch.__version__, "transformers": transformers.__version__})
    print(f"{name}: {sums.shape[0]} tokens of {case['rows']}, bf16 apart by {bf16[0]:.4f} at most, {bf16[1]:.5f} in the mean", flush=True)


if __name__ == "__main__":
    chosen = example_list()
    for case in sys.argv[1:] or list(checkpoints.cases):
        run(case, chosen)
