"""Tiny random Qwen2.5-VL checkpoints, each written by `save_pretrained` of one release of transformers.

Usage, once per release (each makes the cases of its own; the rest of the environment is requirements.txt):
    python oracle/checkpoints.py [CASE...]                             # transformers 4.54.0
    PYTHONPATH=<pip install --target of 4.49.0> python oracle/checkpoints.py   # flat config.json, as the published models have
    PYTHONPATH=<pip install --target of 5.23.0> python oracle/checkpoints.py   # newer names, nested config.json
Then oracle/checkpoints_expected.py makes the expected values.

Writes crates/prism-model/tests/fixtures/checkpoints/CASE/. Every weight is drawn from a seed made of its
name and the case, so that any release makes the same model; the tokenizer is trained here on a few lines.
"""
import json
import shutil
import sys
import tempfile
import zlib
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

root = Path(__file__).resolve().parent.parent
out = root / "crates/prism-model/tests/fixtures/checkpoints"

# A case names what differs from `default`. `files`: fast writes tokenizer.json, slow vocab.json + merges.txt.
# `template`: jinja, json, or tokenizer (a key of tokenizer_config.json). `batched`: expected values come from
# left-padded batches. `shard`: largest shard. `tie`, `rows` (of the embedding; the tokenizer has fewer tokens).
default = {
    "release": "4.54.0", "dtype": "bfloat16", "tie": False, "rows": 352, "files": "fast", "template": "jinja", "batched": False,
    "text": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "rms_norm_eps": 1e-6, "max_position_embeddings": 4096},
    "section": [1, 1, 2], "theta": 1e6,
    "vision": {"depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "patch_size": 14, "spatial_merge_size": 2,
               "temporal_patch_size": 2, "window_size": 112, "fullatt_block_indexes": [1]},
    "pixels": [4, 24], "processor": "slow",
}
cases = {
    "plain": {"dtype": "float32"},
    "tied": {"tie": True, "files": "slow", "template": "json", "batched": True},
    "half": {"dtype": "float16", "text": {"num_key_value_heads": 4}, "files": "slow", "template": "tokenizer"},
    "one_key_head": {"text": {"num_attention_heads": 2, "num_key_value_heads": 1}, "section": [2, 3, 3], "tie": True, "batched": True},
    "sharded": {"shard": "40KB", "files": "slow", "batched": True},
    "extra_rows": {"rows": 512, "tie": True, "theta": 1e4, "batched": True},
    "small_windows": {"vision": {"window_size": 56, "depth": 3, "fullatt_block_indexes": [0, 2]}, "pixels": [4, 64]},
    "windows_only": {"tie": True, "vision": {"fullatt_block_indexes": []}, "pixels": [1, 40], "batched": True, "processor": "fast"},
    "no_windows": {"vision": {"fullatt_block_indexes": [0, 1], "num_heads": 4}, "processor": "fast", "files": "slow"},
    "small_patches": {"dtype": "float32", "tie": True, "vision": {"patch_size": 7, "window_size": 42}, "pixels": [8, 100]},
    "wide": {"text": {"hidden_size": 64, "num_attention_heads": 8, "rms_norm_eps": 1e-5}, "tie": True, "batched": True},
    "flat": {"release": "4.49.0", "tie": True, "shard": "60KB", "template": "tokenizer"},
    "newer": {"release": "5.23.0", "dtype": "float16", "batched": True},
    "newer_sharded": {"release": "5.23.0", "tie": True, "shard": "50KB"},
}
specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
            "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
words = ["<tool_call>", "</tool_call>"]  # added, but not special
corpus = ["What is the color of the small triangle left of the star?", "Options:\nA. red\nB. blue", "user assistant system",
          "You are a helpful assistant.", "Answer with the option's letter from the given choices directly.", "naïve café 日本語",
          "<answer> B </answer>", "How many images show the same thing? 0123456789"]
pieces = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
# The template of the published Qwen2.5-VL checkpoints.
template = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}{% if loop.first and "
    "message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}{% for content in message['content'] %}{% if "
    "content['type'] == 'image' or 'image' in content or 'image_url' in content %}{% set image_count.value = image_count.value + 1 %}{% if "
    "add_vision_id %}Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>{% elif content['type'] == "
    "'video' or 'video' in content %}{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}Video {{ video_count.value }}: "
    "{% endif %}<|vision_start|><|video_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}"
    "<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def resolved(name):
    """The case with the default's values where it names none."""
    case = {**default, **cases[name]}
    for part in ["text", "vision"]:
        case[part] = {**default[part], **cases[name].get(part, {})}
    case["vision"]["out_hidden_size"] = case["text"]["hidden_size"]
    return case


def config(case, ids):
    """The configuration as the release at hand takes it."""
    rope = {"type": "default", "rope_type": "default", "mrope_section": case["section"]}
    text = {**case["text"], "vocab_size": case["rows"], "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"]}
    tokens = {f"{key}_token_id": ids[f"<|{token}|>"] for key, token in [
        ("image", "image_pad"), ("video", "video_pad"), ("vision_start", "vision_start"), ("vision_end", "vision_end")]}
    if transformers.__version__.startswith("5"):
        text |= {"rope_parameters": {"rope_type": "default", "mrope_section": case["section"], "rope_theta": case["theta"]}}
        return transformers.Qwen2_5_VLConfig(text_config=text, vision_config=case["vision"], tie_word_embeddings=case["tie"], **tokens)
    text |= {"rope_scaling": rope, "rope_theta": case["theta"], "tie_word_embeddings": case["tie"]}
    return transformers.Qwen2_5_VLConfig(vision_config=case["vision"], **text, **tokens)


