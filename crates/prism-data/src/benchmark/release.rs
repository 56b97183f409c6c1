//! Labels that were corrected after they were published: which of the two a benchmark's files have.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Labels of questions as they were before a correction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Earlier {
    /// What was corrected and when, for people.
    pub correction: String,
    /// The earlier labels by id: enough of them to tell.
    pub labels: BTreeMap<String, String>,
}

/// What the labels say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    /// `before`, `after`, or `neither` where some labels are the earlier ones and too many are not.
    pub labels: &'static str,
    /// What was corrected and when.
    pub correction: String,
    /// Questions whose earlier labels are known and that are here.
    pub known: usize,
    /// Those that have the earlier label.
    pub earlier: usize,
}

impl Release {
    /// In one sentence.
    pub fn in_words(&self) -> String {
        let Self { correction, known, earlier, .. } = self;
        let of = format!("{earlier} of {known} known questions have the earlier label");
        match self.labels {
            "before" => format!("the labels are those before the correction ({correction}): {of}; download the files again"),
            "after" => format!("the labels are those after the correction ({correction}): {of}"),
            _ => {
                format!("the labels are neither those before nor those after the correction ({correction}): {of}; download the files again")
            }
        }
    }

    /// Whether scores on them are another benchmark's.
    pub fn is_earlier(&self) -> bool {
        self.labels != "after"
    }
}

/// Fewest known questions from which something is said.
const FEWEST: usize = 10;

/// Counts labels as rows go by.
#[derive(Debug)]
pub struct ReleaseCount<'a> {
    of: Option<&'a Earlier>,
    known: usize,
    earlier: usize,
}

impl<'a> ReleaseCount<'a> {
    /// Of a benchmark with such a correction, or of one without.
    pub fn new(of: Option<&'a Earlier>) -> Self {
        Self { of, known: 0, earlier: 0 }
    }

    /// A question's label.
    pub fn add(&mut self, id: &str, label: &str) {
        if let Some(before) = self.of.and_then(|of| of.labels.get(id)) {
            self.known += 1;
            self.earlier += usize::from(before == label);
        }
    }

    /// What they come to; `None` where too few questions are known.
    pub fn told(&self) -> Option<Release> {
        let of = self.of.filter(|_| self.known >= FEWEST)?;
        let labels = match (self.known, self.earlier) {
            (known, earlier) if known == earlier => "before",
            // A correction that leaves two in three as they were is none.
            (known, earlier) if earlier * 3 <= known * 2 => "after",
            _ => "neither",
        };
        Some(Release { labels, correction: of.correction.clone(), known: self.known, earlier: self.earlier })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_labels_tell_the_release() {
        let labels = (0..12).map(|n| (n.to_string(), "A".to_string())).collect();
        let of = Earlier { correction: "some, in 2025".into(), labels };
        let told = |label: fn(usize) -> &'static str, questions: usize| {
            let mut count = ReleaseCount::new(Some(&of));
            (0..questions).for_each(|n| count.add(&n.to_string(), label(n)));
            count.told().map(|release| release.labels)
        };
        assert_eq!(told(|_| "A", 12), Some("before"));
        assert_eq!(told(|_| "B", 12), Some("after"));
        assert_eq!(told(|n| if n % 3 == 0 { "B" } else { "A" }, 12), Some("after"));
        assert_eq!(told(|n| if n == 0 { "B" } else { "A" }, 12), Some("neither"));
        assert_eq!(told(|_| "A", 9), None);
        assert_eq!(ReleaseCount::new(None).told(), None);
    }
}
