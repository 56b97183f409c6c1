"""Whether releases of transformers tie the output matrix to the input matrix, whatever the key stands at.

Usage, once per release: PYTHONPATH=<pip install --target of that release> python oracle/ties.py     # 4.49.0 to 5.23.0

Writes crates/prism-model/tests/fixtures/ties.json: by release, family, layout (`flat`: the language model's keys at the top;
`nested`: in `text_config`), the key at the top and nested (null: absent), and whether an output matrix of its own (all
sevens) is stored: what `from_pretrained` comes to. 4.49.0 does not read the nested layout.
"""
import itertools
import json
import tempfile
import warnings
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig
from transformers.utils import logging

warnings.filterwarnings("ignore")
logging.set_verbosity_error()
release = transformers.__version__
out = Path(__file__).resolve().parent.parent / "crates/prism-model/tests/fixtures/ties.json"
ids = {"image_token_id": 50, "video_token_id": 51, "vision_start_token_id": 52, "vision_end_token_id": 53}
classes = {"qwen2_vl": "Qwen2VLForConditionalGeneration", "qwen2_5_vl": "Qwen2_5_VLForConditionalGeneration",
           "qwen3_vl": "Qwen3VLForConditionalGeneration"}


def sizes(family):
    text = {"vocab_size": 60, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "num_key_value_heads": 1, "rope_scaling": {"type": "default", "rope_type": "default", "mrope_section": [1, 1, 2]}}
    vision = {"depth": 1, "hidden_size": 16, "num_heads": 2, "patch_size": 4, "spatial_merge_size": 2, "temporal_patch_size": 2}
    if family == "qwen2_vl":
        vision |= {"embed_dim": 16, "mlp_ratio": 2}
    elif family == "qwen2_5_vl":
        vision |= {"intermediate_size": 16, "out_hidden_size": 16, "window_size": 8, "fullatt_block_indexes": [0]}
    else:
        vision |= {"intermediate_size": 16, "out_hidden_size": 16, "num_position_embeddings": 16, "deepstack_visual_indexes": [0]}
        text["head_dim"] = 8
    return text, vision


def outcome(family, layout, top, nested, stored):
    text, vision = sizes(family)
    config = {"model_type": family, "architectures": [classes[family]], "vision_config": vision | {"model_type": family}, **ids,
              "transformers_version": release}
    config |= text if layout == "flat" else {"text_config": text | {"model_type": f"{family}_text"}}
    if top is not None:
        config["tie_word_embeddings"] = top
    if nested is not None:
        config["text_config"]["tie_word_embeddings"] = nested
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config))
        torch.manual_seed(1)
        fresh = getattr(transformers, classes[family])(AutoConfig.from_pretrained(folder))
        tensors = {k: v.detach().clone().contiguous() for k, v in fresh.state_dict().items() if not k.startswith("lm_head")}
        if stored:
            tensors["lm_head.weight"] = torch.full((60, 16), 7.0)
        save_file(tensors, Path(folder) / "model.safetensors", metadata={"format": "pt"})
        model = getattr(transformers, classes[family]).from_pretrained(folder)
        head, embedding = model.lm_head.weight, model.get_input_embeddings().weight
        if head.data_ptr() == embedding.data_ptr():
            return "tied embed"
        return "own stored" if bool((head == 7).all()) else "own random"


cases = []
for family in (name for name in classes if hasattr(transformers, classes[name])):
    for layout, top, nested, stored in itertools.product(("nested", "flat"), (None, True, False), (None, True, False), (True, False)):
        if layout == "flat" and (nested is not None or family == "qwen3_vl"):
            continue
        try:
            cases.append({"family": family, "layout": layout, "top": top, "nested": nested, "stored": stored,
                          "outcome": outcome(family, layout, top, nested, stored)})
        except AttributeError as error:
            assert release.startswith("4.49") and layout == "nested", error
known = json.loads(out.read_text()) if out.is_file() else {}
known[release] = cases
lines = [f' "{name}": [\n' + ",\n".join("  " + json.dumps(case) for case in known[name]) + "\n ]" for name in sorted(known)]
out.write_text("{\n" + ",\n".join(lines) + "\n}\n")
print(release, len(cases))
