//! A checkpoint folder looked at without running it: what it holds, and everything
//! that is wrong with it. Of the weights only headers are read ([`prism_model::checkpoint::fit`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use prism_model::checkpoint::Files;
use prism_model::checkpoint::fit::{Fit, Parameter, compare, misfits};
use prism_model::preprocess::Preprocessor;
use prism_model::prompt::Prompter;
use prism_model::tokenizer::Tokenizer;
use prism_model::{Config, Error, Result};
use prism_run::Protocol;

use crate::decode::{ControlTokens, detect};

/// What a folder holds.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The folder.
    pub folder: PathBuf,
    /// The configuration, if it is one.
    pub config: Option<Config>,
    /// The weights it asks for; empty without a configuration.
    pub parameters: Vec<Parameter>,
    /// Bytes of the weights' files.
    pub bytes: usize,
    /// The tokenizer with the chat's and the latent block's tokens, if it fits the model.
    pub prompter: Option<Prompter>,
    /// The latent protocol whose tokens it has, if any; or why none can be told.
    pub protocol: std::result::Result<Option<Protocol>, String>,
    /// Start and stop tokens, if they are known.
    pub tokens: Option<ControlTokens>,
    /// The image preprocessing, if it fits the model.
    pub preprocessor: Option<Preprocessor>,
    /// Everything that is wrong, one line each: nothing for a checkpoint that can be run.
    pub faults: Vec<String>,
    /// What stops nothing and should be known, one line each.
    pub notes: Vec<String>,
    /// Where the weights are quantised: that alone is to be told.
    quantised: Option<(PathBuf, String)>,
}

impl Inspection {
    /// The folder's faults as one error, if there are any.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] listing all of them.
    pub fn refuse(&self) -> Result<()> {
        if let Some((path, scheme)) = &self.quantised {
            return Err(Error::Quantised { path: path.clone(), scheme: scheme.clone() });
        }
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(Error::Checkpoint { path: self.folder.clone(), problems: self.faults.clone() })
    }
}

/// Looks at the folder.
///
/// # Errors
/// It is no folder, or a file in it is there and cannot be opened.
pub fn inspect(folder: &Path) -> Result<Inspection> {
    if !folder.is_dir() {
        return Err(Error::content(folder, "no such checkpoint folder", "give the folder that holds config.json"));
    }
    let files = Arc::new(Files::open(folder)?);
    let mut faults = Vec::new();
    let mut note = |e: Error| faults.push(within(folder, &e.to_string()));
    let config = match Config::open(folder) {
        Err(Error::Quantised { path, scheme }) => return Ok(of_quantised(folder, &files, path, scheme)),
        other => other.map_err(&mut note).ok(),
    };
    let preprocessor = Preprocessor::from_dir(folder).map_err(|e| note(e.into())).ok();
    let mut protocol = Ok(None);
    let (prompter, tokens) = match &config {
        Some(config) => {
            let prompter = Tokenizer::from_dir(folder).map_err(Error::from).and_then(|t| Prompter::new(config.clone(), t));
            let prompter = prompter.map_err(&mut note).ok();
            let tokens = prompter.as_ref().and_then(|prompter| {
                let tokenizer = prompter.tokenizer();
                // Two protocols in one checkpoint are no fault of it: the user names one.
                protocol = detect(config, tokenizer).map_err(|e| e.to_string());
                let found = protocol.as_ref().ok().and_then(Option::as_ref);
                ControlTokens::read(folder, config, tokenizer, found).map_err(&mut note).ok()
            });
            (prompter, tokens)
        }
        None => {
            Tokenizer::from_dir(folder).map_err(|e| note(e.into())).ok();
            (None, None)
        }
    };
    if let Some(Err(nonsense)) = config.as_ref().map(Config::latent_lengths) {
        faults.push(nonsense.to_string());
    }
    if let (Some(config), Some(preprocessor)) = (&config, &preprocessor) {
        faults.extend(misfits(config, &preprocessor.config));
    }
    let mut notes = Vec::new();
    let parameters = match &config {
        Some(config) => {
            let Fit { parameters, problems, notes: told } = compare(config, &files)?;
            faults.extend(problems);
            notes = told;
            parameters
        }
        None => {
            faults.extend(files.problems.iter().cloned());
            Vec::new()
        }
    };
    Ok(Inspection {
        folder: folder.to_path_buf(),
        config,
        parameters,
        bytes: files.bytes(),
        prompter,
        protocol,
        tokens,
        preprocessor,
        faults,
        notes,
        quantised: None,
    })
}

/// A folder of quantised weights: what else is wrong with it follows from that.
fn of_quantised(folder: &Path, files: &Files, path: PathBuf, scheme: String) -> Inspection {
    let told = Error::Quantised { path: path.clone(), scheme: scheme.clone() }.to_string();
    Inspection {
        folder: folder.to_path_buf(),
        config: None,
        parameters: Vec::new(),
        bytes: files.bytes(),
        prompter: None,
        protocol: Ok(None),
        tokens: None,
        preprocessor: None,
        faults: vec![within(folder, &told)],
        notes: Vec::new(),
        quantised: Some((path, scheme)),
    }
}

/// A message without the folder's own path at its head, which heads the list.
fn within(folder: &Path, message: &str) -> String {
    let rest = message.strip_prefix(&folder.display().to_string());
    rest.and_then(|rest| rest.strip_prefix('/').or(rest.strip_prefix(": "))).unwrap_or(message).to_string()
}
