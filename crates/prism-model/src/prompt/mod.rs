//! From an example to the tokens the model reads (method, section 2).
//!
//! [`Prompter`] renders the chat, expands each `<|image_pad|>` to its image's merged
//! tokens and says where everything is; [`sample`] lays out a training record with
//! its latent blocks.

pub mod sample;

use std::path::Path;

use prism_run::Example;
use prism_run::protocol::{IMAGE, ImagesAt, Positions, PromptLayout};

use crate::config::Config;
use crate::preprocess::Grid;
use crate::tokenizer::template::{Begins, Message};
use crate::tokenizer::{LatentTokens, Tokenizer};
use crate::{Error, Result};

pub use sample::{BlockLayout, FreeRun, LatentPosition, LatentRun, TrainingSample};

/// A prompt as token ids, and where its parts are.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// Token ids that are run, image tokens expanded.
    pub ids: Vec<u32>,
    /// Tokens behind them, where a protocol has latents stand in the prompt.
    pub standing: Vec<u32>,
    /// Rotary position (temporal, height, width) of each token.
    pub positions: Vec<[u32; 3]>,
    /// Position of the token that follows.
    pub next_position: u32,
    /// Sizes of the images in patches, in order.
    pub grids: Vec<Grid>,
    /// Index of each image token; the k-th takes the k-th row of the images' visual tokens.
    pub image_tokens: Vec<usize>,
    /// Indices of the user turns' text tokens, the role's name included, image and other
    /// special tokens not: what `question_mean` averages over.
    pub question_tokens: Vec<usize>,
}

impl Prompt {
    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// Ids of the tokens that structure a chat.
#[derive(Debug, Clone)]
struct ChatTokens {
    turn_start: u32,
    turn_end: u32,
    vision_start: u32,
    vision_end: u32,
    image_pad: u32,
    user: Vec<u32>,
}

/// Builds prompts and training samples for one checkpoint.
#[derive(Debug, Clone)]
pub struct Prompter {
    config: Config,
    tokenizer: Tokenizer,
    latent: Option<LatentTokens>,
    chat: ChatTokens,
    layout: PromptLayout,
    standing: Vec<u32>,
    looks: bool,
}

impl Prompter {
    /// Reads configuration and tokenizer of a checkpoint folder.
    ///
    /// # Errors
    /// When a file is missing or malformed, or the two contradict each other.
    pub fn from_dir(folder: &Path) -> Result<Self> {
        Self::new(Config::open(folder)?, Tokenizer::from_dir(folder)?)
    }

    /// For a configuration and its tokenizer.
    ///
    /// # Errors
    /// When they contradict each other, or the chat's tokens are missing.
    pub fn new(config: Config, tokenizer: Tokenizer) -> Result<Self> {
        let latent = LatentTokens::resolve(&config.latent, &tokenizer)?;
        let chat = ChatTokens {
            turn_start: tokenizer.require("<|im_start|>")?,
            turn_end: tokenizer.require("<|im_end|>")?,
            vision_start: tokenizer.require("<|vision_start|>")?,
            vision_end: tokenizer.require("<|vision_end|>")?,
            image_pad: tokenizer.require("<|image_pad|>")?,
            user: tokenizer.encode("user\n")?,
        };
        if chat.image_pad != config.image_token_id {
            let cause = format!("config.json says image_token_id = {}, the tokenizer says {}", config.image_token_id, chat.image_pad);
            return Err(Error::content(tokenizer.folder(), cause, "take both from the same checkpoint"));
        }
        if chat.vision_start != config.vision_start_token_id {
            let (said, has) = (config.vision_start_token_id, chat.vision_start);
            let cause =
                format!("config.json says vision_start_token_id = {said}, the tokenizer says {has}: images would have no positions");
            return Err(Error::content(tokenizer.folder(), cause, "take both from the same checkpoint"));
        }
        if tokenizer.len() > config.text.vocab_size {
            let cause = format!("the tokenizer has {} tokens, the model {} embedding rows", tokenizer.len(), config.text.vocab_size);
            return Err(Error::content(tokenizer.folder(), cause, "take both from the same checkpoint"));
        }
        Ok(Self { config, tokenizer, latent, chat, layout: PromptLayout::default(), standing: Vec::new(), looks: false })
    }

    /// The same with a protocol's layout of prompts: tokens that stand for latents behind each, and
    /// whether the attention of its last token is asked for.
    #[must_use]
    pub fn laid_out(self, layout: PromptLayout, standing: Vec<u32>, looks: bool) -> Self {
        Self { layout, standing, looks, ..self }
    }

