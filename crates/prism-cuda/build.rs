//! Compiles the kernels for the host, as C: once for bf16 and once for f32.

fn main() {
    println!("cargo:rerun-if-changed=kernels");
    for (name, definition) in [("prism_kernels_bf16", "BF16"), ("prism_kernels_f32", "F32")] {
        let out = format!("{}/{name}", std::env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
        // No contraction: the host's numbers are those of the operations as written, on every processor.
        let mut build = cc::Build::new();
        build.out_dir(out).define(definition, None).std("gnu11").opt_level(3).flag("-ffp-contract=off").flag("-Wextra");
        build.flag("-x").flag("c").file("kernels/all.cu").compile(name);
    }
    println!("cargo:rustc-link-lib=m");
}
