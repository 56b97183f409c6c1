//! By which rules the answers of records are read: `records/scoring.json`.
//!
//! A recording reads every answer by the rule `tagged`. Where a run asks for other rules, its records are scored again
//! from the texts that they hold, and this file says by which. Records without it are as they were recorded.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::answer::Answers;
use crate::door::{self, Limit};
use crate::folder::write_atomic;
use crate::shown::files::json_text;
use crate::{Error, Result, View};

/// Name of the file inside `records/`.
pub const SCORING: &str = "scoring.json";
/// Settings of a run's manifest that say the same.
pub const ANSWERS: &str = "answers";
/// Of answers that were given without the image; absent where no branch is without.
pub const FLOOR_ANSWERS: &str = "floor_answers";

/// The rules of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scoring {
    /// What reads an answer.
    pub answers: Answers,
    /// What reads an answer that was given without the image, a floor.
    pub floors: Answers,
}

impl Scoring {
    /// By `answers`; floors also by a bare letter, for a model that was asked without its image may answer without its
    /// form. Where no branch is a floor there is only the one.
    pub fn by(answers: Answers, has_floors: bool) -> Self {
        Self { floors: if has_floors { answers.and_bare() } else { answers.clone() }, answers }
    }

    /// Writes it into a manifest's settings.
    pub fn set(&self, settings: &mut BTreeMap<String, serde_json::Value>) {
        settings.insert(ANSWERS.into(), self.answers.to_string().into());
        settings.remove(FLOOR_ANSWERS);
        if self.floors != self.answers {
            settings.insert(FLOOR_ANSWERS.into(), self.floors.to_string().into());
        }
    }

    /// The rules for a branch of that view.
    pub fn of(&self, view: View) -> &Answers {
        if view.is_blind() { &self.floors } else { &self.answers }
    }

    /// What the records of `run` are scored by.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn read(run: &Path) -> Result<Self> {
        let path = super::folder(run).join(SCORING);
        if !door::stands(&path) {
            return Ok(Self::default());
        }
        let text = door::read_bytes(&path, Limit::Manifest)?;
        let remedy = "score the run again with `prism rescore RUN --answers RULE`";
        serde_json::from_slice(&text).map_err(|e| Error::content(&path, e.to_string(), remedy))
    }

    /// Says it in the folder of records; of records as they were recorded nothing is said.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(SCORING);
        if *self == Self::default() {
            return crate::folder::remove(&path);
        }
        write_atomic(&path, json_text(self, &path)?.as_bytes())
    }
}

impl fmt::Display for Scoring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.answers)?;
        if self.floors != self.answers { write!(f, " (without the image {})", self.floors) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_say_what_they_are_scored_by_unless_as_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let folder = crate::records::folder(dir.path());
        std::fs::create_dir(&folder).unwrap();
        assert_eq!(Scoring::read(dir.path()).unwrap(), Scoring::default());
        let other = Scoring::by("boxed".parse().unwrap(), true);
        assert_eq!(other.to_string(), "boxed (without the image boxed,letter)");
        assert_eq!((other.of(View::Open), other.of(View::Grey)), (&other.answers, &other.floors));
        for scoring in [other, Scoring::by("letter".parse().unwrap(), true), Scoring::default()] {
            scoring.write(&folder).unwrap();
            assert_eq!(Scoring::read(dir.path()).unwrap(), scoring);
        }
        assert!(!folder.join(SCORING).exists());
        std::fs::write(folder.join(SCORING), "{\"answers\": \"tags\"}").unwrap();
        assert!(Scoring::read(dir.path()).unwrap_err().to_string().contains(SCORING));
    }
}
