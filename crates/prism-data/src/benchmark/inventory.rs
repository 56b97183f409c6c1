//! What lies at a benchmark's path: how many questions, which labels, what is broken.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;

use prism_run::Example;
use serde::Serialize;

use super::description::Expected;
use super::open::Benchmark;
use super::release::{Release, ReleaseCount};
use crate::readers::{Images, Remarks};
use crate::{Error, Place, Result};

/// Faults kept with their messages; all are counted.
const FAULTS_KEPT: usize = 50;

/// Something wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// File, place, cause and remedy in one sentence.
    pub message: String,
    /// The file, when the fault lies in one.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "prism_run::as_text::some")]
    pub file: Option<PathBuf>,
    /// Where in it, e.g. `line 3`; absent for the file as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Data { path, place, cause, remedy } => {
                let place = place.to_string();
                let place = place.strip_prefix(", ").map(str::to_string);
                Fault { message, file: Some(path), place, cause: Some(cause), remedy: Some(remedy) }
            }
            _ => Fault { message, file: None, place: None, cause: None, remedy: None },
        }
    }
}

/// Questions and gold letters of one category.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Category {
    /// Whole questions.
    pub questions: usize,
    /// Questions by label.
    pub labels: BTreeMap<String, usize>,
}

/// A count that is not the published one: a part, or another version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What is counted, e.g. `category Jigsaw`.
    pub what: String,
    /// Here.
    pub found: usize,
    /// In the whole benchmark.
    pub published: usize,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Inventory {
    /// Id of the description.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// Its layout.
    pub layout: String,
    /// Files of questions, in order.
    #[serde(serialize_with = "prism_run::as_text::all")]
    pub files: Vec<PathBuf>,
    /// Rows, broken ones included.
    pub rows: usize,
    /// Whole questions.
    pub questions: usize,
    /// Images of whole questions.
    pub images: usize,
    /// Questions by their number of images.
    pub images_per_question: BTreeMap<usize, usize>,
    /// Questions by their number of options; 0 is an open question.
    pub options_per_question: BTreeMap<usize, usize>,
    /// Boxes of whole questions.
    pub boxes: usize,
    /// Pairs (or larger clusters) of whole questions.
    pub pairs: usize,
    /// Questions with a counterfactual partner.
    pub counterfactuals: usize,
    /// Multiple-choice questions by gold letter.
    pub labels: BTreeMap<String, usize>,
    /// Entropy of the gold letters, nats; absent without letters.
    pub label_entropy: Option<f64>,
    /// Accuracy of always answering the most frequent letter; absent without letters.
    pub majority: Option<f64>,
    /// By category, in name order.
    pub categories: BTreeMap<String, Category>,
    /// Which release of the labels it is, where the labels of one were corrected later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
    /// Counts that are not the published ones.
    pub differences: Vec<Difference>,
    /// What is remarked of images that can be used, by kind.
    pub remarks: Vec<Remarks>,
    /// Faulty rows and files.
    pub fault_count: usize,
    /// The first of them.
    pub faults: Vec<Fault>,
}

impl Benchmark {
    /// Reads every row and tells what is there; `images` says how images are looked at: to a
    /// [`Depth`](crate::Depth), or by a check that is handed in ([`Images::checked_by`]).
    pub fn check(&self, images: impl Into<Images>) -> Inventory {
        let images = images.into();
        let description = &self.description;
        let mut inventory = Inventory {
            id: description.id.clone(),
            name: description.name.clone(),
            version: description.version,
            layout: description.layout.name().into(),
            files: self.files().to_vec(),
            ..Inventory::default()
        };
        let mut pairs = BTreeSet::new();
        let mut release = ReleaseCount::new(description.earlier.as_ref());
        let outcome: Result<()> = self.visit(&images, &mut |row| {
            // A row that is told of again is no further row.
            inventory.rows += usize::from(!matches!(row, Err(Error::Data { place: Place::Again(_) | Place::File, .. })));
            match row {
                Ok(example) => {
                    release.add(&example.id, &example.label);
                    inventory.count(example, &mut pairs);
                }
                Err(error) => inventory.fault(error),
            }
            ControlFlow::Continue(())
        });
        if let Err(error) = outcome {
            inventory.fault(error);
        }
        inventory.remarks = images.remarks();
        inventory.pairs = pairs.len();
        let lettered: usize = inventory.labels.values().sum();
        if lettered > 0 {
            let shares = inventory.labels.values().map(|n| *n as f64 / lettered as f64);
            inventory.majority = shares.clone().reduce(f64::max);
            inventory.label_entropy = Some(shares.map(|p| -p * p.ln()).sum::<f64>().abs()); // one label alone: no -0
        }
        inventory.differences = inventory.differences_from(&description.expected);
        inventory.release = release.told();
        inventory
    }
}

impl Inventory {
    /// Whether nothing is broken.
    pub fn is_whole(&self) -> bool {
        self.fault_count == 0
    }

    fn fault(&mut self, error: Error) {
        self.fault_count += 1;
        if self.faults.len() < FAULTS_KEPT {
            self.faults.push(error.into());
        }
    }

    fn count(&mut self, example: Example, pairs: &mut BTreeSet<String>) {
        self.questions += 1;
        self.images += example.images.len();
        *self.images_per_question.entry(example.images.len()).or_default() += 1;
        *self.options_per_question.entry(example.options.len()).or_default() += 1;
        self.boxes += example.boxes.len();
        self.counterfactuals += usize::from(example.counterfactual.is_some());
        pairs.extend(example.pair);
        if !example.options.is_empty() {
            *self.labels.entry(example.label.clone()).or_default() += 1;
        }
        if let Some(name) = example.category {
            let category = self.categories.entry(name).or_default();
            category.questions += 1;
            if !example.options.is_empty() {
                *category.labels.entry(example.label).or_default() += 1;
            }
        }
    }

    fn differences_from(&self, expected: &Expected) -> Vec<Difference> {
        let mut compared = Vec::new();
        let mut add = |what: String, found: usize, published: usize| compared.push(Difference { what, found, published });
        if let Some(published) = expected.questions {
            add("questions".into(), self.questions, published);
        }
        if let Some(published) = expected.pairs {
            add("pairs".into(), self.pairs, published);
        }
        for (letter, published) in &expected.labels {
            add(format!("label {letter}"), self.labels.get(letter).copied().unwrap_or(0), *published);
        }
        for (name, published) in &expected.categories {
            add(format!("category {name}"), self.categories.get(name).map_or(0, |c| c.questions), *published);
        }
        for (name, category) in &self.categories {
            if !expected.categories.is_empty() && !expected.categories.contains_key(name) {
                add(format!("category {name}"), category.questions, 0);
            }
        }
        compared.retain(|d| d.found != d.published);
        compared
    }
}
