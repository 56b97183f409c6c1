//! What is done to the latents at inference (method, section 7).
//!
//! One type, one textual form, used on the command line, in recipes and in tables:
//! what is done ([`Action`]), optionally where ([`Scope`]), optionally what the branch
//! sees of the image ([`View`]):
//!
//! ```text
//! zero    noise:0.3    swap:counterfactual    zero/target/steps=0-2    zero/layer=3    clean@image-hidden
//! ```

mod action;
mod argument;
mod class;
mod scope;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Stage};

use action::Hold;

pub use action::Action;
pub use argument::{Donor, Mixture};
pub use class::{Class, Role};
pub use scope::{Scope, View};

/// A branch of an audit: what is done, where, under which view of the image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Intervention {
    /// What is done.
    pub action: Action,
    /// Where.
    pub scope: Scope,
    /// What the branch sees of the image.
    pub view: View,
}

impl From<Action> for Intervention {
    fn from(action: Action) -> Self {
        Self { action, scope: Scope::default(), view: View::Open }
    }
}

impl Intervention {
    /// The clean run.
    pub const CLEAN: Self = Self { action: Action::Clean, scope: Scope { stage: None, steps: None, layer: None }, view: View::Open };

    /// The six branches of the paper's corruption table, in its order.
    pub fn paper_six() -> Vec<Self> {
        let noise = [0.1, 0.3, 1.0].map(Action::Noise);
        [Action::Clean, Action::Zero].into_iter().chain(noise).chain([Action::Swap(Donor::Random)]).map(Self::from).collect()
    }

    /// The family, without parameters: `clean`, `zero`, `noise`, `swap`, `sham`, ...
    pub fn kind(&self) -> &'static str {
        self.action.kind()
    }

    /// Whether it is the run every delta is measured against.
    pub fn is_clean(&self) -> bool {
        *self == Self::CLEAN
    }

    /// Whether it must change nothing: a swap with oneself, or noise of 0.
    pub fn is_sham(&self) -> bool {
        self.action.is_idle() && self.view == View::Open
    }

    /// What it can show.
    pub fn class(&self) -> Class {
        self.action.class()
    }

    /// What follows from its result. Restricted to steps, a stage or a layer, or under another
    /// view of the image, it explains and decides nothing.
    pub fn role(&self) -> Role {
        match self.action.role() {
            // The clean run without the image, or a swap with oneself there, is a view of its own.
            Role::Checks if self.is_sham() || self.is_clean() => Role::Checks,
            _ if !self.is_whole() => Role::Explains,
            role => role,
        }
    }

    /// Whether it acts on the whole block, the image seen as in the clean run.
    pub fn is_whole(&self) -> bool {
        self.scope == Scope::default() && self.view == View::Open
    }

    /// The clean run under the view of the image that this branch has.
    pub fn baseline(&self) -> Self {
        Self { view: self.view, ..Self::CLEAN }
    }

    fn order(&self) -> impl Ord {
        (self.view, self.action.order(), self.scope.to_string())
    }

    fn check(&self) -> Result<(), String> {
        if self.scope != Scope::default() && !(self.action.replaces() || (self.action == Action::Evict && self.scope.layer.is_none())) {
            return Err("acts on the block as a whole: leave out stage, steps and layer".into());
        }
        if self.action == Action::Evict && self.scope.steps.is_some() {
            return Err("evicts a stage as a whole: leave out the steps".into());
        }
        if self.scope.layer.is_some() && !self.action.works_at_layer() {
            let able = Action::forms().into_iter().filter(|(hold, _)| *hold == Hold::AnyLayer).map(|(_, form)| form);
            return Err(format!("cannot act at a layer's input; these can: {}", joined(able)));
        }
        Ok(())
    }
}

impl fmt::Display for Intervention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.action, self.scope)?;
        match self.view {
            View::Open => Ok(()),
            view => write!(f, "@{}", view.name()),
        }
    }
}

