"""Opens a checkpoint we saved in transformers and says what did not fit.

    python oracle/open_saved.py CHECKPOINT

Prints versions, missing or unexpected weights (none: {}), tokens and parameters.
"""

import sys

import torch
import transformers
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

folder = sys.argv[1]
model, info = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, torch_dtype=torch.float32, output_loading_info=True)
tokenizer = AutoTokenizer.from_pretrained(folder)
print("transformers", transformers.__version__, "torch", torch.__version__, {k: v for k, v in info.items() if v})
vocabulary = len(tokenizer)
print("tokens", vocabulary, "rows", model.get_input_embeddings().weight.shape[0])
print("parameters", sum(p.numel() for p in model.parameters()))
