//! Tells the binary which commit it was built from, by which compiler, on which engine.

use std::process::Command;

fn main() {
    fold_identical_code();
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let mut commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".into());
    if git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|s| !s.is_empty()) {
        commit.push_str("-dirty");
    }
    println!("cargo:rustc-env=PRISM_COMMIT={commit}");
    let compiler = std::env::var_os("RUSTC").and_then(|rustc| Command::new(rustc).arg("--version").output().ok());
    let compiler = compiler.map_or_else(|| "unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    println!("cargo:rustc-env=PRISM_COMPILER={compiler}");
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock");
    let locked = std::fs::read_to_string(lock).unwrap_or_default();
    let engine = locked.split("[[package]]").find(|package| package.contains("name = \"candle-core\""));
    let version = engine.and_then(|package| package.split("version = \"").nth(1)?.split('"').next());
    println!("cargo:rustc-env=PRISM_ENGINE=candle {}", version.unwrap_or("unknown"));
    println!("cargo:rerun-if-changed={lock}");
    for name in ["HEAD", "index"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name]) {
            println!("cargo:rerun-if-changed={}", std::path::absolute(&path).map(|p| p.display().to_string()).unwrap_or(path));
        }
    }
}

/// A tenth of the machine code is generic functions that came out the same; the linker that Rust brings along on this
/// target keeps one of each. Left alone where another linker was chosen, which may not know the flag.
fn fold_identical_code() {
    let target = std::env::var("TARGET").unwrap_or_default();
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let another = flags.contains("linker") || flags.contains("fuse-ld") || std::env::var_os("RUSTC_LINKER").is_some();
    if target == "x86_64-unknown-linux-gnu" && !another {
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
    }
}
