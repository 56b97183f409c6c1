//! The explorer: run folders as pages, from a server on this machine's loopback.
//!
//! It reads and never writes. [`library`] finds the runs and notices when they change,
//! [`index`] and [`filter`] hold what tables of examples need, [`guard`] says who may ask,
//! [`router`] names the addresses; the rest writes pages: [`home`], [`run`], [`examples`],
//! [`example`], [`compare`], and [`api`] the same as JSON.

pub mod api;
pub mod compare;
pub mod example;
pub mod examples;
pub mod filter;
pub mod findings;
pub mod frame;
pub mod guard;
pub mod home;
pub mod index;
pub mod library;
pub mod reply;
pub mod report_file;
pub mod router;
pub mod run;
pub mod server;

use std::path::PathBuf;

pub use library::Library;
pub use server::Server;

/// What every page is made from.
#[derive(Debug)]
pub struct Explorer {
    /// The runs.
    pub library: Library,
    /// Their examples.
    pub indices: index::Indices,
}

impl Explorer {
    /// Opens run folders, studies, or folders that hold some.
    ///
    /// # Errors
    /// As [`Library::open`].
    pub fn open(folders: &[PathBuf]) -> Result<Self, prism_run::Error> {
        Ok(Self { library: Library::open(folders)?, indices: index::Indices::default() })
    }
}