/// What can be written, for messages.
fn forms() -> String {
    let actions = joined(Action::forms().into_iter().map(|(_, form)| form));
    let aliases = joined(ALIASES.into_iter().map(|(alias, _)| alias));
    let stages = Stage::ALL.into_iter().filter(|stage| *stage != Stage::Free).map(|stage| format!("/{stage}"));
    let views = View::ALL.into_iter().filter(|view| *view != View::Open).map(|view| format!("@{view}"));
    format!(
        "use one of {actions}, {aliases}; DONOR is a row or one of {}; then one of {}, /step=I, /steps=I-J, /layer=L; then one of {}",
        joined(Donor::names()),
        joined(stages),
        joined(views)
    )
}

fn joined(parts: impl IntoIterator<Item: fmt::Display>) -> String {
    parts.into_iter().map(|part| part.to_string()).collect::<Vec<_>>().join(", ")
}

/// Other names of an action: the paper's, and the shams'.
const ALIASES: [(&str, Action); 3] =
    [("truncate", Action::Zero), ("sham", Action::Swap(Donor::Itself)), ("sham-kv", Action::SwapKv(Donor::Itself))];

fn action(text: &str) -> Result<Action, &'static str> {
    let (name, argument) = text.split_once(':').map_or((text, None), |(name, argument)| (name, Some(argument)));
    match ALIASES.into_iter().find(|(alias, _)| *alias == text) {
        Some((_, action)) => Ok(action),
        None => Action::read(name, argument),
    }
}

impl FromStr for Intervention {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse =
            |cause: &str| Error::Value { what: "intervention", value: text.to_string(), cause: cause.to_string(), remedy: forms() };
        let (rest, view) = text.split_once('@').map_or((text, None), |(rest, view)| (rest, Some(view)));
        let view = view.map_or(Some(View::Open), View::from_name).ok_or_else(|| refuse("names no view of the image"))?;
        let mut parts = rest.split('/');
        let action = action(parts.next().unwrap_or_default()).map_err(refuse)?;
        let mut scope = Scope::default();
        for part in parts {
            scope.read(part).ok_or_else(|| refuse("names neither a stage, nor steps, nor a layer"))?;
        }
        let intervention = Self { action, scope, view };
        intervention.check().map_err(|cause| refuse(&cause))?;
        Ok(intervention)
    }
}

impl Eq for Intervention {}

