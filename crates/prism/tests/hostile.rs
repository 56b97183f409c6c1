//! Run folders from strangers: whatever lies in one, `report`, `show`, `compare`, `merge` and `view`
//! stay below 1 GB, come to an end, say which file is at fault and what to do, and give away nothing
//! that lies outside it (docs/reference/security.md).
//!
//! Every command runs as a child with a limit on its address space: memory is measured, and nothing
//! is timed. The one thing waited for is that a child ends at all.
#![cfg(target_os = "linux")]

#[path = "hostile/child.rs"]
mod child;
#[path = "hostile/cuts.rs"]
mod cuts;
#[path = "hostile/documented.rs"]
mod documented;
#[path = "hostile/escapes.rs"]
mod escapes;
#[path = "hostile/explorer.rs"]
mod explorer;
#[path = "hostile/honest.rs"]
mod honest;
#[path = "hostile/lies.rs"]
mod lies;
#[path = "hostile/memory.rs"]
mod memory;
#[path = "hostile/no_files.rs"]
mod no_files;
#[path = "hostile/outside.rs"]
mod outside;
#[path = "hostile/pictures.rs"]
mod pictures;
#[path = "hostile/stops.rs"]
mod stops;
#[path = "hostile/sums.rs"]
mod sums;
#[path = "hostile/tables.rs"]
mod tables;

#[path = "../../../tests/golden.rs"]
mod reference;
