"""Tiny random Qwen2-VL and Qwen3-VL checkpoints, each written by `save_pretrained` of one release of transformers.

Usage, once per release (each makes what is its own, and says what it leaves out):
    python oracle/families.py [CASE...]                                     # 4.54.0: qwen2_vl
    PYTHONPATH=<pip install --target of requirements-qwen3.txt> python oracle/families.py   # 4.57.1: qwen3_vl
    PYTHONPATH=<... of transformers 4.49.0> python oracle/families.py       # qwen2_vl/flat, as the published models are
    PYTHONPATH=<... of transformers 5.23.0> python oracle/families.py       # the two `newer`
The first two come first: they also write tokenizer and processor of the later ones' cases. A CASE is `qwen3_vl/tied`, or
`qwen3_vl`. Then oracle/families_expected.py makes the expected values.

Writes crates/prism-model/tests/fixtures/families/FAMILY/CASE/. Weights, tokenizer and chats are drawn as those of
oracle/checkpoints.py.
"""
import json
import shutil
import sys
from pathlib import Path

import transformers

import checkpoints

release = transformers.__version__
out = checkpoints.root / "crates/prism-model/tests/fixtures/families"

# The release that writes a family's tokenizers, and by which its expected values are computed.
references = {"qwen2_vl": "4.54.0", "qwen3_vl": "4.57.1"}
classes = {"qwen2_vl": "Qwen2VL", "qwen3_vl": "Qwen3VL"}
text = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "rms_norm_eps": 1e-6, "max_position_embeddings": 4096}
# As in checkpoints.py; `pixels` counts merged tokens.
shared = {"dtype": "bfloat16", "tie": False, "rows": 352, "files": "fast", "template": "jinja", "pixels": [2, 12]}
defaults = {
    "qwen2_vl": {
        **shared, "release": "4.54.0", "processor": "slow", "theta": 1e6, "section": [1, 1, 2], "text": text,
        "vision": {"depth": 2, "embed_dim": 16, "mlp_ratio": 2, "num_heads": 2, "patch_size": 14, "spatial_merge_size": 2,
                   "temporal_patch_size": 2},
    },
    "qwen3_vl": {
        **shared, "release": "4.57.1", "processor": "fast", "theta": 5e6, "section": [4, 2, 2], "text": {**text, "head_dim": 16},
        "vision": {"depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "patch_size": 16, "spatial_merge_size": 2,
                   "temporal_patch_size": 2, "num_position_embeddings": 16, "deepstack_visual_indexes": [0]},
    },
}
# What differs from the family's default. A `seed` other than the name stands where the name's always repeats one token.
cases = {
    "qwen2_vl": {
        "plain": {"dtype": "float32", "text": {"num_hidden_layers": 3}, "vision": {"patch_size": 7}, "pixels": [4, 24]},
        "tied": {"tie": True, "text": {"num_attention_heads": 2, "num_key_value_heads": 1}, "section": [2, 3, 3], "files": "slow",
                 "template": "json"},
        "sharded": {"shard": "40KB", "text": {"num_key_value_heads": 4}, "vision": {"depth": 3}, "template": "tokenizer"},
        "wide": {"tie": True, "text": {"hidden_size": 64, "num_attention_heads": 8, "rms_norm_eps": 1e-5},
                 "vision": {"mlp_ratio": 4, "num_heads": 4}, "processor": "fast", "pixels": [1, 8]},
        "small_patches": {"tie": True, "vision": {"patch_size": 7, "embed_dim": 32, "depth": 1}, "processor": "fast", "pixels": [8, 40]},
        "flat": {"release": "4.49.0", "tie": True, "shard": "60KB", "template": "tokenizer"},
        "newer": {"release": "5.23.0", "dtype": "float16", "theta": 1e4},
    },
    "qwen3_vl": {
        "plain": {"dtype": "float32", "text": {"head_dim": 20, "num_hidden_layers": 3}, "section": [4, 3, 3], "pixels": [4, 24],
                  "vision": {"depth": 3, "patch_size": 8, "deepstack_visual_indexes": [0, 2], "num_position_embeddings": 36}},
        "tied": {"seed": "tied2", "tie": True, "text": {"head_dim": 8}, "section": [2, 1, 1], "files": "slow", "template": "json",
                 "vision": {"deepstack_visual_indexes": [1]}},
        "wide_heads": {"text": {"head_dim": 32, "num_key_value_heads": 1}, "section": [6, 5, 5],
                       "vision": {"patch_size": 8, "deepstack_visual_indexes": [], "num_position_embeddings": 64}},
        "biased": {"tie": True, "text": {"attention_bias": True}, "vision": {"num_heads": 4, "depth": 3, "deepstack_visual_indexes": [1]},
                   "files": "slow", "template": "tokenizer", "processor": "slow", "pixels": [1, 8]},
        # The last level is added after the last layer, so that no answer sees it; the sections' places end beyond half a head.
        "late": {"tie": True, "text": {"num_hidden_layers": 3}, "section": [2, 3, 3],
                 "vision": {"depth": 5, "patch_size": 8, "deepstack_visual_indexes": [1, 2, 4]}},
        # Levels are added in the order of the blocks; their mergers stand in the order of the list.
        "crossed": {"tie": True, "theta": 1e4, "text": {"num_hidden_layers": 3},
                    "vision": {"depth": 3, "patch_size": 8, "deepstack_visual_indexes": [2, 0], "num_position_embeddings": 9}},
        "sharded": {"shard": "50KB", "text": {"num_key_value_heads": 4, "rms_norm_eps": 1e-5}, "pixels": [1, 10]},
        "newer": {"release": "5.23.0", "dtype": "float16", "text": {"head_dim": 20}, "section": [4, 3, 3],
                  "vision": {"num_position_embeddings": 36}},
    },
}
names = [f"{family}/{case}" for family in cases for case in cases[family]]


