//! What answers do under graded, partial and crossed interventions.

use prism_run::{ArrivesAt, DoseFamily, Intervention, Stage, View, table_row};

table_row! {
    /// Necessity and sufficiency: one intervention crossed with one view of the image. All
    /// numbers are over the examples that ran in all four cells.
    pub struct VisibilityFinding {
        /// What the answer sees of the image: `image-hidden`, `image-none`, ...
        pub view: View,
        /// What was done to the latents; `clean` for the view's effect alone.
        pub intervention: Intervention,
        /// Examples that ran in every cell.
        pub examples: usize,
        /// Accuracy: image as it is, latents as they are.
        pub open_clean: Option<f64>,
        /// Accuracy: image as it is, latents damaged.
        pub open_damaged: Option<f64>,
        /// Accuracy: under the view, latents as they are.
        pub view_clean: Option<f64>,
        /// Accuracy: under the view, latents damaged.
        pub view_damaged: Option<f64>,
        /// What a constant answer gets on these examples: the share of the commonest label.
        pub majority: Option<f64>,
        /// What the view costs: `open_clean - view_clean`.
        pub image_effect: Option<f64>,
        /// Its 95 % interval.
        pub image_effect_low: Option<f64>,
        /// Upper end of the same.
        pub image_effect_high: Option<f64>,
        /// Its p (sign flips, clusters as a whole).
        pub image_effect_p: Option<f64>,
        /// What the damage costs with the image in view: `open_clean - open_damaged`.
        pub necessity: Option<f64>,
        /// Its 95 % interval.
        pub necessity_low: Option<f64>,
        /// Upper end of the same.
        pub necessity_high: Option<f64>,
        /// Its p.
        pub necessity_p: Option<f64>,
        /// What the latents are worth without the image: `view_clean - view_damaged`.
        pub sufficiency: Option<f64>,
        /// Its 95 % interval.
        pub sufficiency_low: Option<f64>,
        /// Upper end of the same.
        pub sufficiency_high: Option<f64>,
        /// Its p.
        pub sufficiency_p: Option<f64>,
        /// `sufficiency - necessity`: how far the image stands in for the latents.
        pub interaction: Option<f64>,
        /// Its 95 % interval; absent where the four cells differ alike in every example.
        pub interaction_low: Option<f64>,
        /// Upper end of the same.
        pub interaction_high: Option<f64>,
        /// Its p.
        pub interaction_p: Option<f64>,
        /// `necessity` in the gold letter's log-probability margin, nats.
        pub necessity_margin: Option<f64>,
        /// `sufficiency` in the same.
        pub sufficiency_margin: Option<f64>,
        /// Why numbers are absent.
        pub reason: Option<String>,
    }
}

table_row! {
    /// One amount of a graded intervention: dose and response.
    pub struct DoseFinding {
        /// What is graded.
        pub family: DoseFamily,
        /// Textual form; `clean` for no dose.
        pub intervention: Intervention,
        /// The dose; 0 for the clean run.
        pub amount: f64,
        /// Examples that ran both clean and here.
        pub examples: usize,
        /// Root mean square over dimensions of the clean latents' standard deviation over
        /// examples, mean over steps.
        pub spread: Option<f64>,
        /// `20 log10(norm of the latents / norm of the change)`, decibels.
        pub snr_norm: Option<f64>,
        /// `20 log10(spread / root mean square change of a dimension)`, decibels: what matters
        /// if the answer is read from how latents differ.
        pub snr_spread: Option<f64>,
        /// Share of right answers.
        pub accuracy: Option<f64>,
        /// Against the clean run.
        pub delta: Option<f64>,
        /// Its 95 % interval.
        pub delta_low: Option<f64>,
        /// Upper end of the same.
        pub delta_high: Option<f64>,
        /// Change of the gold letter's log-probability margin, nats.
        pub margin_delta: Option<f64>,
        /// Its 95 % interval.
        pub margin_low: Option<f64>,
        /// Upper end of the same.
        pub margin_high: Option<f64>,
        /// Share of examples whose generated tokens changed.
        pub changed: Option<f64>,
    }
}

