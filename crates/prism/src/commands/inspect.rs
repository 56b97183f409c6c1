//! `prism inspect`: what a checkpoint is, without running it.

use std::collections::BTreeMap;

use prism_audit::text::table;
use prism_model::Config;
use prism_model::config::HeadKind;
use prism_model::memory::needs;
use prism_model::preprocess::{Grid, ImageProcessor, Preprocessor};
use prism_model::tensor::DType;
use prism_record::Inspection;
use prism_run::{TrainedLengths, as_text, lengths, shown};
use serde_json::{Value, json};

use super::answers::Chosen as Answers;
use super::images::ImageSettings;
use super::opened::locate_as;
use crate::Context;
use crate::cli::InspectArguments;
use crate::exit::ExitStatus;
use crate::machine::gibibytes;

/// Sides of the square images that memory is told for, besides the checkpoint's limits.
const SIDES: [usize; 5] = [112, 224, 448, 896, 1792];
/// Tokens of a question with its options and the chat's own.
const TEXT_TOKENS: usize = 128;
/// Types of weights and activations that memory is told for.
const DTYPES: [DType; 2] = [DType::F32, DType::BF16];

/// Runs the verb.
pub fn run(arguments: InspectArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let found = prism_record::inspect(&locate_as(&arguments.checkpoint, &arguments.source, context)?)?;
    context.printer.result(&describe(&found));
    context.printer.result_json(&as_json(&found))?;
    for line in found.notes.iter().chain(&found.faults) {
        context.printer.warn(&shown(line));
    }
    Ok(if found.faults.is_empty() { ExitStatus::Success } else { ExitStatus::Input })
}