def chosen(arguments):
    """The cases that were asked for: all, a family's, or single ones."""
    return [name for name in names if not arguments or name in arguments or name.split("/")[0] in arguments]


def resolved(name):
    """The case with the family's values where it names none."""
    family, own = name.split("/")
    default, own = defaults[family], cases[family][own]
    case = {**default, **own, "family": family}
    for part in ["text", "vision"]:
        case[part] = {**default[part], **own.get(part, {})}
    # The merger's width; in Qwen2-VL's file `hidden_size` means that.
    case["vision"]["hidden_size" if family == "qwen2_vl" else "out_hidden_size"] = case["text"]["hidden_size"]
    return case


def config(case, ids):
    """The configuration as the release at hand takes it."""
    kind = getattr(transformers, f"{classes[case['family']]}Config")
    rope = {"rope_type": "default", "mrope_section": case["section"]}
    text = {**case["text"], "vocab_size": case["rows"], "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"]}
    tokens = {f"{key}_token_id": ids[f"<|{token}|>"] for key, token in [
        ("image", "image_pad"), ("video", "video_pad"), ("vision_start", "vision_start"), ("vision_end", "vision_end")]}
    if case["family"] == "qwen3_vl":
        rope["mrope_interleaved"] = True
    if release.startswith("5"):
        text["rope_parameters"] = {**rope, "rope_theta": case["theta"]}
        return kind(text_config=text, vision_config=case["vision"], tie_word_embeddings=case["tie"], **tokens)
    text |= {"rope_scaling": rope, "rope_theta": case["theta"], "tie_word_embeddings": case["tie"]}
    if case["family"] == "qwen3_vl":
        # transformers 4 ties by `text_config`, transformers 5 by the key at the top: published files have both.
        return kind(text_config=text, vision_config=case["vision"], tie_word_embeddings=case["tie"], **tokens)
    return kind(vision_config=case["vision"], **text, **tokens)


