"""Writes crates/prism-record/tests/fixtures/generation.json: what transformers' logits processors and warpers make of
random logits, in the order in which `generate` applies them.

    python oracle/generation.py            (transformers 4.54, torch on a CPU)
"""

import json
from pathlib import Path

import torch
import transformers
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

VOCABULARY = 24
TARGET = Path(__file__).parent.parent / "crates/prism-record/tests/fixtures/generation.json"


def processors(case):
    found = LogitsProcessorList()
    if case["repetition_penalty"] != 1.0:
        found.append(RepetitionPenaltyLogitsProcessor(case["repetition_penalty"]))
    if case["no_repeat_ngram_size"]:
        found.append(NoRepeatNGramLogitsProcessor(case["no_repeat_ngram_size"]))
    if case["suppress_tokens"]:
        found.append(SuppressTokensLogitsProcessor(case["suppress_tokens"]))
    if case["begin_suppress_tokens"]:
        found.append(SuppressTokensAtBeginLogitsProcessor(case["begin_suppress_tokens"], case["prompt"]))
    return found


def warpers(case):
    found = LogitsProcessorList()
    if case["temperature"] != 1.0:
        found.append(TemperatureLogitsWarper(case["temperature"]))
    if case["top_k"]:
        found.append(TopKLogitsWarper(case["top_k"]))
    if case["top_p"] < 1.0:
        found.append(TopPLogitsWarper(case["top_p"]))
    if case["min_p"]:
        found.append(MinPLogitsWarper(case["min_p"]))
    return found


def main():
    torch.manual_seed(0)
    draw = lambda options: options[int(torch.randint(len(options), ()))]
    cases = []
    for i in range(60):
        history = torch.randint(VOCABULARY // 3, (int(torch.randint(3, 14, ())),)).tolist()
        case = {
            "logits": [round(v, 4) for v in (3 * torch.randn(VOCABULARY)).tolist()],
            "history": history,
            "prompt": len(history) if i % 3 == 0 else max(1, len(history) - 2),
            "repetition_penalty": draw([1.0, 1.05, 1.3, 0.8]),
            "no_repeat_ngram_size": draw([0, 0, 1, 2, 3]),
            "suppress_tokens": draw([[], [0, 5]]),
            "begin_suppress_tokens": draw([[], [1, 7, 9]]),
            "temperature": draw([1.0, 0.1, 0.7, 2.5]),
            "top_k": draw([0, 1, 5, 50]),
            "top_p": draw([1.0, 0.8, 0.95, 0.3]),
            "min_p": draw([0.0, 0.0, 0.05, 0.3]),
        }
        ids = torch.tensor([history])
        scores = processors(case)(ids, torch.tensor([case["logits"]]))
        case["greedy"] = int(scores.argmax())
        case["probabilities"] = [float(f"{p:.7g}") for p in warpers(case)(ids, scores).softmax(-1)[0].tolist()]
        cases.append(case)
    TARGET.parent.mkdir(exist_ok=True)
    about = {"transformers": transformers.__version__, "torch": torch.__version__, "cases": cases}
    TARGET.write_text(json.dumps(about, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
