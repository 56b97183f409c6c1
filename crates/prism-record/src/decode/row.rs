//! One branch under way: its sequence, its hook, and what is seen and hidden of it.

use std::ops::Range;
use std::sync::Arc;

use prism_model::engine::{Features, Rows};
use prism_model::text::Watcher;
use prism_model::{Error, Result};
use prism_run::{Sight, Stage};

use super::block_begin_end::{Feed, Place, Sequence};
use super::choice::{self, History};
use super::control::ControlTokens;
use super::course::Course;
use super::insertion::Looked;
use super::site::{Hook, Refusal, Side, Site};
use super::trajectory::{self, Attention, Forward, Read, Trajectory};

/// A branch under way.
pub(super) struct Row<'a> {
    /// Its place among the branches asked for.
    pub index: usize,
    pub sequence: Sequence<'a>,
    pub hook: Box<dyn Hook + 'a>,
    pub course: Course<'a>,
    /// What the checkpoint's positions may see, and its start tokens.
    tokens: &'a ControlTokens,
    /// Whether the forward before read a start token, and whether the sight has narrowed.
    read_start: bool,
    started: bool,
    /// Hidden from a bottleneck's first start token on, and behind the first block of registers: the prompt from its
    /// first image on.
    looked: Arc<Vec<Range<usize>>>,
    /// The prompt's image tokens.
    pub image: Arc<Vec<Range<usize>>>,
    pub trajectory: Trajectory,
    /// What the next latent forward would read: the last state, through the head if there is one.
    pub feedback: Vec<f32>,
    /// Its distance from the end embedding, where the exit looks at it.
    pub distance: Option<f64>,
    /// Latent forwards so far.
    pub latent: usize,
    /// The forward under way: the vector it was fed and the norm of what hooks changed.
    pub fed: Option<(Vec<f32>, f64)>,
    /// Norm of what the forward under way reads.
    pub read_norm: Option<f64>,
    /// Whether the forward under way is noted.
    pub noted: bool,
    history: History,
    looked_at: Looked,
    /// What stands at the image tokens.
    features: Arc<dyn Features>,
    /// Mean attention of the last forward to the prompt's tokens, where image tokens are chosen by it.
    weights: Arc<Vec<f32>>,
    seen: Seen,
    /// Stage of the block under way, and the first of its forwards among the generated tokens held.
    block: Option<(Stage, usize)>,
    /// The forwards whose keys are held.
    held: Vec<usize>,
}

/// What was noted of the forward under way.
#[derive(Default)]
struct Seen {
    /// Sum over heads, `[layer][key]`.
    attention: Vec<Vec<f32>>,
    /// Heads summed in the last layer seen.
    heads: usize,
    layers: Vec<Vec<f32>>,
    /// Keys and values, layer by layer.
    keys_values: Vec<f32>,
}

impl<'a> Row<'a> {
    pub fn new(index: usize, sequence: Sequence<'a>, tokens: &'a ControlTokens, branch: super::Branch<'a>) -> Self {
        let super::Branch { prefix, hook, course } = branch;
        let looked = prefix.image_ranges.first().map(|first| first.start..prefix.prompt_ids.len()).into_iter().collect();
        let reads = tokens.generation.reads_history();
        let history = if reads { History::of(&prefix.whole_prompt(), course.said.clone()) } else { History::default() };
        Self {
            index,
            sequence,
            hook,
            course,
            tokens,
            read_start: false,
            started: false,
            looked: Arc::new(looked),
            image: prefix.image_ranges.clone(),
            trajectory: Trajectory::default(),
            feedback: Vec::new(),
            distance: None,
            latent: 0,
            fed: None,
            read_norm: None,
            noted: false,
            history,
            looked_at: Looked::default(),
            features: prefix.features.clone(),
            weights: prefix.last_attention.clone(),
            seen: Seen::default(),
            block: None,
            held: Vec::new(),
        }
    }

    pub fn is_over(&self) -> bool {
        self.sequence.finished() || self.trajectory.refusal.is_some()
    }

    pub fn place(&self) -> Option<Place> {
        match self.sequence.feed() {
            Feed::Latent(place) => Some(place),
            Feed::Token(_) | Feed::Image(_) => None,
        }
    }

    /// What the forward under way reads.
    fn read(&self) -> Read {
        match self.sequence.feed() {
            _ if self.trajectory.forwards.is_empty() => Read::Prompt,
            Feed::Token(_) => Read::Token,
            Feed::Latent(_) => Read::Latent,
            Feed::Image(_) => Read::Image,
        }
    }

    /// What stands at an image token of the prompt, `[hidden]`.
    pub fn image_embedding(&self, image: usize, hidden: usize) -> Result<Vec<f32>> {
        let row = u32::try_from(image).map_err(|_| Error::input("image token", format!("{image}"), "report this as a bug"))?;
        let values = self.features.select(&[row])?.values()?;
        if values.len() == hidden { Ok(values) } else { Err(Error::input("features", "are of another width", "report this as a bug")) }
    }