def write_processor(folder, case):
    """The image processor's file: of Qwen2-VL as checkpoints.py writes it, of Qwen3-VL with its own mean, and `size` alone."""
    if case["family"] == "qwen2_vl":
        return checkpoints.write_processor(folder, case)
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
    from transformers.models.qwen2_vl.image_processing_qwen2_vl_fast import Qwen2VLImageProcessorFast

    vision = case["vision"]
    area = (vision["patch_size"] * vision["spatial_merge_size"]) ** 2
    least, most = (count * area for count in case["pixels"])
    options = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "patch_size": vision["patch_size"],
               "merge_size": vision["spatial_merge_size"], "temporal_patch_size": vision["temporal_patch_size"]}
    if case["processor"] == "fast":
        image = Qwen2VLImageProcessorFast(size={"shortest_edge": least, "longest_edge": most}, **options)
    else:  # the slow class does not look at `size`
        image = Qwen2VLImageProcessor(min_pixels=least, max_pixels=most, **options)
    image.save_pretrained(folder)


def as_published(folder):
    """Qwen2-VL's config.json with the keys that only the published files have."""
    path = folder / "config.json"
    file = json.loads(path.read_text())
    vision = file["vision_config"]
    # 4.49 leaves out what has its class's value; the published files name their patches.
    vision |= {"in_chans": vision.pop("in_channels", 3), "patch_size": 14, "spatial_patch_size": 14, "spatial_merge_size": 2,
               "temporal_patch_size": 2}
    vision.pop("model_type", None)
    file["rope_scaling"] = {"type": "mrope", "mrope_section": file["rope_scaling"]["mrope_section"]}
    path.write_text(json.dumps(file, indent=2, sort_keys=True) + "\n")


def make(name):
    """Writes what the release at hand writes of a case; says what that was."""
    case, folder = resolved(name), out / name
    written = []
    if release == references[case["family"]]:
        if case["release"] == release:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        chat = checkpoints.template
        if case["family"] == "qwen3_vl":
            chat = (Path(__file__).parent / "qwen3_vl_chat.jinja").read_text().rstrip("\n")
        checkpoints.write_tokenizer(folder, case, chat)
        write_processor(folder, case)
        written.append("tokenizer")
    if release == case["release"]:
        if not (folder / "tokenizer_config.json").exists():
            sys.exit(f"{name}: has no tokenizer yet; run transformers {references[case['family']]} first")
        added = json.loads((folder / "tokenizer_config.json").read_text())["added_tokens_decoder"]
        model = model_of(case, {token["content"]: int(number) for number, token in added.items()}, name)
        options = {"max_shard_size": case.get("shard", "1GB")}
        if release.startswith("5"):
            options["save_original_format"] = False
        model.save_pretrained(folder, **options)
        if name == "qwen2_vl/flat":
            as_published(folder)
        written.append("model")
    size = sum(f.stat().st_size for f in folder.iterdir()) if folder.exists() else 0
    left = f"weights are transformers {case['release']}'s" if "model" not in written else ""
    print(f"{name}: wrote {' and '.join(written) or 'nothing'}, {size} bytes; {left}", file=sys.stderr)


def model_of(case, ids, name):
    """The case's model by the release at hand, with the weights of the case's dtype."""
    import torch

    model = getattr(transformers, f"{classes[case['family']]}ForConditionalGeneration")(config(case, ids)).eval()
    checkpoints.fill(model, case.get("seed", name))
    dtype = getattr(torch, case["dtype"])
    for weight in model.parameters():  # `to` would round the rotary frequencies too, which loading does not
        weight.data = weight.data.to(dtype)
    setattr(model.config, "dtype" if hasattr(model.config, "dtype") else "torch_dtype", dtype)
    model.generation_config.eos_token_id = [ids["<|im_end|>"], ids["<|endoftext|>"]]
    model.generation_config.pad_token_id = ids["<|endoftext|>"]
    return model


if __name__ == "__main__":
    for name in chosen(sys.argv[1:]):
        make(name)
