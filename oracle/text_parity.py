"""Fixtures of the language model alone: pack `one` of each golden variant.

Writes crates/prism-model/tests/fixtures/text_V.safetensors with the input
embeddings (image and latent rows filled with the reference's visual embeddings),
the rotary positions, every layer's hidden states and the logits, all from
Hugging Face transformers in f32 on the CPU.

    python oracle/text_parity.py
"""
import json
import pathlib

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import Qwen2_5_VLForConditionalGeneration

from golden import GOLDEN

root = pathlib.Path(__file__).resolve().parent.parent
out = root / "crates/prism-model/tests/fixtures"
out.mkdir(parents=True, exist_ok=True)
torch.set_num_threads(1)

for variant in ["lvr", "nlvr", "dlvr", "plvr2", "plvr3"]:
    folder = GOLDEN / "checkpoints" / variant
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, torch_dtype=torch.float32, attn_implementation="sdpa").eval()
    pack = json.load(open(GOLDEN / "expected" / f"train_{variant}.json"))[0]
    tensors = load_file(GOLDEN / "expected" / f"train_{variant}.safetensors")
    ids = torch.tensor(pack["input_ids"]).reshape(1, -1)
    grid = torch.tensor(pack["image_grid_thw"])
    lvr_id = json.load(open(folder / "config.json"))["lvr_id"]
    with torch.no_grad():
        features = torch.cat(list(model.model.get_image_features(tensors["pixel_values"], grid)))
        embeds = model.model.get_input_embeddings()(ids)[0].clone()
        embeds[ids[0] == model.config.image_token_id] = features
        latent = [t for region in pack["lvr_tokens"] for t in region]
        embeds[ids[0] == lvr_id] = features[latent]
        positions, _ = model.model.get_rope_index(ids, grid)
        # The mask is given because without one repeated image positions would be taken for packed sequences.
        result = model.model.language_model(
            inputs_embeds=embeds[None],
            position_ids=positions,
            attention_mask=torch.ones_like(ids),
            output_hidden_states=True,
            use_cache=False,
        )
        logits = model.lm_head(result.last_hidden_state)
    print(variant, "distance from the golden logits", (logits - tensors["logits"]).abs().max().item())
    save_file(
        {
            "features": features.contiguous(),
            "embeds": embeds.contiguous(),
            "positions": positions[:, 0].T.contiguous().to(torch.int64),
            "hidden": torch.stack([h[0] for h in result.hidden_states]).contiguous(),
        },
        out / f"text_{variant}.safetensors",
        metadata={"torch": torch.__version__, "transformers": transformers.__version__},
    )
