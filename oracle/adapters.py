"""LoRA adapters as peft saves them, and the weights that peft's own merge makes of them.

Usage: python oracle/adapters.py [CASE...]              # torch 2.8, transformers 4.54.1, peft 0.21.2
       PYTHONPATH=<pip install --target of requirements-qwen3.txt> python oracle/adapters.py      # the case of qwen3_vl

Writes crates/prism-model/tests/fixtures/adapters/CASE/:
  adapter_config.json, adapter_model.safetensors   as `save_pretrained` writes them (weights drawn, not trained)
  case.json        the base's folder below tests/fixtures, whether input and output matrix are one, rows of the vocabulary
  expected.safetensors   every tensor of `PeftModel.from_pretrained(base, CASE).merge_and_unload()` that is not the base's,
                         by its name in memory; of a long one every 11th value, in order

A case that peft itself refuses, or that Prism refuses by name, is not here: those are made in the test.
"""
import json
import shutil
import sys
import tempfile
from pathlib import Path

import peft
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

root = Path(__file__).resolve().parent.parent / "crates/prism-model/tests/fixtures"
out = root / "adapters"
classes = {"checkpoints": "Qwen2_5_VLForConditionalGeneration", "qwen2_vl": "Qwen2VLForConditionalGeneration",
           "qwen3_vl": "Qwen3VLForConditionalGeneration"}
qv = ["q_proj", "v_proj"]
# Keys of a case beside LoraConfig's: base, half (saved in bfloat16), rename (how the stored names are changed), rows (the
# vocabulary after training), keep (save_embedding_layers).
cases = {
    "two": {"target_modules": qv},
    "alpha_zero": {"target_modules": qv, "lora_alpha": 0},
    "rank_pattern": {"target_modules": qv, "rank_pattern": {"layers.0.self_attn.q_proj": 3}},
    "alpha_pattern": {"target_modules": qv, "alpha_pattern": {"v_proj": 7}},
    "patterns": {"target_modules": qv, "rank_pattern": {r"layers\.1\..*": 1, "q_proj": 3}, "alpha_pattern": {r".*layers\.\d+\.self_attn\.(q|k)_proj": 5}},
    "rslora": {"target_modules": qv, "r": 3, "use_rslora": True},
    "rslora_patterns": {"target_modules": qv, "use_rslora": True, "rank_pattern": {"v_proj": 3}, "alpha_pattern": {"v_proj": 1}},
    "dora": {"target_modules": qv, "use_dora": True},
    "dora_rslora": {"target_modules": qv, "use_dora": True, "use_rslora": True, "alpha_pattern": {"q_proj": 3}},
    "dora_embedding": {"target_modules": ["embed_tokens"], "use_dora": True, "half": True},
    "dora_conv": {"target_modules": ["patch_embed.proj"], "use_dora": True, "half": True},
    "save_both": {"target_modules": ["o_proj"], "modules_to_save": ["embed_tokens", "lm_head"], "half": True},
    "save_merger": {"target_modules": ["k_proj"], "modules_to_save": ["merger"], "half": True},
    "save_norm": {"target_modules": ["k_proj"], "modules_to_save": ["input_layernorm"]},
    "embeddings": {"target_modules": ["embed_tokens", "lm_head"], "half": True},
    "regex": {"target_modules": r".*language_model.*\.(q_proj|up_proj)"},
    "lookahead": {"target_modules": r"^(?!.*visual).*(?:o_proj|down_proj).*"},
    "all_linear": {"target_modules": "all-linear", "r": 1, "half": True},
    "layers": {"target_modules": qv, "layers_to_transform": [1], "layers_pattern": "layers"},
    "one_layer": {"target_modules": qv, "layers_to_transform": 0},
    "exclude": {"target_modules": ["q_proj", "proj"], "exclude_modules": r".*patch_embed.*"},
    "bias_all": {"target_modules": qv, "bias": "all"},
    "bias_lora_only": {"target_modules": qv, "bias": "lora_only"},
    "lora_bias": {"target_modules": qv, "lora_bias": True},
    "vision": {"target_modules": ["qkv", "attn.proj"]},
    "vision_mlp": {"target_modules": r".*visual\.blocks\.\d+\.mlp\.(gate_proj|down_proj)"},
    "conv": {"target_modules": ["patch_embed.proj"], "half": True},
    "fan": {"target_modules": qv, "fan_in_fan_out": True},
    "tokens": {"target_modules": qv, "trainable_token_indices": [3, 340]},
    "half": {"target_modules": qv, "half": True},
    "gaussian": {"target_modules": qv, "init_lora_weights": "gaussian"},
    "older_names": {"target_modules": ["q_proj", "qkv"], "rename": [("model.language_model.", "model."), ("model.visual.", "visual.")]},
    "adapter_name": {"target_modules": qv, "rename": [(".lora_A.weight", ".lora_A.default.weight"), (".lora_B.weight", ".lora_B.default.weight")]},
    "no_prefix": {"target_modules": qv, "rename": [("base_model.model.", "")]},
    "rows": {"target_modules": qv, "modules_to_save": ["embed_tokens", "lm_head"], "rows": 355, "half": True},
    "sharded_base": {"base": "checkpoints/sharded", "target_modules": qv},
    "flat_base": {"base": "checkpoints/flat", "target_modules": qv},
    "tied": {"base": "checkpoints/tied", "target_modules": qv},
    "tied_save_head": {"base": "checkpoints/tied", "target_modules": qv, "modules_to_save": ["lm_head"], "half": True},
    "tied_save_input": {"base": "checkpoints/tied", "target_modules": qv, "modules_to_save": ["embed_tokens"], "half": True},
    "tied_ensured": {"base": "checkpoints/tied", "target_modules": qv, "modules_to_save": ["embed_tokens"], "ensure_weight_tying": True, "half": True},
    "tied_tokens": {"base": "checkpoints/tied", "target_modules": qv, "trainable_token_indices": [5, 7, 300]},
    "tied_rows": {"base": "checkpoints/tied", "target_modules": qv, "rows": 355, "keep": True, "half": True},
    "qwen2_vl": {"base": "families/qwen2_vl/plain", "target_modules": r".*(q_proj|fc1)"},
    "qwen2_vl_dora": {"base": "families/qwen2_vl/tied", "target_modules": ["k_proj"], "use_dora": True},
    "qwen3_vl": {"base": "families/qwen3_vl/plain", "target_modules": ["o_proj", "linear_fc1"]},
}


