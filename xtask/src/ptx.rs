//! The kernels of `prism-cuda` to PTX, with NVIDIA's compiler from PyPI: no GPU, driver or toolkit is needed.
//!
//! The version is that of CUDA 12.4, whose PTX drivers from 2024 on take. Its wheels have no `nvcc`; the compiler as a
//! library (NVRTC) and the assembler are all that is needed of it.

use std::fs;

use anyhow::bail;

use crate::steps::{python, root, step, target};

const WHEELS: [&str; 2] = ["nvidia-cuda-nvrtc-cu12==12.4.127", "nvidia-cuda-nvcc-cu12==12.4.131"];
const FOLDER: &str = "crates/prism-cuda/kernels";

/// Makes the committed PTX again; with `only_check` it is compared with the committed one and not written.
pub fn run(only_check: bool) -> anyhow::Result<()> {
    let (packages, made) = (target("ptx/packages"), target("ptx/made"));
    fs::create_dir_all(&made)?;
    if WHEELS
        .iter()
        .any(|wheel| !fs::exists(format!("{packages}/{}.dist-info", wheel.replace('-', "_").replace("==", "-"))).unwrap_or(false))
    {
        let venv = target("ptx/venv");
        step("ptx venv", &python(), &["-m", "venv", &venv])?;
        let pip = [&["-m", "pip", "install", "--quiet", "--no-deps", "--target", &packages], &WHEELS[..]].concat();
        step("ptx wheels", &format!("{venv}/bin/python"), &pip)?;
    }
    step("ptx compile", &python(), &[&format!("{FOLDER}/compile.py"), &packages, &made])?;
    for name in ["bf16.ptx", "f32.ptx"] {
        let (from, to) = (format!("{made}/{name}"), root().join(FOLDER).join(name));
        let is_current = fs::read(&from)? == fs::read(&to).unwrap_or_default();
        match (is_current, only_check) {
            (true, _) => println!("{FOLDER}/{name} is current"),
            (false, false) => {
                fs::copy(&from, &to)?;
                println!("wrote {FOLDER}/{name}");
            }
            (false, true) => bail!("{FOLDER}/{name} is not what its sources give; run `cargo xtask ptx` and commit it"),
        }
    }
    Ok(())
}