    /// The token that `logits` say, whose largest is `argmax`, under the penalties and draws of this branch.
    pub fn choose(&mut self, logits: &[f32], argmax: u32) -> u32 {
        if self.tokens.generation.is_plain() && self.course.draws.is_none() {
            return argmax;
        }
        let first = self.sequence.generated().is_empty();
        choice::choose(logits, &self.tokens.generation, &self.history, first, self.course.draws.as_mut())
    }

    /// Takes in what the last forward says, with the distance of the exit `latent`; has image tokens
    /// read before the next latent, where the protocol does.
    pub fn advance(&mut self, said: u32, argmax: u32, distance: Option<f64>) {
        let place = self.place();
        let was_image = matches!(self.sequence.feed(), Feed::Image(_));
        let appended = self.sequence.advance(said, distance);
        if let Some(forward) = self.trajectory.forwards.last_mut() {
            forward.appended = appended;
            forward.argmax = (!was_image).then_some(argmax);
        }
        if let Some(token) = appended.filter(|_| self.tokens.generation.reads_history()) {
            self.history.push(token, place);
        }
        let wanted = self.sequence.wants_images();
        if wanted > 0 && !was_image {
            let image: Vec<f32> = self.image.iter().flat_map(Clone::clone).map(|at| self.weights.get(at).copied().unwrap_or(0.0)).collect();
            let chosen = self.looked_at.choose(&image, wanted);
            self.sequence.insert(chosen);
        }
    }

    fn site(&self, place: Option<Place>, side: Side) -> Site {
        Site { iteration: self.trajectory.forwards.len(), latent: self.latent, place, side }
    }

    /// Asks the hook; a vector of another length is refused in the hook's name.
    pub fn ask(&mut self, place: Option<Place>, side: Side, vector: &[f32]) -> Option<Vec<f32>> {
        let answer = self.hook.at(self.site(place, side), vector);
        self.take(answer, vector.len())
    }

    fn take(&mut self, answer: std::result::Result<Option<Vec<f32>>, Refusal>, width: usize) -> Option<Vec<f32>> {
        match answer {
            Ok(Some(new)) if new.len() == width => return Some(new),
            Ok(Some(new)) => {
                let message = format!("the hook gave a vector of {} for one of {width}", new.len());
                self.trajectory.refusal.get_or_insert(message);
            }
            Ok(None) => {}
            Err(Refusal(message)) => {
                self.trajectory.refusal.get_or_insert(message);
            }
        }
        None
    }

    /// The forward that gave `state`, with what was noted of it; `logits` where they are wanted.
    pub fn push(&mut self, place: Option<Place>, state: &[f32]) {
        self.latent += usize::from(place.is_some());
        let read = self.read();
        let standing = matches!(read, Read::Token | Read::Latent).then(|| self.sequence.standing());
        let read_norm = match &self.fed {
            Some((fed, _)) => Some(trajectory::norm(fed)),
            None => self.read_norm.take(),
        };
        let (fed, perturbation) = self.fed.take().unzip();
        let Seen { mut attention, heads, layers, keys_values } = std::mem::take(&mut self.seen);
        let scale = 1.0 / heads.max(1) as f32;
        attention.iter_mut().flatten().for_each(|weight| *weight *= scale);
        if self.sequence.looks() {
            self.weights = Arc::new(trajectory::mean(attention.iter().map(Vec::as_slice)).unwrap_or_default());
        }
        let wanted = self.noted && self.course.notes.attention;
        let attention = (wanted && !attention.is_empty()).then(|| Attention { layers: attention, keys: self.held.clone() });
        let layers = (!layers.is_empty()).then_some(layers);
        let keys_values = (!keys_values.is_empty()).then_some(keys_values);
        let state = state.to_vec();
        let forward =
            Forward { place, read, standing, read_norm, state, fed, perturbation, attention, layers, keys_values, ..Forward::default() };
        self.trajectory.forwards.push(forward);
    }

