"""Which image processor transformers takes for a folder, and with what settings.

Usage: python oracle/processors.py, then the same with PYTHONPATH=tf-4.57.1 and PYTHONPATH=tf-5.23.0 (README)
Writes crates/prism-model/tests/fixtures/processors.json: for each case the files of a folder and, by release, the processor
that `AutoImageProcessor` takes (`slow`, `fast`; null where it fails), the one with `use_fast=False`, and the limits of pixels,
patch and mean. Each run adds its release to what is there.
"""
import json
import shutil
import tempfile
from pathlib import Path

import transformers
from transformers import AutoImageProcessor

import golden

transformers.logging.set_verbosity_error()
out = Path(__file__).resolve().parent.parent / "crates/prism-model/tests/fixtures/processors.json"
base = golden.GOLDEN / "checkpoints/lvr"
whole = json.loads((base / "preprocessor_config.json").read_text())
major = int(transformers.__version__.split(".")[0])


def of(**keys):
    changed = {**whole, **keys}
    return {k: v for k, v in changed.items() if v != "absent"}


def nested(**keys):
    return {"processor_class": "Qwen2_5_VLProcessor", "image_processor": of(**keys)}


P, N = "preprocessor_config.json", "processor_config.json"
edges = {"shortest_edge": 4000, "longest_edge": 9000}
CASES = {
    "slow": {P: of()},
    "fast": {P: of(image_processor_type="Qwen2VLImageProcessorFast")},
    "no_type": {P: of(image_processor_type="absent")},
    "pil": {P: of(image_processor_type="Qwen2VLImageProcessorPil")},
    "early_name": {P: of(image_processor_type="Qwen2_5_VLImageProcessor")},
    "clip": {P: of(image_processor_type="CLIPImageProcessor")},
    "nested_slow": {N: nested()},
    "nested_fast": {N: nested(image_processor_type="Qwen2VLImageProcessorFast")},
    "nested_pil": {N: nested(image_processor_type="Qwen2VLImageProcessorPil")},
    "nested_new_limits": {N: nested(min_pixels=None, max_pixels=None, size=edges)},
    "both": {P: of(), N: nested(patch_size=16, image_mean=[0.5, 0.5, 0.5])},
    "processor_config_without": {P: of(), N: {"processor_class": "Qwen2_5_VLProcessor"}},
    "only_processor_config_without": {N: {"processor_class": "Qwen2_5_VLProcessor"}},
    "size_alone": {P: of(min_pixels="absent", max_pixels="absent", size=edges)},
    "null_limits": {P: of(min_pixels=None, max_pixels=None, size=edges)},
    "limits_win": {P: of(size=edges)},
    "half_a_limit": {P: of(min_pixels=None, size=edges)},
    "no_size": {P: of(size="absent")},
}


def taken(files, **options):
    with tempfile.TemporaryDirectory() as name:
        shutil.copy(base / "config.json", name)
        for file, content in files.items():
            Path(name, file).write_text(json.dumps(content))
        try:
            return AutoImageProcessor.from_pretrained(name, **options)
        except (ValueError, OSError, TypeError, KeyError):
            return None


def kind(processor):
    if processor is None or "Qwen2VL" not in type(processor).__name__:
        return None
    name = type(processor).__name__
    fast = not name.endswith("Pil") if major >= 5 else name.endswith("Fast")
    return "fast" if fast else "slow"


def told(files):
    own = taken(files)
    if kind(own) is None:
        return {"auto": None}
    size = dict(own.size)
    return {
        "auto": kind(own), "not_fast": kind(taken(files, use_fast=False)), "min_pixels": size["shortest_edge"],
        "max_pixels": size["longest_edge"], "patch_size": own.patch_size, "mean": own.image_mean[0],
    }


document = json.loads(out.read_text()) if out.exists() else {"cases": {}}
for name, files in CASES.items():
    case = document["cases"].setdefault(name, {"files": {}, "by": {}})
    case["files"] = {file: json.dumps(content) for file, content in files.items()}
    case["by"][transformers.__version__] = told(files)
out.write_text(json.dumps(document, indent=1) + "\n")
print(transformers.__version__, {name: case["by"][transformers.__version__]["auto"] for name, case in document["cases"].items()})
