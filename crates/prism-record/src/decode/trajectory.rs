//! What one branch did, forward by forward, and the probe vectors read off it
//! (method, section 6).

use prism_run::{Position, Stage};

use super::answer::Opening;
use super::block_begin_end::Place;
use super::intervention::Latents;

/// What a forward read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Read {
    /// The prompt.
    #[default]
    Prompt,
    /// A token's embedding.
    Token,
    /// A fed-back vector.
    Latent,
    /// The embedding of an image token, before a latent.
    Image,
}

/// One forward of a branch. Where every forward appends a token, as in most methods, forward `i`
/// produced the `i`-th new one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Forward {
    /// Its place in the latent block; `None` when it read a token.
    pub place: Option<Place>,
    /// What it read.
    pub read: Read,
    /// The token that stands where it read; `None` for the prompt and an image token.
    pub standing: Option<u32>,
    /// L2 norm of what it read, after the hook; `None` for the prompt.
    pub read_norm: Option<f64>,
    /// The largest of its logits, before any penalty.
    pub argmax: Option<u32>,
    /// The token it appended, if it appended one.
    pub appended: Option<u32>,
    /// The state it produced, `[hidden]`: last layer, after the final norm.
    pub state: Vec<f32>,
    /// The fed-back vector it read, `[hidden]`, after the hook; latent forwards only.
    pub fed: Option<Vec<f32>>,
    /// L2 norm of what the hook changed in that vector, or an exchange in the keys and values of
    /// all layers; latent forwards only.
    pub perturbation: Option<f64>,
    /// Its attention weights. Where asked for.
    pub attention: Option<Attention>,
    /// Input of every layer, `[layer][hidden]`. Where asked for.
    pub layers: Option<Vec<Vec<f32>>>,
    /// Its keys, not turned, and values in every layer, as [`super::exchange`] keeps them; latent
    /// forwards only. Where asked for.
    pub keys_values: Option<Vec<f32>>,
    /// Its logits `[vocab]`. Where asked for.
    pub logits: Option<Vec<f32>>,
}

/// Attention weights of one forward, mean over heads.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attention {
    /// `[layer][key]`: the prompt's tokens, then those of `keys`.
    pub layers: Vec<Vec<f32>>,
    /// The forwards whose keys are held, its own last.
    pub keys: Vec<usize>,
}

/// A finished branch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trajectory {
    /// The new tokens, those appended inside the block included.
    pub generated: Vec<u32>,
    /// Every forward, the prefill first.
    pub forwards: Vec<Forward>,
    /// The generated text, special tokens included.
    pub text: String,
    /// What opened the answer: `<answer>`, or where none was written `\boxed{`.
    pub opening: Option<Opening>,
    /// The forward that produced the first token after that text was first complete.
    pub answer_forward: Option<usize>,
    /// Its logits `[vocab]`.
    pub answer_logits: Option<Vec<f32>>,
    /// Why the hook stopped the branch early.
    pub refusal: Option<String>,
}

/// L2 norm.
pub fn norm(vector: &[f32]) -> f64 {
    vector.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt()
}

/// Mean of equally long vectors; `None` of none.
pub fn mean<'a>(vectors: impl Iterator<Item = &'a [f32]>) -> Option<Vec<f32>> {
    let mut sum: Vec<f64> = Vec::new();
    let mut count = 0usize;
    for vector in vectors {
        sum.resize(vector.len(), 0.0);
        sum.iter_mut().zip(vector).for_each(|(s, v)| *s += f64::from(*v));
        count += 1;
    }
    (count > 0).then(|| sum.iter().map(|s| (s / count as f64) as f32).collect())
}

impl Trajectory {
    /// Latent forwards, in order.
    pub fn latent_forwards(&self) -> impl Iterator<Item = (Place, &Forward)> {
        self.forwards.iter().filter_map(|f| f.place.map(|p| (p, f)))
    }

    /// Latent forwards of one stage.
    pub fn steps(&self, stage: Stage) -> usize {
        self.latent_forwards().filter(|(p, _)| p.stage == stage).count()
    }

    /// The vectors fed back, by stage and step: what a swap takes from a clean run.
    pub fn latents(&self, row: usize) -> Latents {
        let of = |stage| self.latent_forwards().filter(|(p, _)| p.stage == stage).filter_map(|(_, f)| f.fed.clone()).collect();
        Latents { row, context: of(Stage::Context), target: of(Stage::Target) }
    }

