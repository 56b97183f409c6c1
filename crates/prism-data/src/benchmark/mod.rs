//! Benchmarks as versioned data: what each is ([`Description`], `benchmarks/*.toml`),
//! where its files lie ([`Benchmark::open`], the one entry point), and what a check
//! finds in them ([`Inventory`]). The formats themselves are in [`crate::readers`].

mod description;
mod inventory;
mod open;
mod prompt;
mod release;

pub use description::{Description, Expected, Layout};
pub use inventory::{Category, Difference, Fault, Inventory};
pub use open::{Benchmark, read_benchmark, read_partners};
pub use prompt::PromptForm;
pub use release::{Earlier, Release, ReleaseCount};
