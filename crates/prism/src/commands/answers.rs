//! By which rules a run's answers are read, and who says so.

use prism_run::records::scoring::Scoring;
use prism_run::{Answers, Intervention, Protocol, shown};

use crate::Context;

/// Rules, and where they come from.
pub struct Chosen {
    /// The rules.
    pub answers: Answers,
    why: String,
}

impl Chosen {
    /// What is asked for, else the protocol's, else the benchmark's. Where nobody says any, a model with a protocol is
    /// read by its tag; one without, which may never have been taught a form, by every form that is common.
    pub fn of(asked: Option<&Answers>, protocol: Option<&Protocol>, benchmark: Option<&Answers>) -> Self {
        let of_protocol = protocol.and_then(|protocol| Some((protocol.answer.clone()?, format!("as protocol {} says", protocol.id))));
        let named = asked.map(|asked| (asked.clone(), "as asked for".to_string())).or(of_protocol);
        let named = named.or_else(|| benchmark.map(|answers| (answers.clone(), "as the benchmark says".to_string())));
        let (answers, why) = named.unwrap_or_else(|| match protocol {
            Some(protocol) => (Answers::default(), format!("protocol {} names none", protocol.id)),
            None => (Answers::of_any_model(), "the model has no protocol, so every common form is read".into()),
        });
        Self { answers, why }
    }

    /// The rules for the branches of a run: floors are also read by a bare letter.
    pub fn scoring(&self, branches: &[Intervention]) -> Scoring {
        Scoring::by(self.answers.clone(), branches.iter().any(|branch| branch.view.is_blind()))
    }

    /// Says it before a run.
    pub fn say(&self, scoring: &Scoring, context: &Context) {
        let rules: Vec<String> = scoring.answers.rules().iter().map(|rule| format!("{rule} ({})", rule.meaning())).collect();
        context.printer.narrate(&format!("answers: read by {}; {}", rules.join(", else "), shown(&self.why)));
        if scoring.floors != scoring.answers {
            context.printer.narrate(&format!("answers without the image, which are floors: read by {}", scoring.floors));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_nearest_decides() {
        let rule = |text: &str| text.parse::<Answers>().unwrap();
        let mut protocol = Protocol::load("lvr").unwrap();
        protocol.answer = None;
        let of = |asked: Option<&Answers>, protocol: Option<&Protocol>, benchmark: Option<&Answers>| {
            Chosen::of(asked, protocol, benchmark).answers.to_string()
        };
        assert_eq!(of(None, Some(&protocol), None), "tagged");
        assert_eq!(of(None, None, None), "tagged,boxed,letter");
        assert_eq!(of(None, Some(&protocol), Some(&rule("letter"))), "letter");
        protocol.answer = Some(rule("boxed"));
        assert_eq!(of(None, Some(&protocol), Some(&rule("letter"))), "boxed");
        assert_eq!(of(Some(&rule("laser")), Some(&protocol), Some(&rule("letter"))), "laser");
        let branches: Vec<Intervention> = vec!["zero".parse().unwrap(), "clean@image-none".parse().unwrap()];
        let chosen = Chosen::of(None, Some(&protocol), None);
        assert_eq!(chosen.scoring(&branches).floors.to_string(), "boxed,letter");
        assert_eq!(chosen.scoring(&branches[..1]).floors.to_string(), "boxed");
    }
}
