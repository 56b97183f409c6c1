//! The chat template: how messages become one text, as `AutoProcessor.apply_chat_template` of transformers renders it.
//!
//! Templates are written for Jinja2 with transformers' additions; [`dialect`] and [`python`] are what MiniJinja, which
//! renders them here, does otherwise. [`special`] finds the special tokens that a template is given by name.

mod dialect;
mod guard;
mod map;
mod namespaces;
mod python;
mod special;
mod texts;
mod title;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use prism_run::{Error, Result};
use serde::Deserialize;

use self::map::Map;
use super::files;

/// Instructions a template may run: far more than a real one needs, few enough to stop a loop.
const FUEL: u64 = 5_000_000;

/// Bytes of a chat at most: four of the longest questions.
const LONGEST: usize = 4 << 20;

/// Part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// One image.
    Image,
    /// A text.
    Text(String),
}

/// What stands behind the last message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// What has the assistant begin.
    Assistant,
    /// Nothing.
    No,
}

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// Images and texts, in order.
    pub content: Vec<Content>,
}

impl Message {
    /// A user's message: `images` images, then the text.
    pub fn user(images: usize, text: &str) -> Self {
        let mut content = vec![Content::Image; images];
        content.push(Content::Text(text.into()));
        Self { role: "user".into(), content }
    }

    /// A user's message with its images between two texts, of which an empty one is left out.
    pub fn user_around(before: &str, images: usize, behind: &str) -> Self {
        let text = |text: &str| (!text.is_empty()).then(|| Content::Text(text.into()));
        let content = text(before).into_iter().chain(vec![Content::Image; images]).chain(text(behind));
        Self { role: "user".into(), content: content.collect() }
    }

    /// What the model is told before the chat.
    pub fn system(text: &str) -> Self {
        Self { role: "system".into(), content: vec![Content::Text(text.into())] }
    }

    /// As a template sees it: `{"role": .., "content": [{"type": "image"}, {"type": "text", "text": ..}]}`.
    fn value(&self) -> Value {
        let part = |content: &Content| match content {
            Content::Image => Map::value([("type", "image".into())]),
            Content::Text(text) => Map::value([("type", "text".into()), ("text", text.as_str().into())]),
        };
        Map::value([("role", self.role.as_str().into()), ("content", self.content.iter().map(part).collect())])
    }
}

/// A compiled chat template.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    environment: Arc<Environment<'static>>,
    /// What it is given besides messages: the special tokens by name.
    given: Vec<(String, Value)>,
    path: PathBuf,
    /// Whether it filled memory once.
    given_up: Arc<AtomicBool>,
}

#[derive(Deserialize)]
struct Holder {
    chat_template: Option<Source>,
}

/// A template, or several by name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Source {
    One(String),
    Named(Vec<Named>),
    Listed(BTreeMap<String, String>),
}

#[derive(Deserialize)]
struct Named {
    name: String,
    template: String,
}

const NAME: &str = "chat";
/// The template that is meant where there are several.
const DEFAULT: &str = "default";
const REMEDY: &str = "use the template of a Qwen-VL checkpoint";

impl ChatTemplate {
    /// The template of a checkpoint folder, in transformers' order: the key in `processor_config.json`, else
    /// `chat_template.json`, else `chat_template.jinja`, else the key in `tokenizer_config.json`, which is the tokenizer's
    /// and stands in where the processor has none.
    ///
    /// # Errors
    /// When none of them has one, or it is empty or malformed.
    pub fn from_dir(folder: &Path) -> Result<Self> {
        let (text, path) = Self::source(folder)?;
        let template = Self::new(text, &path)?;
        Ok(Self { given: special::tokens(folder)?, ..template })
    }

    /// Its source, and the file that has it.
    fn source(folder: &Path) -> Result<(String, PathBuf)> {
        for name in ["processor_config.json", "chat_template.json", "chat_template.jinja", "tokenizer_config.json"] {
            let path = folder.join(name);
            if name.ends_with(".jinja") {
                if path.exists() {
                    return Ok((files::read_text(&path)?, path));
                }
                continue;
            }
            let source = files::read_json_if_any::<Holder>(&path)?.and_then(|holder| holder.chat_template);
            let text = match source {
                Some(Source::One(text)) => Some(text),
                Some(Source::Named(all)) => all.into_iter().find(|t| t.name == DEFAULT).map(|t| t.template),
                Some(Source::Listed(mut all)) => all.remove(DEFAULT),
                None => None,
            };
            if let Some(text) = text {
                return Ok((text, path));
            }
        }
        Err(Error::content(folder, "the folder has no chat template", "copy chat_template.jinja or chat_template.json into it"))
    }

    /// Compiles a template, which is given no special tokens; `path` names it in messages.
    ///
    /// # Errors
    /// When the template is empty or malformed.
    pub fn new(text: String, path: &Path) -> Result<Self> {
        if text.trim().is_empty() {
            return Err(Error::content(path, "the chat template is empty: every prompt would be", REMEDY));
        }
        guard::check_length(&text, path)?;
        if let Some(cause) = namespaces::misused(&text) {
            return Err(Error::content(path, format!("the chat template {cause}"), REMEDY));
        }
        let given_up = Arc::new(AtomicBool::new(false));
        let of = path.to_path_buf();
        let environment = guard::guarded(path, &given_up, move || compiled(&text, &of))?;
        Ok(Self { environment: Arc::new(environment), given: Vec::new(), path: path.to_path_buf(), given_up })
    }

    /// The chat's text, ready for the assistant to answer.
    ///
    /// # Errors
    /// When the template fails, refuses the messages or runs too long.
    pub fn render(&self, messages: &[Message]) -> Result<String> {
        self.render_until(messages, Begins::Assistant)
    }

    /// The chat's text, with or without what has the assistant begin.
    ///
    /// # Errors
    /// As [`ChatTemplate::render`].
    pub fn render_until(&self, messages: &[Message], begins: Begins) -> Result<String> {
        let messages: Value = messages.iter().map(Message::value).collect();
        let own = [
            ("messages", messages),
            ("tools", Value::from(())),
            ("documents", Value::from(())),
            ("add_generation_prompt", (begins == Begins::Assistant).into()),
        ];
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
        let context = Map::value(own.chain(self.given.iter().cloned()));
        let (environment, path) = (self.environment.clone(), self.path.clone());
        let text = guard::guarded(&self.path, &self.given_up, move || {
            let template = environment.get_template(NAME).map_err(|e| malformed(&path, &e))?;
            template.render(context).map_err(|e| malformed(&path, &e))
        })?;
        if text.len() > LONGEST {
            let cause = format!("the chat template makes a text of {} bytes, more than {LONGEST}", text.len());
            return Err(Error::content(&self.path, cause, REMEDY));
        }
        Ok(text)
    }
}

/// The template in the environment it runs in.
fn compiled(text: &str, path: &Path) -> Result<Environment<'static>> {
    let mut environment = Environment::new();
    // White space as transformers' own environment treats it.
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(|e| malformed(path, &e))?;
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_fuel(Some(FUEL));
    // Nothing is escaped, whatever the file is called.
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    python::add(&mut environment);
    texts::add(&mut environment);
    environment.add_template_owned(NAME, dialect::adapted(text)).map_err(|e| malformed(path, &e))?;
    Ok(environment)
}

fn malformed(path: &Path, cause: &minijinja::Error) -> Error {
    Error::content(path, format!("the chat template fails: {cause}"), REMEDY)
}
