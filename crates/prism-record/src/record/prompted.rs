//! An example with its vision pass and prefill: made once, shared by all branches of all arms.

use std::collections::BTreeMap;
use std::time::Duration;

use prism_model::{Error, Result, clock};
use prism_run::outcome::Cause;
use prism_run::{Example, View};

use super::Setup;
use super::views::Views;
use crate::decode::{Prefiller, Prefix};

/// What an example took so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Times {
    pub image: Duration,
    pub vision: Duration,
    pub prefill: Duration,
    pub prefills: usize,
}

impl Times {
    /// An example's prefix under a view; what it took is added.
    fn prefix(&mut self, setup: &Setup<'_>, views: &Views<'_>, example: &Example, view: View) -> Result<Prefix> {
        let Setup { model, prompter, preprocessor, .. } = *setup;
        let layers = setup.layers && view == View::Open;
        let prefiller = Prefiller { model, prompter, preprocessor, layers };
        let (prefix, took, spent) = clock::timed(|| views.prefix(prefiller, example, view));
        self.vision += spent.vision;
        self.prefill += spent.prefill;
        self.image += took.saturating_sub(spent.vision + spent.prefill);
        self.prefills += 1;
        prefix
    }
}

/// Why an example cannot be run.
#[derive(Debug, Clone)]
pub(super) struct Failed {
    /// The kind of failure.
    pub cause: Cause,
    /// What is said of it.
    pub message: String,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { cause: error.cause(), message: error.in_short() }
    }
}

/// An example with its vision pass and prefill, which all branches of all arms share.
pub(super) struct Prompted<'e> {
    pub example: &'e Example,
    /// Absent when the example failed, or when it was dropped to save memory.
    prefix: Option<std::result::Result<Prefix, String>>,
    /// Other views of it, or why there is none.
    views: BTreeMap<View, std::result::Result<Prefix, String>>,
    /// Why the example cannot be run at all.
    pub failure: Option<Failed>,
    pub times: Times,
}

impl<'e> Prompted<'e> {
    /// Runs vision tower and prefill of every example of a group.
    pub fn group(setup: &Setup<'_>, views: &Views<'_>, group: &[&'e Example]) -> Vec<Self> {
        let prompted = |&example: &&'e Example| {
            let mut times = Times::default();
            match times.prefix(setup, views, example, View::Open) {
                Ok(prefix) => {
                    let mut prompted = Self { example, prefix: Some(Ok(prefix)), views: BTreeMap::new(), failure: None, times };
                    prompted.look(setup, views);
                    prompted
                }
                Err(e) => Self { example, prefix: None, views: BTreeMap::new(), failure: Some(e.into()), times },
            }
        };
        group.iter().map(prompted).collect()
    }

    /// Makes the other views; one that cannot be made fails its own branches only.
    fn look(&mut self, setup: &Setup<'_>, views: &Views<'_>) {
        for &view in &views.list {
            let made = self.times.prefix(setup, views, self.example, view).map_err(|e| format!("{}: {e}", view.name()));
            self.views.insert(view, made);
        }
    }

    /// The prompt under a view, or why it could not be made; `None` when the example failed or
    /// its prompt was dropped.
    pub fn prefix(&self, view: View) -> Option<&std::result::Result<Prefix, String>> {
        if view.changes_prompt() { self.views.get(&view) } else { self.prefix.as_ref() }
    }

    /// The prompt with the image as it is.
    pub fn open(&self) -> Option<&Prefix> {
        self.prefix.as_ref().and_then(|prefix| prefix.as_ref().ok())
    }

    /// Roughly what the prefixes hold in memory.
    pub fn prefix_bytes(&self) -> usize {
        let made = self.prefix.iter().chain(self.views.values()).filter_map(|made| made.as_ref().ok());
        made.map(|prefix| prefix.cache.bytes() + prefix.features.bytes()).sum()
    }

    /// Forgets the prefix.
    pub fn drop_prefix(&mut self) {
        self.prefix = None;
        self.views.clear();
    }

    /// Makes a dropped prefix again; whether there was one to make.
    pub fn restore_prefix(&mut self, setup: &Setup<'_>, views: &Views<'_>) -> Result<bool> {
        let dropped = self.prefix.is_none() && self.failure.is_none();
        if dropped {
            self.prefix = Some(Ok(self.times.prefix(setup, views, self.example, View::Open)?));
            self.look(setup, views);
        }
        Ok(dropped)
    }
}