    /// Hides in row `row` of the engine's rows what the next forward may not see: what the checkpoint
    /// was trained not to see, and what the branch takes from it.
    pub fn settle(&mut self, row: usize, decoding: &mut dyn Rows) -> Result<()> {
        let sight = self.tokens.sight;
        let narrows = match sight {
            Sight::Bottleneck => true,
            Sight::OptionalBottleneck => self.started || self.place().is_some(),
            Sight::Open | Sight::Registers | Sight::Blindfold => false,
        };
        if narrows && self.read_start {
            self.narrow(row, self.held.len(), decoding)?;
        }
        self.read_start = matches!(self.sequence.feed(), Feed::Token(id) if self.tokens.starts.iter().any(|start| start.token == id));
        // Image tokens that are read before a latent belong to its block.
        let reads_image = matches!(self.sequence.feed(), Feed::Image(_));
        let of_image = self.tokens.rules.prompt_block.filter(|_| reads_image).map(|block| block.stage);
        let next = self.place().map(|place| place.stage).or(of_image);
        if self.block.map(|(stage, _)| stage) != next {
            let held = decoding.held(row).unwrap_or_default();
            let mut from = held;
            if let Some((stage, first)) = self.block
                && (self.course.evict.holds(stage) || sight == Sight::Blindfold)
            {
                decoding.evict(row, first..held)?;
                self.held.drain(first..held);
                from = first;
            }
            if let Some((_, first)) = self.block
                && sight == Sight::Registers
                && next.is_none()
            {
                self.narrow(row, first, decoding)?;
            }
            self.block = next.map(|stage| (stage, from));
        }
        let blind = match sight {
            Sight::Bottleneck | Sight::OptionalBottleneck => !self.read_start,
            Sight::Registers => !self.read_start && next.is_none(),
            Sight::Open | Sight::Blindfold => false,
        };
        if blind && self.started {
            decoding.hide(row, &self.looked)?;
        } else if self.course.hide_image && self.sequence.is_past_block() {
            decoding.hide(row, &self.image)?;
        } else {
            decoding.hide(row, &Arc::default())?;
        }
        self.held.push(self.trajectory.forwards.len());
        Ok(())
    }

    /// Gives up the key of the start token that stands right before key `end`; the first time, with an image before it,
    /// all that was written up to it, for all of it looked at the image.
    fn narrow(&mut self, row: usize, end: usize, decoding: &mut dyn Rows) -> Result<()> {
        let first = if self.started || self.looked.is_empty() { end.saturating_sub(1) } else { 0 };
        decoding.evict(row, first..end)?;
        self.held.drain(first..end);
        self.started = true;
        Ok(())
    }
}

/// The rows of a step, as the model sees them.
pub(super) struct Watched<'r, 'a>(pub &'r mut [Row<'a>]);

impl Watcher for Watched<'_, '_> {
    fn wants_layers(&self) -> bool {
        self.0.iter().any(|row| row.course.layer.is_some() || (row.noted && row.course.notes.layers))
    }

    fn layer(&mut self, layer: usize, row: usize, x: &mut [f32]) {
        let Some(row) = self.0.get_mut(row) else { return };
        let place = row.place();
        if let Some(place) = place
            && let Some(mut hooked) = row.course.layer.take()
        {
            if hooked.layer == layer {
                let answer = hooked.hook.at(row.site(Some(place), Side::Input), x);
                if let Some(new) = row.take(answer, x.len()) {
                    let difference: Vec<f32> = new.iter().zip(x.iter()).map(|(a, b)| a - b).collect();
                    if let Some((_, perturbation)) = &mut row.fed {
                        *perturbation = trajectory::norm(&difference);
                    }
                    x.copy_from_slice(&new);
                }
            }
            row.course.layer = Some(hooked);
        }
        if row.noted && row.course.notes.layers {
            row.seen.layers.push(x.to_vec());
        }
    }

    fn wants_keys_values(&self, row: usize) -> bool {
        let wanted = |row: &Row<'_>, place| {
            (row.noted && row.course.notes.keys_values) || row.course.exchange.as_ref().is_some_and(|exchange| exchange.holds(place))
        };
        self.0.get(row).is_some_and(|row| row.place().is_some_and(|place| wanted(row, place)))
    }

    fn keys_values(&mut self, layer: usize, row: usize, keys: &mut [f32], values: &mut [f32]) {
        let Some((row, place)) = self.0.get_mut(row).and_then(|row| row.place().map(|place| (row, place))) else { return };
        if let Some(exchange) = row.course.exchange.as_ref().filter(|exchange| exchange.holds(place)) {
            match exchange.put(place, layer, keys, values) {
                Ok(squares) => {
                    if let Some((_, perturbation)) = &mut row.fed {
                        *perturbation = perturbation.hypot(squares.sqrt());
                    }
                }
                Err(Refusal(message)) => {
                    row.trajectory.refusal.get_or_insert(message);
                }
            }
        }
        if row.noted && row.course.notes.keys_values {
            row.seen.keys_values.extend_from_slice(keys);
            row.seen.keys_values.extend_from_slice(values);
        }
    }

    fn wants_attention(&self, row: usize) -> bool {
        self.0.get(row).is_some_and(|row| (row.noted && row.course.notes.attention) || row.sequence.looks())
    }

    fn attention(&mut self, layer: usize, row: usize, weights: &[f32]) {
        let Some(row) = self.0.get_mut(row) else { return };
        if row.seen.attention.len() <= layer {
            row.seen.attention.push(vec![0.0; weights.len()]);
            row.seen.heads = 0;
        }
        row.seen.heads += 1;
        if let Some(sums) = row.seen.attention.get_mut(layer) {
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
        }
    }
}