def fill(model, seed):
    """Draws every weight anew: matrices so that a layer keeps the size of its input, norms around one."""
    for name, weight in model.named_parameters():
        name = name.replace("model.language_model.", "model.").replace("model.visual.", "visual.")
        draw = torch.randn(weight.shape, generator=torch.Generator().manual_seed(zlib.crc32(f"{seed}/{name}".encode())))
        with torch.no_grad():
            if weight.dim() > 1:
                weight.copy_(draw * 1.2 * weight[0].numel() ** -0.5)
            else:
                scale = ("norm" in name or "ln_q" in name) and not name.endswith("bias")
                weight.copy_(draw * 0.2 + (1.0 if scale else 0.0))
    model.tie_weights()


def trained_tokenizer():
    """Byte-level BPE as Qwen2's, with a handful of merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    from tokenizers import Regex
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pieces), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(corpus * 3, trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, show_progress=False))
    return json.loads(tokenizer.to_str())["model"]


def write_tokenizer(folder, case, template=template):
    """Tokenizer files by transformers' own writers."""
    from transformers import AddedToken, Qwen2Tokenizer, Qwen2TokenizerFast

    bpe = trained_tokenizer()
    with tempfile.TemporaryDirectory() as source:
        source = Path(source)
        (source / "vocab.json").write_text(json.dumps(bpe["vocab"], ensure_ascii=False))
        lines = [" ".join(m) if isinstance(m, list) else m for m in bpe["merges"]]
        (source / "merges.txt").write_text("#version: 0.2\n" + "\n".join(lines) + "\n")
        kind = Qwen2TokenizerFast if case["files"] == "fast" else Qwen2Tokenizer
        tokenizer = kind(str(source / "vocab.json"), str(source / "merges.txt"), eos_token="<|im_end|>", pad_token="<|endoftext|>", unk_token=None)
        tokenizer.add_special_tokens({"additional_special_tokens": specials[1:]})
        tokenizer.add_tokens([AddedToken(word, special=False, normalized=False) for word in words])
        tokenizer.padding_side = "left"
    tokenizer.chat_template = template
    if case["template"] == "json":
        (folder / "chat_template.json").write_text(json.dumps({"chat_template": template}, indent=2) + "\n")
        tokenizer.chat_template = None
    tokenizer.save_pretrained(folder, save_jinja_files=case["template"] == "jinja")
    if case["files"] == "fast":  # the slow files are the other form's
        for name in ["vocab.json", "merges.txt", "added_tokens.json"]:
            (folder / name).unlink(missing_ok=True)


def write_processor(folder, case):
    """The image processor's file."""
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
    from transformers.models.qwen2_vl.image_processing_qwen2_vl_fast import Qwen2VLImageProcessorFast

    vision = case["vision"]
    area = (vision["patch_size"] * vision["spatial_merge_size"]) ** 2
    least, most = case["pixels"]
    image = (Qwen2VLImageProcessorFast if case["processor"] == "fast" else Qwen2VLImageProcessor)(
        min_pixels=least * area, max_pixels=most * area, size={"shortest_edge": least * area, "longest_edge": most * area},
        patch_size=vision["patch_size"], merge_size=vision["spatial_merge_size"], temporal_patch_size=vision["temporal_patch_size"])
    image.save_pretrained(folder)


def make(name):
    case = resolved(name)
    folder = out / name
    if transformers.__version__ == "4.54.0":
        if case["release"] == "4.54.0":
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        write_tokenizer(folder, case)
        write_processor(folder, case)
    if transformers.__version__ != case["release"]:
        return
    added = json.loads((folder / "tokenizer_config.json").read_text())["added_tokens_decoder"]
    ids = {token["content"]: int(number) for number, token in added.items()}
    model = transformers.Qwen2_5_VLForConditionalGeneration(config(case, ids)).eval()
    fill(model, name)
    model.to(getattr(torch, case["dtype"]))
    model.config.torch_dtype = getattr(torch, case["dtype"])
    model.generation_config.eos_token_id = [ids["<|im_end|>"], ids["<|endoftext|>"]]
    model.generation_config.pad_token_id = ids["<|endoftext|>"]
    options = {"max_shard_size": case.get("shard", "1GB")}
    if case["release"].startswith("5"):
        options["save_original_format"] = False
    model.save_pretrained(folder, **options)
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{name}: {size} bytes, {sorted(f.name for f in folder.iterdir())}", file=sys.stderr)


if __name__ == "__main__":
    for name in sys.argv[1:] or list(cases):
        make(name)