    /// Whether a protocol asks what a prompt's last token attends to.
    pub fn looks(&self) -> bool {
        self.looks
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The latent block's tokens; `None` for a base model.
    pub fn latent(&self) -> Option<&LatentTokens> {
        self.latent.as_ref()
    }

    /// The id that ends a turn, `<|im_end|>`: decoding stops at it.
    pub fn turn_end(&self) -> u32 {
        self.chat.turn_end
    }

    /// The prompt of a benchmark example; `grids`: one per image.
    ///
    /// # Errors
    /// When the images do not match the grids, or the template fails.
    pub fn example(&self, example: &Example, grids: &[Grid]) -> Result<Prompt> {
        self.question(&example.prompt, grids)
    }

    /// The prompt of a question about the images whose sizes are given: the images, then the text,
    /// where no protocol lays it out otherwise.
    ///
    /// # Errors
    /// When the text itself contains image tokens, or the template fails.
    pub fn question(&self, text: &str, grids: &[Grid]) -> Result<Prompt> {
        let chat = self.chat_text(text, grids.len())?;
        let ids = self.expand(&self.tokenizer.encode_prompt(&chat)?, grids)?;
        let (positions, next_position) = self.positions(&ids, grids)?;
        let image_tokens = self.image_tokens(&ids);
        let question_tokens = self.question_tokens(&ids);
        let standing = self.standing.clone();
        Ok(Prompt { ids, standing, positions, next_position, grids: grids.to_vec(), image_tokens, question_tokens })
    }

    /// The whole chat as text, an image marker for each image.
    fn chat_text(&self, text: &str, images: usize) -> Result<String> {
        let layout = &self.layout;
        let mut messages: Vec<Message> = layout.system.iter().map(|text| Message::system(text)).collect();
        messages.push(match (layout.images, text.split_once(IMAGE)) {
            (ImagesAt::Last, _) => Message::user_around(text, images, ""),
            (ImagesAt::Marker, Some((before, behind))) => Message::user_around(before, images, behind),
            _ => Message::user(images, text),
        });
        let begins = if layout.after.is_some() { Begins::No } else { Begins::Assistant };
        let chat = self.tokenizer.template().render_until(&messages, begins)?;
        Ok([layout.before.as_deref().unwrap_or(""), &chat, layout.after.as_deref().unwrap_or("")].concat())
    }

    /// Repeats each image token as often as its image has merged tokens.
    fn expand(&self, ids: &[u32], grids: &[Grid]) -> Result<Vec<u32>> {
        let found = ids.iter().filter(|id| **id == self.chat.image_pad).count();
        if found != grids.len() {
            return Err(Error::input(
                "prompt",
                format!("it has {found} image markers for {} images", grids.len()),
                "give one marker per image, and keep <|image_pad|> out of the text",
            ));
        }
        let mut counts = grids.iter().map(|grid| grid.tokens(self.config.vision.spatial_merge_size));
        let repeats = |id: &u32| if *id == self.chat.image_pad { counts.next().unwrap_or(1) } else { 1 };
        let expanded: Vec<(u32, usize)> = ids.iter().copied().zip(ids.iter().map(repeats)).collect();
        Ok(expanded.into_iter().flat_map(|(id, count)| std::iter::repeat_n(id, count)).collect())
    }

    fn positions(&self, ids: &[u32], grids: &[Grid]) -> Result<(Vec<[u32; 3]>, u32)> {
        if self.layout.positions == Positions::Plain {
            let count = u32::try_from(ids.len()).map_err(|_| Error::input("prompt", "is too long", "shorten it"))?;
            return Ok(((0..count).map(|at| [at; 3]).collect(), count));
        }
        let grids: Vec<[usize; 3]> = grids.iter().map(|g| [g.t, g.h, g.w]).collect();
        (self.config.family.positions)(&self.config, ids, &grids)
    }

    fn image_tokens(&self, ids: &[u32]) -> Vec<usize> {
        ids.iter().enumerate().filter(|(_, id)| **id == self.chat.image_pad).map(|(at, _)| at).collect()
    }

    fn question_tokens(&self, ids: &[u32]) -> Vec<usize> {
        let chat = &self.chat;
        let special = [chat.turn_start, chat.turn_end, chat.vision_start, chat.vision_end, chat.image_pad];
        let mut inside = false;
        let mut question = Vec::new();
        for (at, id) in ids.iter().enumerate() {
            if *id == chat.turn_start {
                inside = ids.get(at + 1..).is_some_and(|rest| rest.starts_with(&chat.user));
            } else if *id == chat.turn_end {
                inside = false;
            }
            if inside && !special.contains(id) {
                question.push(at);
            }
        }
        question
    }
}
