//! A verdict in one sentence a person can say aloud.

use prism_run::{Content, Need};

use super::content_word;
use super::need_word;
use crate::findings::VerdictFinding;

/// The sentence: what the latents say, then whether the block is needed.
///
/// `opened`: share of the examples whose block opened; said where it is not all of them.
pub fn sentence(
    content: &content_word::Answer,
    need: &need_word::Answer,
    verdicts: &[VerdictFinding],
    faults: usize,
    opened: Option<f64>,
) -> String {
    if content.content == Content::NoLatents {
        return "No latents ran: the block opened in no example, so nothing was tested.".into();
    }
    if content.content == Content::InstrumentFault {
        let answers = if faults == 1 { "answer".into() } else { format!("{faults} answers") };
        return format!("Nothing can be said: interventions that must change nothing changed {answers}.");
    }
    let first = what_it_says(content, verdicts);
    let second = whether_needed(need, verdicts);
    let joint = match (content.content, need.need) {
        (Content::NotUsed | Content::WithoutNetEffect | Content::Misleading, Need::Needed) => {
            second.replacen("the model needs", "the model does need", 1)
        }
        _ => second,
    };
    // Rounded down, so that 99.9 % is not called all.
    match opened.filter(|share| *share < 1.0) {
        Some(share) => format!("{first}; {joint}. The block opened in {:.0} % of the examples.", (100.0 * share).floor()),
        None => format!("{first}; {joint}."),
    }
}

fn of<'a>(on: &[prism_run::Intervention], verdicts: &'a [VerdictFinding]) -> Vec<&'a VerdictFinding> {
    verdicts.iter().filter(|v| on.contains(&v.intervention)).collect()
}

fn points(share: f64) -> String {
    let text = format!("{:+.1}", 100.0 * share);
    if text == "-0.0" || text == "+0.0" { "0.0".into() } else { text }
}

fn what_it_says(answer: &content_word::Answer, verdicts: &[VerdictFinding]) -> String {
    let on = of(&answer.on, verdicts);
    let most = on.iter().max_by_key(|v| v.changed_answers).map_or((0, 0), |v| (v.changed_answers, v.examples));
    let largest = |sign: f64| on.iter().filter_map(|v| v.delta).max_by(|a, b| (a * sign).total_cmp(&(b * sign))).unwrap_or_default();
    match answer.content {
        Content::NotUsed => {
            format!(
                "The answers do not depend on what the block says (at most {} of {} change under any exchange or resampling)",
                most.0, most.1
            )
        }
        Content::Used => {
            format!("The answers depend on what the block says ({} points with another example's content)", points(largest(-1.0)))
        }
        Content::Misleading => {
            format!("What the block says misleads ({} points with another example's content)", points(largest(1.0)))
        }
        Content::WithoutNetEffect => {
            format!("What the block says changes answers ({} of {}) and accuracy neither way", most.0, most.1)
        }
        Content::InPart => match &answer.category {
            Some(c) => format!(
                "What the block says matters for `{}` ({} points with another example's content), not for the whole",
                c.category,
                points(c.delta.unwrap_or_default())
            ),
            None => "What the block says matters in part".into(),
        },
        Content::Undecided => match answer.needed {
            Some(needed) => format!("Whether the answers depend on what the block says is not decided (about {needed} examples would)"),
            None => "Whether the answers depend on what the block says is not decided".into(),
        },
        Content::NoLatents | Content::InstrumentFault => String::new(),
    }
}

fn whether_needed(answer: &need_word::Answer, verdicts: &[VerdictFinding]) -> String {
    let delta = of(&answer.on, verdicts).first().and_then(|v| v.delta).unwrap_or_default();
    match answer.need {
        Need::Needed => format!("the model needs its block ({} points without)", points(delta)),
        Need::OnlyForm => format!("without its block the model loses the form of its answers ({} points), not the choice", points(delta)),
        Need::InTheWay => format!("the block is in the way ({} points without)", points(delta)),
        Need::Indifferent => format!("the block could be left out ({} points without)", points(delta)),
        Need::Undecided => "whether the model needs its block is not decided".into(),
        Need::NotDefined => "whether the model needs its block was not tested".into(),
        Need::NoLatents | Need::InstrumentFault => String::new(),
    }
}
