//! Which examples are asked for: read from an address and written into one, so that every
//! view has its link.

use form_urlencoded::{Serializer, parse};
use prism_report::document::{Behind, Did};
use prism_run::{Intervention, Outcome};

use super::index::{Index, Line, Mark};

/// Key of an address: whether the clean run was right.
const CLEAN_RUN: &str = "clean";

/// Examples on a page.
pub const PER_PAGE: usize = 100;

/// Whether an intervention did that to an answer, told by the clean one.
pub fn fits(did: Did, clean: Option<&Mark>, mark: &Mark) -> bool {
    let before = clean.and_then(|c| c.correct);
    match did {
        Did::Anything => true,
        Did::Flipped => before.zip(mark.correct).is_some_and(|(a, b)| a != b),
        Did::Lost => before == Some(true) && mark.correct == Some(false),
        Did::Gained => before == Some(false) && mark.correct == Some(true),
        Did::Moved => mark.correct.is_some() && clean.is_some_and(|c| c.correct.is_some() && c.answer != mark.answer),
        Did::Changed => mark.changed == Some(true),
        Did::Unparsed => mark.answer.is_none() && mark.outcome != Outcome::Error,
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
    pub show: Did,
    /// Words that the id, the question, the gold label or an answer holds.
    pub words: String,
    /// The intervention whose text stands beside the clean one on an example's page. It leaves no example out.
    pub beside: Option<Intervention>,
    /// The page, from 1.
    pub page: usize,
}

impl Filter {
    /// The examples behind a number.
    pub fn behind(behind: &Behind) -> Self {
        Self { category: behind.category.clone(), under: Some(behind.intervention), show: behind.did, page: 1, ..Self::default() }
    }

    /// Whether it leaves no example out.
    pub fn is_open(&self) -> bool {
        Self { page: 1, beside: None, ..self.clone() } == Self { page: 1, ..Self::default() }
    }

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
                "show" => filter.show = Did::ALL.iter().find(|(_, word, _)| *word == value).map_or(Did::Anything, |(did, _, _)| *did),
                "beside" => filter.beside = value.parse().ok(),
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
        put("show", Some(self.show.word()));
        put("q", Some(&self.words));
        put("beside", self.beside.map(|i| i.to_string()).as_deref());
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
        if !words.is_empty() && !says(line, words) {
            return false;
        }
        let fits = |place: usize| line.marks.get(place).and_then(Option::as_ref).is_some_and(|m| fits(self.show, line.clean(), m));
        match under {
            _ if self.show == Did::Anything => {
                under.is_none_or(|place| place.is_some_and(|p| line.marks.get(p).is_some_and(Option::is_some)))
            }
            Some(place) => place.is_some_and(fits),
            None => (1..line.marks.len()).any(fits),
        }
    }
}

/// Whether the words, in small letters, stand in an example's id, its question, its label or one of its answers. A letter
/// alone is looked for among labels and answers as a whole.
fn says(line: &Line, words: &str) -> bool {
    let holds = |text: &str| text.to_lowercase().contains(words);
    let is = |text: &str| if words.chars().nth(1).is_some() { holds(text) } else { text.to_lowercase() == words };
    let answers = || line.marks.iter().flatten().filter_map(|mark| mark.answer.as_deref());
    holds(&line.id) || holds(&line.question) || is(&line.label) || answers().any(is)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_survives_its_address() {
        let query = "?category=a%26b&outcome=scored&clean=wrong&under=noise%3A0.3&show=lost&q=%3Cb%3E+x&page=3";
        let filter = Filter::read(&query[1..]);
        assert_eq!(filter.category.as_deref(), Some("a&b"));
        assert_eq!((filter.show, filter.page, filter.right), (Did::Lost, 3, Some(false)));
        assert_eq!(filter.query(3), query);
        assert_eq!(Filter::read("").query(1), "");
        let beside = Filter::read("beside=zero");
        assert!(beside.is_open() && beside.query(1) == "?beside=zero" && !filter.is_open());
        assert_eq!(Filter::read("page=-1&show=none&x=y&clean=maybe"), Filter { page: 1, ..Filter::default() });
    }

    #[test]
    fn what_was_right_and_is_unparsed_is_lost_moved_and_unparsed() {
        let mark =
            |answer: Option<&str>, correct| Mark { answer: answer.map(Into::into), outcome: Outcome::Scored, correct, changed: Some(true) };
        let (clean, after) = (mark(Some("A"), Some(true)), mark(None, Some(false)));
        for (did, fitting) in [(Did::Flipped, true), (Did::Lost, true), (Did::Gained, false), (Did::Moved, true), (Did::Unparsed, true)] {
            assert_eq!(fits(did, Some(&clean), &after), fitting, "{did:?}");
        }
        let failed = Mark { answer: None, outcome: Outcome::Error, correct: None, changed: None };
        assert!(Did::ALL.iter().all(|(did, _, _)| *did == Did::Anything || !fits(*did, Some(&clean), &failed)));
    }

    #[test]
    fn a_number_leads_to_the_examples_it_counts() {
        let behind = Behind { category: Some("a&b".into()), ..Behind::under("lvr", None, "noise:0.3".parse().unwrap()) }.that(Did::Lost);
        assert_eq!(Filter::behind(&behind).query(1), "?category=a%26b&under=noise%3A0.3&show=lost");
    }

    #[test]
    fn words_are_looked_for_in_id_question_label_and_answers() {
        let mark = Mark { answer: Some("left".into()), outcome: Outcome::Scored, correct: Some(false), changed: None };
        let line = Line {
            row: 0,
            id: "Blue-7".into(),
            category: None,
            counterfactual: None,
            question: "Which cup?".into(),
            label: "B".into(),
            outcome: Outcome::Scored,
            marks: vec![Some(mark)],
        };
        for (words, found) in
            [("blue", true), ("cup?", true), ("b", true), ("left", true), ("eft", true), ("right", false), ("c", true), ("z", false)]
        {
            assert_eq!(says(&line, words), found, "{words}");
        }
    }
}
