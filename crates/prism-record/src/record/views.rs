//! Other views of an example's images: none, grey, another example's, shuffled. Each is a
//! prompt of its own, run once and shared by its branches.

use std::collections::BTreeSet;

use prism_model::{Error, Result};
use prism_run::random::Stream;
use prism_run::{Example, Intervention, View};

use super::Setup;
use crate::decode::{Prefiller, Prefix};

/// The views a run needs prompts for.
pub(super) struct Views<'a> {
    /// Those whose prompt is another.
    pub list: BTreeSet<View>,
    /// The whole benchmark, for other images.
    examples: &'a [Example],
    seed: u64,
}

impl<'a> Views<'a> {
    /// Those of the branches, and the prompt without images where vectors are recorded.
    pub fn new(setup: &Setup<'_>, branches: &[Intervention], examples: &'a [Example]) -> Self {
        let mut list: BTreeSet<View> = branches.iter().map(|b| b.view).filter(|view| view.changes_prompt()).collect();
        if setup.vectors {
            list.insert(View::NoImage);
        }
        Self { list, examples, seed: setup.seed }
    }

    /// The example's prompt under a view.
    ///
    /// # Errors
    /// When an image cannot be read, or there is no other image to show.
    pub fn prefix(&self, prefiller: Prefiller<'_>, example: &Example, view: View) -> Result<Prefix> {
        match view {
            View::Open | View::ImageHidden => prefiller.prefix(example),
            View::NoImage => prefiller.prefix(&Example { images: Vec::new(), ..example.clone() }),
            View::Grey => prefiller.grey(example),
            View::ShuffledPatches => {
                prefiller.shuffled(example, |image| Stream::new(self.seed, "shuffled patches", &[&example.id, &image.to_string()]))
            }
            View::OtherImage => {
                let others: Vec<&Example> =
                    self.examples.iter().filter(|e| e.images.len() == example.images.len() && e.images != example.images).collect();
                if others.is_empty() {
                    return Err(Error::input("view", "finds no example with other images", "leave out image-other"));
                }
                let at = Stream::new(self.seed, "other image", &[&example.id]).below(others.len());
                let images = others.get(at).map(|other| other.images.clone()).unwrap_or_default();
                prefiller.prefix(&Example { images, ..example.clone() })
            }
        }
    }
}