impl Ord for Intervention {
    /// As tables list them: by view of the image, kind, amount, and place.
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Intervention {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

crate::text_cells!(Intervention);

impl TryFrom<String> for Intervention {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Intervention> for String {
    fn from(value: Intervention) -> Self {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_survives_a_round_trip() {
        let plain = "clean zero noise:0.1 noise:1 relative:0.5 norm-matched mean constant draw first reversed shuffled swap swap:7 \
                     swap:same-answer swap:other-answer swap:same-image swap:counterfactual sham swap-kv swap-kv:other-answer swap-kv:3 sham-kv mix:0.5 mix:0.25:counterfactual oracle \
                     oracle-other forced:3 remove evict markers format";
        let placed = "zero/target zero/step=3 zero/steps=0-2 noise:0.3/context/steps=1-4 zero/layer=2 evict/context clean@image-hidden \
                      clean@image-none clean@image-grey clean@image-other clean@image-shuffled zero/target/step=0/layer=5@image-hidden";
        for text in plain.split_whitespace().chain(placed.split_whitespace()) {
            assert_eq!(text.parse::<Intervention>().unwrap().to_string(), text);
        }
        assert_eq!("truncate".parse::<Intervention>().unwrap(), Action::Zero.into());
        assert_eq!("zero@open".parse::<Intervention>().unwrap(), Action::Zero.into());
    }

    #[test]
    fn nonsense_is_refused_with_the_accepted_forms() {
        let texts = "noise noise:-1 noise:nan swap:x zeros mix:2 mix:0.5:who forced:x zero/free zero/steps=3-1 zero/nowhere zero@moon \
                     remove/target evict/step=1 evict/layer=0 swap/layer=1 clean/target";
        for text in texts.split_whitespace().chain([""]) {
            let message = text.parse::<Intervention>().unwrap_err().to_string();
            assert!(message.contains("noise:SIGMA"), "{text}: {message}");
        }
        let layers = "swap/layer=1".parse::<Intervention>().unwrap_err().to_string();
        assert!(layers.contains("these can: zero, noise:SIGMA, norm-matched, first"), "{layers}");
    }

    /// What messages offer is read, each with an argument in the place of its name.
    #[test]
    fn every_form_that_is_offered_can_be_written() {
        let forms = Action::forms().map(|(_, form)| form);
        assert!(forms.contains(&"clean") && forms.contains(&"swap-kv[:DONOR]") && forms.contains(&"mix:SHARE[:DONOR]"), "{forms:?}");
        for (form, name) in forms.into_iter().zip(Action::NAMES) {
            let shortest = form.split('[').next().unwrap();
            let whole = form.replace(['[', ']'], "");
            for text in [shortest, &whole] {
                let mut text = text.to_string();
                for (argument, value) in [("SIGMA", "0.3"), ("SHARE", "0.5"), ("STEPS", "2"), ("DONOR", "other-answer"), (":R", ":0.5")] {
                    text = text.replace(argument, value);
                }
                assert_eq!(text.parse::<Intervention>().unwrap().action.kind(), name, "{text}");
            }
        }
        let offered = super::forms();
        for word in ["truncate", "sham-kv", "same-image", "/target", "@image-hidden"] {
            assert!(offered.contains(word), "{word}: {offered}");
        }
        assert!(!offered.contains("/free") && !offered.contains("@open"), "{offered}");
    }

    #[test]
    fn the_shams_are_known() {
        for text in ["sham", "sham-kv", "swap:self", "noise:0", "relative:0", "mix:0", "sham/target"] {
            assert!(text.parse::<Intervention>().unwrap().is_sham(), "{text}");
        }
        for text in ["clean", "zero", "noise:0.1", "sham@image-hidden"] {
            assert!(!text.parse::<Intervention>().unwrap().is_sham(), "{text}");
        }
    }

    #[test]
    fn class_and_role_are_the_interventions_own() {
        let of = |text: &str| {
            let intervention: Intervention = text.parse().unwrap();
            (intervention.class(), intervention.role())
        };
        assert_eq!(of("swap:other-answer"), (Class::Content, Role::ExchangesVectors));
        assert_eq!(of("swap-kv"), (Class::Content, Role::ExchangesKeysValues));
        assert_eq!(of("draw"), (Class::Content, Role::Resamples));
        assert_eq!((of("sham"), of("noise:0")), ((Class::Control, Role::Checks), (Class::Control, Role::Checks)));
        assert_eq!((of("zero"), of("shuffled")), ((Class::Damage, Role::Explains), (Class::Order, Role::Explains)));
        assert_eq!((of("remove"), of("evict")), ((Class::Presence, Role::LeavesOut), (Class::Presence, Role::ShowsRoute)));
        assert_eq!(of("oracle"), (Class::Help, Role::Explains));
        assert_eq!(of("swap/step=0"), (Class::Content, Role::Explains), "a part of the block decides nothing");
        assert_eq!(of("swap@image-hidden").1, Role::Explains);
    }

    #[test]
    fn tables_list_the_clean_run_first_and_amounts_in_order() {
        let texts = "zero@image-none noise:1 swap noise:0.3 clean remove zero";
        let mut sorted: Vec<Intervention> = texts.split(' ').map(|text| text.parse().unwrap()).collect();
        sorted.sort();
        let sorted: Vec<String> = sorted.iter().map(ToString::to_string).collect();
        assert_eq!(sorted.join(" "), "clean zero noise:0.3 noise:1 swap remove zero@image-none");
    }
}