/// Numbers in the vision tower, the language model, the latent head.
fn parts(found: &Inspection) -> [(&'static str, usize); 3] {
    let below = |prefixes: &[&str]| {
        let of = found.parameters.iter().filter(|p| prefixes.iter().any(|prefix| p.name.starts_with(prefix)));
        of.fold(0usize, |n, p| n.saturating_add(p.count()))
    };
    [
        ("vision", below(&["model.visual."])),
        ("language", below(&["model.language_model.", "lm_head."])),
        ("latent head", below(&["lvr_head."])),
    ]
}

fn parameters(found: &Inspection) -> usize {
    found.parameters.iter().fold(0, |n, p| n.saturating_add(p.count()))
}

/// Numbers by the dtype they are stored in.
fn stored(found: &Inspection) -> BTreeMap<&str, usize> {
    let mut stored = BTreeMap::new();
    for parameter in &found.parameters {
        if let Some(dtype) = &parameter.stored {
            *stored.entry(dtype.as_str()).or_default() += parameter.count();
        }
    }
    stored
}

/// The rules that read the answers; none are told where the protocol is not known.
fn answers(found: &Inspection) -> Option<String> {
    found.protocol.as_ref().ok().map(|protocol| Answers::of(None, protocol.as_ref(), None).answers.to_string())
}

/// The latent protocol in one line; what the tokens and the configuration say.
fn protocol(found: &Inspection, config: &Config) -> String {
    let protocol = match &found.protocol {
        Err(why) => return why.clone(),
        Ok(None) => return "none: the model has no latent block that Prism knows; --protocol names another".into(),
        Ok(Some(protocol)) => protocol,
    };
    let block = match (protocol.id.as_str(), config.latent.include_free_stage) {
        ("lvr", _) => "lvr: one block, opened by <|lvr_start|>".to_string(),
        ("p-lvr", false) => "p-lvr-2: a context and a target block".into(),
        ("p-lvr", true) => format!("p-lvr-3: a context block, {} free tokens, a target block", config.latent.num_free_tokens),
        ("ivtlr" | "colt", _) => format!("{}: latents after the prompt", protocol.id),
        (id, _) => format!("{id}: opened by {}", protocol.blocks.iter().map(|block| block.start.as_str()).collect::<Vec<_>>().join(", ")),
    };
    let latent = found.prompter.as_ref().and_then(|prompter| prompter.latent());
    let fed = match config.latent.head {
        None => "the last hidden state is fed back",
        Some(HeadKind::Simple) => "the last hidden state is fed back through a head (simple)",
        Some(HeadKind::Glu) => "the last hidden state is fed back through a head (glu)",
    };
    let end = if latent.is_some_and(|latent| latent.latent_end.is_some()) { "; it has <|lvr_latent_end|>" } else { "" };
    format!("{block}; {fed}{end}")
}

/// With what lengths of blocks it was trained; `None` where it does not say. Nonsense is a fault.
fn trained(config: &Config) -> Option<TrainedLengths> {
    config.latent_lengths().ok().flatten()
}

/// Token and id, in order of id.
fn special_tokens(found: &Inspection, config: &Config) -> Vec<(u32, String)> {
    let Some(prompter) = &found.prompter else { return Vec::new() };
    let tokenizer = prompter.tokenizer();
    let mut ids: Vec<u32> = vec![config.image_token_id, config.vision_start_token_id];
    ids.extend([config.video_token_id, config.vision_end_token_id, config.eos_token_id, config.pad_token_id].into_iter().flatten());
    ids.push(prompter.turn_end());
    ids.extend(["<|im_start|>"].iter().filter_map(|token| tokenizer.token_id(token)));
    ids.extend(found.tokens.iter().flat_map(|tokens| tokens.stops.iter().copied()));
    let latent = &config.latent;
    let named = [
        latent.lvr_start_id,
        latent.lvr_id,
        latent.lvr_latent_end_id,
        latent.lvr_end_id,
        latent.ctx_start_id,
        latent.ctx_end_id,
        latent.free_start_id,
        latent.free_end_id,
        latent.tgt_start_id,
        latent.tgt_end_id,
        latent.free_id,
    ];
    ids.extend(named.into_iter().flatten());
    ids.extend(prompter.latent().iter().flat_map(|l| [l.block.start, l.lvr, l.block.end]));
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(|id| (id, tokenizer.token(id).unwrap_or_else(|| "(no token)".into()))).collect()
}

/// Image sizes that memory is told for, by what they are called, each with its patches.
fn sizes(preprocessor: &Preprocessor) -> Vec<(String, Grid)> {
    let pixels = &preprocessor.config;
    let square = |side: usize| preprocessor.grid(side, side).ok();
    // A square of as many pixels as the limit allows.
    let side = |limit: usize| (limit as f64).sqrt() as usize;
    let mut sizes: Vec<(String, Grid)> = Vec::new();
    let least = square(side(pixels.min_pixels)).map(|grid| ("smallest".to_string(), grid));
    let most = square(side(pixels.max_pixels)).map(|grid| ("largest".to_string(), grid));
    let fixed = SIDES.into_iter().filter_map(|side| Some((format!("{side} x {side}"), square(side)?)));
    for (name, grid) in least.into_iter().chain(fixed).chain(most) {
        if sizes.iter().all(|(_, known)| *known != grid) {
            sizes.push((name, grid));
        }
    }
    sizes.sort_by_key(|(_, grid)| grid.patches());
    sizes
}

fn memory(found: &Inspection) -> Vec<Value> {
    let (Some(config), Some(preprocessor)) = (&found.config, &found.preprocessor) else { return Vec::new() };
    let mut rows = Vec::new();
    for (name, grid) in sizes(preprocessor) {
        let mut row = json!({ "image": name, "visual_tokens": grid.tokens(config.vision.spatial_merge_size) });
        for dtype in DTYPES {
            let needs = needs(config, parameters(found), dtype, grid, TEXT_TOKENS);
            row[dtype.as_str()] =
                json!({ "total": needs.total(), "weights": needs.weights, "prefix": needs.prefix, "working": needs.working });
        }
        rows.push(row);
    }
    rows
}

fn as_json(found: &Inspection) -> Value {
    let Some(config) = &found.config else { return json!({ "folder": as_text::of(&found.folder), "faults": found.faults }) };
    let parts: BTreeMap<&str, usize> = parts(found).into();
    let tokens: BTreeMap<String, u32> = special_tokens(found, config).into_iter().map(|(id, token)| (token, id)).collect();
    json!({
        "folder": as_text::of(&found.folder),
        "family": config.family.model_type,
        "config": config.to_value(),
        "parameters": { "total": parameters(found), "parts": parts, "stored": stored(found), "bytes": found.bytes },
        "special_tokens": tokens,
        "stops": found.tokens.as_ref().map(|tokens| &tokens.stops),
        "protocol": protocol(found, config),
        "answers": answers(found),
        "staged": config.is_staged(),
        "trained_lengths": trained(config),
        "image_processor": found.preprocessor.as_ref().map(|p| json!({
            "saved": p.config.saved.class,
            "as-saved": ImageProcessor::AsSaved.of(&p.config.saved),
            "named": ImageProcessor::Named.of(&p.config.saved),
            "runs": ImageSettings::default().choice(found.protocol.as_ref().ok().and_then(Option::as_ref)).of(&p.config.saved),
        })),
        "pixels": found.preprocessor.as_ref().map(|p| [p.config.min_pixels, p.config.max_pixels]),
        "memory": memory(found),
        "faults": found.faults,
        "notes": found.notes,
    })
}

fn describe(found: &Inspection) -> String {
    let mut lines = vec![format!("checkpoint  {}", found.folder.display())];
    let Some(config) = &found.config else { return lines.remove(0) };
    let (text, vision) = (&config.text, &config.vision);
    let million = |n: usize| format!("{:.2} M", n as f64 / 1e6);
    let parts: Vec<String> = parts(found).into_iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{name} {}", million(n))).collect();
    let stored: Vec<String> = stored(found).into_iter().map(|(dtype, n)| format!("{} as {dtype}", million(n))).collect();
    lines.push(format!("family      {}", config.family.model_type));
    lines.push(format!("language    {} layers of {}, inner {}", text.num_hidden_layers, text.hidden_size, text.intermediate_size));
    lines.push(format!(
        "            {} heads of {}, {} for keys and values; {} tokens, output matrix {}",
        text.num_attention_heads,
        text.head_dim,
        text.num_key_value_heads,
        text.vocab_size,
        if config.tie_word_embeddings { "tied" } else { "its own" }
    ));
    lines.push(format!(
        "vision      {} blocks of {}, inner {}, {} heads; patches of {}, {} x {} to a token",
        vision.depth,
        vision.hidden_size,
        vision.intermediate_size,
        vision.num_heads,
        vision.patch_size,
        vision.spatial_merge_size,
        vision.spatial_merge_size
    ));
    for (key, numbers) in vision.own.iter() {
        let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
        lines.push(format!("            {key} {}", numbers.join(", ")));
    }
    lines.push(format!("parameters  {}: {}", million(parameters(found)), parts.join(", ")));
    lines.push(format!("stored      {}, {} in all", stored.join(", "), gibibytes(found.bytes as u64)));
    if let Some(preprocessor) = &found.preprocessor {
        let pixels = &preprocessor.config;
        let token = (pixels.patch_size * pixels.merge_size).pow(2).max(1);
        let (least, most) = (pixels.min_pixels / token, pixels.max_pixels / token);
        lines.push(format!("images      {} to {} pixels, about {least} to {most} tokens", pixels.min_pixels, pixels.max_pixels));
        // The one that a run of this checkpoint takes where nothing is asked for.
        let protocol = found.protocol.as_ref().ok().and_then(Option::as_ref);
        lines.push(format!("            {}", shown(&ImageSettings::default().in_words(preprocessor, protocol))));
    }
    lines.push(format!("protocol    {}", shown(&protocol(found, config))));
    lines.extend(answers(found).map(|rules| format!("answers     read by {rules}, where nothing else is asked for")));
    lines.push(format!("trained     block lengths: {}", lengths::in_words(trained(config).as_ref())));
    if let Some(tokens) = &found.tokens {
        lines.push(format!("stops at    {:?}", tokens.stops));
    }
    for (id, token) in special_tokens(found, config) {
        lines.push(format!("token       {id:>8}  {}", shown(&token)));
    }
    let memory = memory(found);
    if !memory.is_empty() {
        let cell = |row: &Value, dtype: DType, key: &str| row[dtype.as_str()][key].as_u64().map_or("unknown".into(), gibibytes);
        let rows: Vec<Vec<String>> = memory
            .iter()
            .map(|row| {
                let name = row["image"].as_str().unwrap_or_default().to_string();
                let sizes = DTYPES.iter().flat_map(|&dtype| [cell(row, dtype, "total"), cell(row, dtype, "working")]);
                [name, row["visual_tokens"].to_string()].into_iter().chain(sizes).collect()
            })
            .collect();
        lines.push(format!("\nmemory for one image and {TEXT_TOKENS} tokens of text, estimated from the sizes:"));
        lines.push(table(&["image", "tokens", "f32", "of it working", "bf16", "of it working"], &rows).trim_end().to_string());
    }
    lines.join("\n")
}
