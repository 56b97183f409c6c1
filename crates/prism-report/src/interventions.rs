//! Interventions as pages list them: grouped by what they can show, each described in one clause.
//! Their one spelling is their `Display`.

use std::fmt::Write;

use prism_run::{Action, Class, Donor, Intervention, Scope, View};

/// The classes in the order of every table and chart.
pub const CLASSES: [Class; 6] = [Class::Content, Class::Presence, Class::Order, Class::Damage, Class::Help, Class::Control];

/// Sorts as pages list them: on the whole block with the image in view, on part of it, under
/// another view; within each by class, then as tables sort.
pub fn place(intervention: Intervention) -> (usize, usize, Intervention) {
    let Intervention { scope, view, .. } = intervention;
    let reach = if view != View::Open { 2 } else { usize::from(scope != Scope::default()) };
    (reach, rank(intervention.class()), intervention)
}

/// Place of a class among [`CLASSES`].
pub fn rank(class: Class) -> usize {
    CLASSES.iter().position(|c| *c == class).unwrap_or(CLASSES.len())
}

/// What a class keeps and can show, in one clause.
pub fn about(class: Class) -> &'static str {
    match class {
        Class::Content => "another content is put in; markers, positions and number of steps stay: is what the block says used?",
        Class::Presence => "less than the block is left: is it needed?",
        Class::Order => "the same latents in another order: is the order used?",
        Class::Damage => "what is put in may lie off the distribution, so a loss may be one of form: it explains and decides nothing",
        Class::Help => "better information than the model had: an upper bound, and its control",
        Class::Control => "must change nothing: the check of the instrument",
    }
}

/// What an intervention does: its action's own description, its amount and donor, where, and under which view.
pub fn described(intervention: Intervention) -> String {
    let Intervention { action, scope, view } = intervention;
    let mut out = action.description().to_string();
    let mut more: Vec<String> = Vec::new();
    match action {
        Action::Noise(sigma) => more.push(format!("{sigma}, in raw units of the hidden state")),
        Action::RelativeNoise(share) => more.push(share.to_string()),
        Action::Mix(mixture) => more.push(format!("share {}", mixture.share)),
        Action::Forced(steps) => more.push(if steps == 1 { "1 step".into() } else { format!("{steps} steps") }),
        _ => {}
    }
    more.extend(action.donor().map(donor));
    if let Some(stage) = scope.stage {
        more.push(format!("in the {stage} stage only"));
    }
    match scope.steps {
        Some((first, last)) if first == last => more.push(format!("at step {first} only")),
        Some((first, last)) => more.push(format!("at steps {first} to {last} only")),
        None => {}
    }
    if let Some(layer) = scope.layer {
        more.push(format!("at the input of layer {layer}"));
    }
    if !more.is_empty() {
        let _ = write!(out, " ({})", more.join(", "));
    }
    if let Some(seen) = seen(view) {
        let _ = write!(out, "; {seen}");
    }
    out
}

fn donor(donor: Donor) -> String {
    match donor {
        Donor::Random => "donor: another example, drawn at random".into(),
        Donor::Row(row) => format!("donor: the example in row {row}"),
        Donor::SameAnswer => "donor: another example with the same right answer".into(),
        Donor::OtherAnswer => "donor: another example with another right answer".into(),
        Donor::SameImage => "donor: another question about the same image".into(),
        Donor::Counterfactual => "donor: the counterfactual partner".into(),
        Donor::Itself => "donor: the example itself".into(),
    }
}

fn seen(view: View) -> Option<&'static str> {
    match view {
        View::Open => None,
        View::ImageHidden => Some("the image is hidden from everything after the block, so the answer cannot look again"),
        View::NoImage => Some("the question is asked without its image"),
        View::Grey => Some("a grey image stands in place of the image"),
        View::OtherImage => Some("another example\u{2019}s image stands in place of the image"),
        View::ShuffledPatches => Some("the image\u{2019}s patches are in random order"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Intervention {
        text.parse().unwrap()
    }

    #[test]
    fn a_description_is_the_actions_own_with_place_and_view() {
        let zero = of("zero/context/step=1@image-hidden");
        let found = described(zero);
        assert!(found.starts_with(zero.action.description()) && found.contains("in the context stage only, at step 1 only"), "{found}");
        assert!(found.ends_with("cannot look again"), "{found}");
        assert!(described(of("swap-kv:counterfactual")).contains("counterfactual partner"));
    }

    #[test]
    fn content_comes_first_and_parts_of_the_block_after_the_whole() {
        let mut all: Vec<Intervention> =
            "zero remove swap/step=0 shuffled zero@image-hidden oracle swap sham evict noise:0.3".split(' ').map(of).collect();
        all.sort_by_key(|i| place(*i));
        let sorted: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(sorted.join(" "), "swap remove evict shuffled zero noise:0.3 oracle sham swap/step=0 zero@image-hidden");
    }
}