    /// Keys and values of the latent forwards, by stage and step: what `swap-kv` takes from a clean
    /// run in which they were noted. They are moved out.
    pub fn take_keys_values(&mut self, row: usize) -> Latents {
        let mut taken = Latents { row, ..Latents::default() };
        for forward in &mut self.forwards {
            if let (Some(place), Some(vector)) = (forward.place, forward.keys_values.take()) {
                taken.push(place.stage, vector);
            }
        }
        taken
    }

    /// Mean L2 norm of the vectors actually fed back.
    pub fn latent_norm(&self) -> Option<f64> {
        average(self.latent_forwards().filter_map(|(_, f)| f.fed.as_deref()).map(norm))
    }

    /// Mean L2 norm of what the hook changed.
    pub fn perturbation_norm(&self) -> Option<f64> {
        average(self.latent_forwards().filter_map(|(_, f)| f.perturbation))
    }

    /// The forward read as probe position (a): that producing the first token after
    /// `<answer>` (or `\boxed{`); without one, the first forward after the last latent one.
    pub fn answer_state(&self) -> Option<usize> {
        self.answer_forward.or_else(|| {
            let last = self.forwards.iter().rposition(|f| f.place.is_some())?;
            (last + 1 < self.forwards.len()).then_some(last + 1)
        })
    }

    /// The vector at a probe position of the decode; the prefill's two are in
    /// [`Prefix`](super::Prefix). (b) and (c) read the target stage, the context
    /// stage if the target stage never ran.
    pub fn probe(&self, position: Position) -> Option<Vec<f32>> {
        self.read(position, |forward| Some(&forward.state))
    }

    /// The same at the input of a layer, where the layers were noted.
    pub fn probe_at(&self, position: Position, layer: usize) -> Option<Vec<f32>> {
        self.read(position, |forward| forward.layers.as_ref()?.get(layer).map(Vec::as_slice))
    }

    fn read<'a>(&'a self, position: Position, of: impl Fn(&'a Forward) -> Option<&'a [f32]> + Copy) -> Option<Vec<f32>> {
        let main = if self.steps(Stage::Target) > 0 { Stage::Target } else { Stage::Context };
        let states = |stage| self.latent_forwards().filter(move |(p, _)| p.stage == stage).filter_map(move |(_, f)| of(f));
        match position {
            Position::AnswerState => self.answer_state().and_then(|i| self.forwards.get(i)).and_then(of).map(<[f32]>::to_vec),
            Position::LatentLast => states(main).last().map(<[f32]>::to_vec),
            Position::LatentMean => mean(states(main)),
            Position::ContextLast => states(Stage::Context).last().map(<[f32]>::to_vec),
            Position::ContextMean => mean(states(Stage::Context)),
            Position::QuestionMean | Position::VisualMean => None,
        }
    }
}

fn average(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0usize), |(s, n), v| (s + v, n + 1));
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(stage: Option<Stage>, step: usize, value: f32) -> Forward {
        let place = stage.map(|stage| Place { stage, block: 0, step, block_step: step });
        let (fed, perturbation) = (place.map(|_| vec![-value]), place.map(|_| 0.5));
        Forward { place, state: vec![value], fed, perturbation, ..Forward::default() }
    }

    #[test]
    fn probes_prefer_the_target_stage_and_fall_back_to_the_context_stage() {
        let context = [forward(Some(Stage::Context), 0, 1.0), forward(Some(Stage::Context), 1, 3.0)];
        let mut t = Trajectory { forwards: vec![forward(None, 0, 0.0)], ..Trajectory::default() };
        t.forwards.extend(context);
        assert_eq!(t.probe(Position::LatentLast), Some(vec![3.0]));
        assert_eq!(t.probe(Position::AnswerState), None);
        t.forwards.push(forward(Some(Stage::Target), 0, 7.0));
        t.forwards.push(forward(None, 0, 9.0));
        t.forwards.push(forward(None, 0, 11.0));
        assert_eq!(t.probe(Position::LatentMean), Some(vec![7.0]));
        assert_eq!(t.probe(Position::ContextMean), Some(vec![2.0]));
        assert_eq!(t.probe(Position::AnswerState), Some(vec![9.0]));
        t.answer_forward = Some(5);
        assert_eq!(t.probe(Position::AnswerState), Some(vec![11.0]));
        assert_eq!(t.latents(3), Latents { row: 3, context: vec![vec![-1.0], vec![-3.0]], target: vec![vec![-7.0]] });
        assert_eq!((t.latent_norm(), t.perturbation_norm()), (Some(11.0 / 3.0), Some(0.5)));
    }
}