table_row! {
    /// An intervention on part of the block: some steps, one stage, or one layer's input.
    pub struct StepFinding {
        /// The action alone, e.g. `zero`.
        pub action: Intervention,
        /// Textual form.
        pub intervention: Intervention,
        /// Only in this stage.
        pub stage: Option<Stage>,
        /// First step, from 0; absent for all.
        pub first_step: Option<usize>,
        /// Last step, itself included.
        pub last_step: Option<usize>,
        /// At the input of this decoder layer; absent for the input of the forward.
        pub layer: Option<usize>,
        /// Examples that ran both clean and here.
        pub examples: usize,
        /// Share of right answers.
        pub accuracy: Option<f64>,
        /// Against the clean run.
        pub delta: Option<f64>,
        /// Its 95 % interval.
        pub delta_low: Option<f64>,
        /// Upper end of the same.
        pub delta_high: Option<f64>,
        /// Change of the gold letter's log-probability margin, nats.
        pub margin_delta: Option<f64>,
        /// Its 95 % interval.
        pub margin_low: Option<f64>,
        /// Upper end of the same.
        pub margin_high: Option<f64>,
        /// Share of examples whose generated tokens changed.
        pub changed: Option<f64>,
    }
}

table_row! {
    /// Whether answers follow the donor whose latents were swapped in.
    pub struct DonorFinding {
        /// Textual form of the swap or mix.
        pub intervention: Intervention,
        /// Examples every number is over: the donor has another gold letter, one that is among their own options, and the
        /// answer could be parsed in both runs.
        pub examples: usize,
        /// Left out: the donor has the same letter, none, or one that is no option here, or an answer could not be parsed.
        pub left_out: usize,
        /// Share that answers the donor's letter.
        pub donor_rate: Option<f64>,
        /// Share that answers it in the clean run.
        pub donor_rate_clean: Option<f64>,
        /// Donor-answer lift: the difference.
        pub lift: Option<f64>,
        /// Its 95 % interval.
        pub lift_low: Option<f64>,
        /// Upper end of the same.
        pub lift_high: Option<f64>,
        /// Its p (sign flips, clusters as a whole).
        pub lift_p: Option<f64>,
        /// Examples whose donor could have had another letter: among those of the same gold letter and number of options,
        /// donors have more letters than one.
        pub transfer_examples: usize,
        /// Donor's letter beyond damage: how much more often answers are their donors' letters than they would be with
        /// donors exchanged among examples of the same gold letter and number of options, under the swap minus in the clean
        /// run. Not above 0 for latents that nothing reads, or for damage that does not know the donor.
        pub transfer: Option<f64>,
        /// Its 95 % interval (Student's over clusters); absent where all examples say the same.
        pub transfer_low: Option<f64>,
        /// Upper end of the same.
        pub transfer_high: Option<f64>,
        /// Share that answers its own gold letter.
        pub gold_rate: Option<f64>,
        /// The same in the clean run.
        pub gold_rate_clean: Option<f64>,
        /// Change of the donor letter's log-probability margin, nats.
        pub margin_lift: Option<f64>,
        /// Its 95 % interval.
        pub margin_low: Option<f64>,
        /// Upper end of the same.
        pub margin_high: Option<f64>,
        /// Why numbers are absent.
        pub reason: Option<String>,
    }
}

table_row! {
    /// How far a change of the image that changes the answer gets: examples against their
    /// counterfactual partners, from the image to the latents to the answer.
    pub struct CounterfactualFinding {
        /// Where: `visual_mean`, `question_mean`, a stage of the block, `answer_state`, or `answer`.
        pub place: ArrivesAt,
        /// Step within the stage.
        pub step: Option<usize>,
        /// Pairs of partners that both have the vector (for `answer`: both ran).
        pub pairs: usize,
        /// Mean cosine of partners.
        pub cosine: Option<f64>,
        /// Mean cosine of examples that are not partners.
        pub cosine_strangers: Option<f64>,
        /// Mean squared distance of partners over that of strangers: 0, the change never
        /// arrived; 1, partners differ as strangers do.
        pub change: Option<f64>,
        /// Its 95 % interval (bootstrap over pairs, the strangers' distance held).
        pub change_low: Option<f64>,
        /// Upper end of the same.
        pub change_high: Option<f64>,
        /// For `answer`: share of pairs whose letters differ, among those with both answers parsed.
        pub answers_differ: Option<f64>,
        /// For `answer`: share of all pairs in which both letters are gold.
        pub both_right: Option<f64>,
        /// Why numbers are absent.
        pub reason: Option<String>,
    }
}