def base(case, rows=None):
    folder = case.get("base", "checkpoints/plain")
    name = classes[folder.split("/")[0]] if folder.startswith("checkpoints") else classes[folder.split("/")[1]]
    if not hasattr(transformers, name) or (name.startswith("Qwen3") != (transformers.__version__ == "4.57.1")):
        return None
    model = getattr(transformers, name).from_pretrained(root / folder, torch_dtype=torch.float32)
    if rows:
        model.resize_token_embeddings(rows, mean_resizing=False)
    return model


def state(model):
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def make(name, case):
    rows = case.get("rows")
    torch.manual_seed(sum(map(ord, name)))
    model = base(case, rows)
    if model is None:
        return print(f"left out {name}: another release's")
    own = {"base", "half", "rename", "rows", "keep"}
    config = {"r": 2, "lora_alpha": 5, "task_type": "CAUSAL_LM", **{k: v for k, v in case.items() if k not in own}}
    tuned = get_peft_model(model, LoraConfig(**config))
    for parameter in tuned.parameters():
        if parameter.requires_grad:
            # A weight far from the start, its size kept: what is ignored would show.
            spread = parameter.data.std() if parameter.numel() > 1 else torch.tensor(1.0)
            parameter.data += torch.randn_like(parameter) * (spread if float(spread) > 0 else 0.1) * 0.7
    if case.get("keep"):
        for layer in (tuned.get_input_embeddings(), tuned.get_output_embeddings()):
            layer.weight.data += torch.randn_like(layer.weight) * 0.02
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as there:
        tuned.save_pretrained(there, **({"save_embedding_layers": True} if case.get("keep") else {"save_embedding_layers": "auto"}))
        folder.mkdir(parents=True)
        tensors = load_file(Path(there) / "adapter_model.safetensors")
        if case.get("half"):
            tensors = {k: v.to(torch.bfloat16) for k, v in tensors.items()}
        # The merge is peft's over the names that peft wrote; the fixture has the names of the release that `rename` stands for.
        save_file(tensors, Path(there) / "adapter_model.safetensors", metadata={"format": "pt"})
        merged = PeftModel.from_pretrained(base(case, rows), there).merge_and_unload()
        for old, new in case.get("rename", []):
            tensors = {k.replace(old, new): v for k, v in tensors.items()}
        save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        written = json.loads((Path(there) / "adapter_config.json").read_text())
        written["base_model_name_or_path"] = "org/base"
        (folder / "adapter_config.json").write_text(json.dumps(written) + "\n")
    before, after = state(base(case)), state(merged)
    changed = {k: v for k, v in after.items() if k not in before or before[k].shape != v.shape or not torch.equal(before[k], v)}
    assert changed or name == "alpha_zero", name
    save_file({k: (v.flatten() if v.numel() <= 600 else v.flatten()[::11]).contiguous() for k, v in changed.items()}, folder / "expected.safetensors")
    tied = merged.get_input_embeddings().weight.data_ptr() == merged.get_output_embeddings().weight.data_ptr()
    told = {"base": case.get("base", "checkpoints/plain"), "tied": tied, "rows": merged.get_input_embeddings().weight.shape[0],
            "peft": peft.__version__, "transformers": transformers.__version__}
    (folder / "case.json").write_text(json.dumps(told) + "\n")
    print(name, len(tensors), "tensors,", len(changed), "changed, tied" if tied else "changed")


for name, case in cases.items():
    if not sys.argv[1:] or name in sys.argv[1:]:
        try:
            make(name, case)
        except Exception as error:  # noqa: BLE001  a case that peft does not make is told and left out
            shutil.rmtree(out / name, ignore_errors=True)
            print(f"FAILED {name}: {type(error).__name__}: {str(error)[:300]}")
