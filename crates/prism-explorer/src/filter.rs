//! Which examples are asked for: read from an address and written into one, so that every
//! view has its link.

use form_urlencoded::{Serializer, parse};
use prism_run::{Intervention, Outcome};

use super::index::{Index, Line, Mark};

/// Key of an address: whether the clean run was right.
const CLEAN_RUN: &str = "clean";

/// Examples on a page.
pub const PER_PAGE: usize = 100;

/// What an intervention must have done to the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Show {
    /// Anything.
    #[default]
    All,
    /// Correctness changed.
    Flipped,
    /// It was right and is wrong.
    Lost,
    /// It was wrong and is right.
    Gained,
    /// Another letter, or none.
    Moved,
    /// The generated text changed.
    Changed,
    /// No answer could be parsed.
    Unparsed,
}

impl Show {
    /// Each with its word in addresses and what it is called.
    pub const ALL: [(Show, &'static str, &'static str); 7] = [
        (Show::All, "", "anything"),
        (Show::Flipped, "flipped", "correctness flipped"),
        (Show::Lost, "lost", "was right, now wrong"),
        (Show::Gained, "gained", "was wrong, now right"),
        (Show::Moved, "moved", "another letter, or none"),
        (Show::Changed, "changed", "generated text changed"),
        (Show::Unparsed, "unparsed", "no answer parsed"),
    ];

    /// Whether an answer is such, beside the clean one.
    pub fn fits(self, clean: Option<&Mark>, mark: &Mark) -> bool {
        let before = clean.and_then(|c| c.correct);
        match self {
            Show::All => true,
            Show::Flipped => before.zip(mark.correct).is_some_and(|(a, b)| a != b),
            Show::Lost => before == Some(true) && mark.correct == Some(false),
            Show::Gained => before == Some(false) && mark.correct == Some(true),
            Show::Moved => mark.correct.is_some() && clean.is_some_and(|c| c.correct.is_some() && c.answer != mark.answer),
            Show::Changed => mark.changed == Some(true),
            Show::Unparsed => mark.answer.is_none() && mark.outcome != Outcome::Error,
        }
    }
}

/// The filter of a table of examples.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only this category.
    pub category: Option<String>,
    /// Only this outcome of the clean run.
    pub outcome: Option<Outcome>,
    /// Clean answer: right, wrong.
    pub right: Option<bool>,
    /// The intervention [`Filter::show`] speaks of; any of them when absent.
    pub under: Option<Intervention>,
    /// What the intervention did.
    pub show: Show,
    /// Words that the id or the question holds.
    pub words: String,
    /// The page, from 1.
    pub page: usize,
}

impl Filter {
    /// Reads a query; what it does not know it passes over.
    pub fn read(query: &str) -> Self {
        let mut filter = Self { page: 1, ..Self::default() };
        for (key, value) in parse(query.as_bytes()) {
            let given = Some(value.to_string()).filter(|v| !v.is_empty());
            match &*key {
                "category" => filter.category = given,
                "outcome" => filter.outcome = value.parse().ok(),
                CLEAN_RUN => {
                    filter.right = match &*value {
                        "right" => Some(true),
                        "wrong" => Some(false),
                        _ => None,
                    }
                }
                "under" => filter.under = value.parse().ok(),
                "show" => filter.show = Show::ALL.iter().find(|(_, word, _)| *word == value).map_or(Show::All, |(show, _, _)| *show),
                "q" => filter.words = value.chars().take(200).collect(),
                "page" => filter.page = value.parse().ok().filter(|p| *p > 0).unwrap_or(1),
                _ => {}
            }
        }
        filter
    }

    /// The query of a page of this filter, with its `?`; empty when there is nothing to say.
    pub fn query(&self, page: usize) -> String {
        let mut query = Serializer::new(String::new());
        let mut put = |key: &str, value: Option<&str>| {
            if let Some(value) = value.filter(|v| !v.is_empty()) {
                query.append_pair(key, value);
            }
        };
        put("category", self.category.as_deref());
        put("outcome", self.outcome.map(Outcome::name));
        put("clean", self.right.map(|right| if right { "right" } else { "wrong" }));
        put("under", self.under.map(|i| i.to_string()).as_deref());
        put("show", Show::ALL.iter().find(|(show, _, _)| *show == self.show).map(|(_, word, _)| *word));
        put("q", Some(&self.words));
        put("page", Some(&page.to_string()).filter(|_| page > 1).map(String::as_str));
        let query = query.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }

    /// The lines that fit, in the order of the benchmark.
    pub fn choose<'a>(&self, index: &'a Index) -> Vec<&'a Line> {
        let under = self.under.map(|under| index.interventions.iter().position(|i| *i == under));
        let words = self.words.to_lowercase();
        index.lines.iter().filter(|line| self.fits(line, under, &words)).collect()
    }

    fn fits(&self, line: &Line, under: Option<Option<usize>>, words: &str) -> bool {
        let of_category = self.category.as_deref().is_none_or(|wanted| line.category.as_deref() == Some(wanted));
        if !of_category || self.outcome.is_some_and(|wanted| line.outcome != wanted) {
            return false;
        }
        if self.right.is_some_and(|right| line.clean().and_then(|c| c.correct) != Some(right)) {
            return false;
        }
        if !words.is_empty() && !line.id.to_lowercase().contains(words) && !line.question.to_lowercase().contains(words) {
            return false;
        }
        let fits = |place: usize| line.marks.get(place).and_then(Option::as_ref).is_some_and(|m| self.show.fits(line.clean(), m));
        match under {
            _ if self.show == Show::All => under.is_none_or(|place| place.is_some_and(|p| line.marks.get(p).is_some_and(Option::is_some))),
            Some(place) => place.is_some_and(fits),
            None => (1..line.marks.len()).any(fits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_survives_its_address() {
        let query = "?category=a%26b&outcome=scored&clean=wrong&under=noise%3A0.3&show=lost&q=%3Cb%3E+x&page=3";
        let filter = Filter::read(&query[1..]);
        assert_eq!(filter.category.as_deref(), Some("a&b"));
        assert_eq!((filter.show, filter.page, filter.right), (Show::Lost, 3, Some(false)));
        assert_eq!(filter.query(3), query);
        assert_eq!(Filter::read("").query(1), "");
        assert_eq!(Filter::read("page=-1&show=none&x=y&clean=maybe"), Filter { page: 1, ..Filter::default() });
    }

    #[test]
    fn what_was_right_and_is_unparsed_is_lost_moved_and_unparsed() {
        let mark =
            |answer: Option<&str>, correct| Mark { answer: answer.map(Into::into), outcome: Outcome::Scored, correct, changed: Some(true) };
        let (clean, after) = (mark(Some("A"), Some(true)), mark(None, Some(false)));
        for (show, fits) in [(Show::Flipped, true), (Show::Lost, true), (Show::Gained, false), (Show::Moved, true), (Show::Unparsed, true)]
        {
            assert_eq!(show.fits(Some(&clean), &after), fits, "{show:?}");
        }
        let failed = Mark { answer: None, outcome: Outcome::Error, correct: None, changed: None };
        assert!(Show::ALL.iter().all(|(show, _, _)| *show == Show::All || !show.fits(Some(&clean), &failed)));
    }
}
