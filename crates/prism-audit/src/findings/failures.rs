//! Examples that could not be run, by cause.

use prism_run::outcome::{Cause, Failure};
use prism_run::table_row;

use super::Findings;

table_row! {
    /// The examples that could not be run for one cause ([`prism_run::outcome::Failure`]); the commonest cause first.
    pub struct FailureFinding {
        /// Why.
        pub cause: Cause,
        /// Examples whose clean run ended so.
        pub examples: usize,
        /// Of how many examples of the run.
        pub of: usize,
        /// Image files concerned; absent where an example has no image, or several.
        pub images: Option<usize>,
        /// Id of the first of the examples.
        pub id: String,
        /// Its first image.
        pub image: String,
        /// What its record says.
        pub message: Option<String>,
        /// All of it in one sentence, with what to do.
        pub sentence: String,
    }
}

impl From<Failure> for FailureFinding {
    fn from(failure: Failure) -> Self {
        let sentence = failure.sentence();
        let Failure { cause, examples, of, images, id, image, message } = failure;
        Self { cause, examples, of, images: images.map(|(concerned, _)| concerned), id, image, message, sentence }
    }
}

impl Findings {
    /// Whether not one example could be run: there is nothing to say of the model.
    pub fn nothing_ran(&self) -> bool {
        let failed = self.failures.iter().map(|failure| failure.examples).fold(0, usize::saturating_add);
        self.failures.first().is_some_and(|first| failed == first.of)
    }

    /// What could not be run and what to do, a sentence a cause; `None` where everything ran.
    pub fn failed(&self) -> Option<String> {
        let sentences: Vec<&str> = self.failures.iter().map(|failure| failure.sentence.as_str()).collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Findings may come from anybody, and count whatever they like.
    #[test]
    fn counts_beyond_every_number_are_no_whole_run() {
        let failure = |examples| FailureFinding {
            cause: Cause::Other,
            examples,
            of: 1,
            images: None,
            id: "a".into(),
            image: "a.png".into(),
            message: None,
            sentence: "1 of 1".into(),
        };
        let with = |counts: &[usize]| Findings { failures: counts.iter().map(|count| failure(*count)).collect(), ..Findings::default() };
        assert!(with(&[1]).nothing_ran());
        // Wrapped round, they would add up to 1.
        assert!(!with(&[usize::MAX, 2]).nothing_ran());
        assert!(!with(&[]).nothing_ran());
    }
}
