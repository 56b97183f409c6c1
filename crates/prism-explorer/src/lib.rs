//! The explorer: run folders as pages, from a server on this machine's loopback.
//!
//! It reads and never writes. [`library`] finds the runs ([`walk`], [`manifests`]), names them ([`naming`]) and
//! notices when they change; [`state`] says which still go on. [`index`], [`indices`] and [`filter`] hold what tables
//! of examples need. The rest writes pages: [`home`], [`run`] (with [`run_tables`], and the tables of its files from
//! [`findings`]), [`examples`], [`example`] (with what is known of one example from [`content`]), [`compare`] (with
//! [`agreement`]), and [`api`] the same as JSON. Their numbers are cells of tables of the document
//! ([`prism_report::document`]), written by it or by [`grid`], and lead to the examples behind them ([`links`]).
//!
//! Requests come in through [`server`]: [`connections`] holds a number of them, [`stream`] ends
//! those of clients that do not read, [`guard`] says who may ask and [`token`] how they show it.
//! [`router`] names the addresses, and [`maker`] has the pages made: once for equal requests
//! ([`flights`], [`kept`]), few at a time ([`turns`]), and no more of them in memory than fit
//! ([`bodies`]). [`limits`] has every number.

pub mod agreement;
pub mod api;
pub mod bodies;
pub mod compare;
pub mod connections;
pub mod content;
pub mod example;
pub mod examples;
pub mod filter;
pub mod findings;
pub mod flights;
pub mod frame;
pub mod grid;
pub mod guard;
pub mod home;
pub mod index;
pub mod indices;
pub mod kept;
pub mod library;
pub mod limits;
pub mod links;
pub mod maker;
pub mod manifests;
pub mod naming;
pub mod reply;
pub mod report_file;
pub mod router;
pub mod run;
pub mod run_tables;
pub mod server;
pub mod state;
pub mod stream;
pub mod summary;
pub mod token;
pub mod turns;
pub mod walk;

use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;

pub use library::Library;
pub use limits::Limits;
pub use server::Server;

use prism_report::gallery::Sources;

/// What every page is made from.
#[derive(Debug)]
pub struct Explorer {
    /// The runs.
    pub library: Library,
    /// Their examples.
    pub indices: indices::Indices,
    /// What their findings say in a line.
    pub summaries: summary::Summaries,
    /// Where pictures may be taken from.
    pub sources: Sources,
    /// Pages that a server has made so far; one that several requests share counts once.
    pub made: AtomicUsize,
}

impl Explorer {
    /// Opens run folders, studies, or folders that hold some.
    ///
    /// # Errors
    /// As [`Library::open`].
    pub fn open(folders: &[PathBuf]) -> Result<Self, prism_run::Error> {
        let library = Library::open(folders)?;
        Ok(Self {
            sources: Sources::new(&shown(&library), &[]),
            library,
            indices: indices::Indices::default(),
            summaries: summary::Summaries::default(),
            made: AtomicUsize::new(0),
        })
    }

    /// The same, which takes pictures from below these folders as well.
    #[must_use]
    pub fn with_images(self, named: &[PathBuf]) -> Self {
        Self { sources: Sources::new(&shown(&self.library), named), ..self }
    }
}

/// The folders given, by the paths from which their runs' are made.
fn shown(library: &Library) -> Vec<PathBuf> {
    library.roots().iter().map(|root| root.path.clone()).collect()
}
