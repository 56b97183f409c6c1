//! The committed PTX is that of the sources, and the arguments are those of the C structures.

use std::collections::BTreeSet;
use std::fmt::Write;

use prism_cuda::{Kind, kernels, ptx};
use sha2::{Digest, Sha256};

/// As `kernels/compile.py` computes it.
fn sources_hash() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "cu" || extension == "h"));
    paths.sort();
    let mut digest = Sha256::new();
    for path in paths {
        let text = std::fs::read(&path).unwrap();
        digest.update(format!("{} {}\n", path.file_name().unwrap().to_str().unwrap(), text.len()));
        digest.update(text);
    }
    digest.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn it_is_made_of_the_sources() {
    for kind in [Kind::Bf16, Kind::F32] {
        let text = ptx::text(kind);
        assert_eq!(ptx::made_of(text), Some(&sources_hash()[..]), "kernels/{}.ptx is stale: run `cargo xtask ptx`", kind.suffix());
        assert!(text.contains("\n.version 8.4\n.target sm_80\n"), "drivers of 2024 take ISA 8.4");
        assert!(!text.contains(".loc\t") && !text.contains(".loc ") && !text.contains(".debug"), "lines for a debugger are not kept");
    }
}

#[test]
fn it_has_the_kernels() {
    for kind in [Kind::Bf16, Kind::F32] {
        let ours: BTreeSet<String> = kernels::all().iter().map(|kernel| format!("{}_{}", kernel.name, kind.suffix())).collect();
        assert_eq!(ptx::names(ptx::text(kind)).map(str::to_owned).collect::<BTreeSet<_>>(), ours);
        for kernel in kernels::all() {
            let entry = format!(".visible .entry {}_{}(", kernel.name, kind.suffix());
            let head: Vec<&str> = ptx::text(kind).split(&entry).nth(1).unwrap().lines().take(4).map(str::trim).collect();
            assert!(head.contains(&&format!(".maxntid {}, 1, 1", kernel.threads)[..]), "{}: {head:?}", kernel.name);
        }
    }
}

#[test]
fn arguments_are_as_large_in_c() {
    for kernel in kernels::all() {
        assert_eq!(kernel.bytes, kernel.bytes_in_c as usize, "{}", kernel.name);
    }
}
