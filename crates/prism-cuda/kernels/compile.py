"""Compiles the kernels to PTX: compile.py SITE-PACKAGES OUT, with the wheels of `cargo xtask ptx` in SITE-PACKAGES.

Needs no GPU, driver or C compiler. `bf16.ptx` and `f32.ptx` are written to OUT; each is then assembled for the oldest
and a newer card, and the registers that the kernels take are printed.
"""

import ctypes
import hashlib
import re
import subprocess
import sys
from pathlib import Path

KERNELS = Path(__file__).parent
ARCHITECTURE = "compute_80"
ASSEMBLED_FOR = ["sm_80", "sm_90"]


def sources_hash() -> str:
    """SHA-256 over the names and texts of the sources, in order of their names; `src/ptx.rs` computes it too."""
    digest = hashlib.sha256()
    for path in sorted(KERNELS.iterdir()):
        if path.suffix in {".cu", ".h"}:
            text = path.read_bytes()
            digest.update(f"{path.name} {len(text)}\n".encode() + text)
    return digest.hexdigest()


def compiler(packages: Path) -> ctypes.CDLL:
    folder = packages / "nvidia" / "cuda_nvrtc" / "lib"
    ctypes.CDLL(str(next(folder.glob("libnvrtc-builtins.so.*"))), mode=ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(str(next(folder.glob("libnvrtc.so.*"))))


def to_ptx(nvrtc: ctypes.CDLL, definitions: list[str]) -> str:
    def check(code: int) -> None:
        if code != 0:
            raise SystemExit(f"NVRTC failed with code {code}\n{log()}")

    def log() -> str:
        size = ctypes.c_size_t()
        nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        text = ctypes.create_string_buffer(size.value)
        nvrtc.nvrtcGetProgramLog(program, text)
        return text.value.decode()

    names = sorted(path.name for path in KERNELS.iterdir() if path.suffix in {".cu", ".h"} and path.name != "all.cu")
    texts = (ctypes.c_char_p * len(names))(*[(KERNELS / name).read_bytes() for name in names])
    includes = (ctypes.c_char_p * len(names))(*[name.encode() for name in names])
    program = ctypes.c_void_p()
    check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), (KERNELS / "all.cu").read_bytes(), b"all.cu", len(names), texts, includes))
    options = [f"--gpu-architecture={ARCHITECTURE}", "--std=c++17", *definitions]
    arguments = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
    code = nvrtc.nvrtcCompileProgram(program, len(options), arguments)
    print(log(), end="")
    check(code)
    size = ctypes.c_size_t()
    check(nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size)))
    ptx = ctypes.create_string_buffer(size.value)
    check(nvrtc.nvrtcGetPTX(program, ptx))
    return ptx.value.decode()


def main() -> None:
    packages, out = Path(sys.argv[1]), Path(sys.argv[2])
    nvrtc = compiler(packages)
    assembler = packages / "nvidia" / "cuda_nvcc" / "bin" / "ptxas"
    assembler.chmod(0o755)
    for name, definitions in [("bf16", []), ("f32", ["-DF32"])]:
        # The comments that the compiler writes name its build, and are longer than some kernels.
        lines = [line.rstrip() for line in to_ptx(nvrtc, definitions).splitlines()]
        lines = [line for line in lines if line and not line.startswith("//")]
        path = out / f"{name}.ptx"
        path.write_text(f"// Made by `cargo xtask ptx`.\n// sources {sources_hash()}\n" + "\n".join(lines) + "\n")
        for architecture in ASSEMBLED_FOR:
            command = [str(assembler), f"--gpu-name={architecture}", "--verbose", "--output-file=/dev/null", str(path)]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stderr
            registers = [int(number) for number in re.findall(r"Used (\d+) registers", told)]
            spilled = sum(int(number) for number in re.findall(r"(\d+) bytes spill", told))
            print(f"{path.name}, {architecture}: {len(registers)} kernels, at most {max(registers)} registers, {spilled} bytes spilled")


main()
