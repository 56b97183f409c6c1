//! The binary: arguments in, exit status out. Everything else is the library's.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    prism::run().into()
}
