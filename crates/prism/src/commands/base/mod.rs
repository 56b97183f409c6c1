//! `prism base`: the small base model, from nothing: tokenizer, vision tower on dense
//! labels, language model on the frozen tower.

mod recipe;
mod scenes;

use std::path::{Path, PathBuf};

use prism_data::world::language::sentences;
use prism_model::preprocess::PixelConfig;
use prism_model::tensor::{DType, Trainable};
use prism_model::tokenizer::{Tokenizer, files, make};
use prism_model::{Config, Model};
use prism_run::folder::{self, PartialFolder};
use prism_run::{as_text, shown};
use prism_train::dense::DenseTask;
use prism_train::start::{Opened, Opening};
use prism_train::train::TrainRequest;
use prism_train::{Surroundings, TrainConfig, trainer};

use self::recipe::{BaseRecipe, LanguageStage};
use super::opened::locate;
use crate::Context;
use crate::cli::BaseArguments;
use crate::exit::ExitStatus;

/// Rows of the embedding kept free for the latent tokens of every variant.
const SPARE_ROWS: usize = 16;

/// Scenes a stage is measured on.
const HELD_OUT: usize = 200;

/// What making a base needs.
pub struct BasePlan {
    recipe: BaseRecipe,
    out: PathBuf,
    from: Option<PathBuf>,
    untrained: bool,
}

impl BasePlan {
    /// Reads the recipe at `path`; the checkpoint goes to `out`.
    ///
    /// # Errors
    /// When the recipe cannot be read or a key is wrong.
    pub fn read(path: &Path, out: PathBuf) -> anyhow::Result<Self> {
        Ok(Self { recipe: BaseRecipe::read(path)?, out, from: None, untrained: false })
    }

    /// Where the stages' run folders lie.
    fn work(&self) -> PathBuf {
        let mut name = self.out.file_name().unwrap_or_default().to_os_string();
        name.push(".stages");
        self.out.with_file_name(name)
    }
}

/// Runs the verb.
pub fn run(arguments: BaseArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let from = arguments.from.map(|name| locate(&name, context)).transpose()?;
    let plan = BasePlan { from, untrained: arguments.untrained, ..BasePlan::read(&arguments.recipe, arguments.out)? };
    context.printer.narrate(&context.hardware.line());
    make_base(&plan, context)?;
    context.printer.result(&format!("checkpoint {}", plan.out.display()));
    context.printer.result_json(&serde_json::json!({ "checkpoint": as_text::of(&plan.out) }))?;
    Ok(ExitStatus::Success)
}

/// Makes the base unless it is there; a stopped run goes on at its last checkpoint.
pub fn make_base(plan: &BasePlan, context: &Context) -> anyhow::Result<()> {
    let _lock = context.lock_beside(&plan.out)?;
    if plan.out.join("config.json").exists() {
        context.printer.narrate(&format!("base: {} is there already", plan.out.display()));
        // What a kill between the last two steps left.
        return Ok(folder::remove(&plan.work())?);
    }
    if plan.untrained {
        let finished = PartialFolder::create(&plan.out)?;
        first_weights(plan, finished.path(), context)?.save(finished.path())?;
        return Ok(finished.finish()?);
    }
    let mut checkpoint = match &plan.from {
        Some(checkpoint) => checkpoint.clone(),
        None => tower(plan, context)?,
    };
    for (index, stage) in plan.recipe.language.iter().enumerate() {
        checkpoint = language(plan, index, stage, &checkpoint, context)?;
    }
    let finished = PartialFolder::create(&plan.out)?;
    files::copy(&checkpoint, finished.path())?;
    let model = Model::open(&checkpoint, &context.hardware.device, DType::F32, Trainable::No)?;
    model.save(finished.path())?;
    finished.finish()?;
    Ok(folder::remove(&plan.work())?)
}

fn budget(train: &TrainConfig, context: &Context) -> anyhow::Result<TrainConfig> {
    let config = TrainConfig { workers: context.hardware.threads, ..train.clone() };
    Ok(config.check()?)
}

/// Tokenizer, first weights, and the vision tower's stage.
fn tower(plan: &BasePlan, context: &Context) -> anyhow::Result<PathBuf> {
    let (recipe, stage) = (&plan.recipe, &plan.recipe.tower);
    let work = plan.work();
    let config = budget(&stage.train, context)?;
    let run = work.join("tower");
    folder::repair(&run)?;
    let scenes = scenes::draw(&recipe.world, stage.objects, stage.scenes, 0, &work.join("scenes/tower"))?;
    let examples = scenes::dense(&scenes, &recipe.world);
    let heads = scenes::heads(&recipe.world);

    let start = prism_train::state::checkpoints(&run)?.last().map(|step| prism_train::state::checkpoint_folder(&run, *step));
    let opening = Opening { device: &context.hardware.device, dtype: DType::F32, trainable: Trainable::All, scratch: run.join("files") };
    let opened = match &start {
        Some(folder) => Opened::open(folder, None, &config, &opening)?,
        None => {
            let tokens = work.join("tokenizer");
            let model = first_weights(plan, &tokens, context)?;
            Opened::with_model(model, &tokens, None, &config, &opening)?
        }
    };
    let mut task = DenseTask::new(opened, &examples, heads, &config, start.as_deref())?;
    let around = Surroundings { folder: &run, progress: &context.printer, cancel: &context.cancel };
    let outcome = trainer::run(&mut task, &config, start.as_deref(), around)?;

    let fresh = scenes::draw(&recipe.world, stage.objects, 200, stage.scenes, &work.join("scenes/tower-held-out"))?;
    let workers = prism_train::Workers::new(context.hardware.threads)?;
    for (head, share) in task.accuracies(&scenes::dense(&fresh, &recipe.world), &workers)? {
        context.printer.narrate(&format!("tower: {head} of unseen tokens told right: {:.1} %", 100.0 * share));
    }
    Ok(outcome.checkpoint)
}

fn first_weights(plan: &BasePlan, tokens: &Path, context: &Context) -> anyhow::Result<Model> {
    std::fs::create_dir_all(tokens).map_err(|e| prism_run::Error::io("cannot create folder", tokens, e))?;
    let said = sentences();
    let rows = make::make(tokens, said.iter().map(String::as_str), &PixelConfig::default())?;
    let tokenizer = Tokenizer::from_dir(tokens)?;
    let vocab_size = (rows + SPARE_ROWS).next_multiple_of(16);
    let config = plan.recipe.model.config(vocab_size, |token| tokenizer.require(token))?;
    let config = Config::from_value(config, &tokens.join("config.json"))?;
    Ok(Model::random(config, plan.recipe.seed, &context.hardware.device, Trainable::All)?)
}

/// One stage of the language model.
fn language(plan: &BasePlan, index: usize, stage: &LanguageStage, base: &Path, context: &Context) -> anyhow::Result<PathBuf> {
    let recipe = &plan.recipe;
    let work = plan.work();
    let config = budget(&stage.train, context)?;
    // Every stage has scenes of its own.
    let first = 1_000_000 * (index + 1);
    let scenes = scenes::draw(&recipe.world, stage.objects, stage.scenes, first, &work.join("scenes").join(&stage.name))?;
    let records = scenes::records(&scenes, &recipe.world, stage, recipe.seed)?;
    let run = work.join(&stage.name);
    folder::repair(&run)?;
    let request = TrainRequest {
        config: &config,
        variant: None,
        name: &stage.name,
        records: &records,
        base,
        continues: None,
        device: &context.hardware.device,
        dtype: DType::F32,
    };
    let around = Surroundings { folder: &run, progress: &context.printer, cancel: &context.cancel };
    let checkpoint = prism_train::train::train(request, around)?.checkpoint;
    held_out(plan, stage, &checkpoint, &config, context)?;
    Ok(checkpoint)
}

/// Tells what the model answers after a stage, on unseen scenes as full as the world's.
fn held_out(plan: &BasePlan, stage: &LanguageStage, checkpoint: &Path, config: &TrainConfig, context: &Context) -> anyhow::Result<()> {
    let recipe = &plan.recipe;
    let folder = plan.work().join("scenes/held-out");
    let objects = recipe.world.objects;
    let fresh = scenes::draw(&recipe.world, [objects, objects], HELD_OUT, 1_000_000 * (plan.recipe.language.len() + 1), &folder)?;
    let records = scenes::records(&fresh, &recipe.world, &scenes::exam(stage), recipe.seed)?;
    let scratch = plan.work().join("held-out-files");
    let opening = Opening { device: &context.hardware.device, dtype: DType::F32, trainable: Trainable::No, scratch };
    let opened = Opened::open(checkpoint, None, config, &opening)?;
    let workers = prism_train::Workers::new(context.hardware.threads)?;
    let told = prism_train::told(&opened, &records, None, kind_of, &workers)?;
    let told: Vec<String> = told.into_iter().map(|(what, (count, share))| format!("{what} {:.1} % of {count}", 100.0 * share)).collect();
    context.printer.narrate(&format!("{}: unseen questions answered: {}", shown(&stage.name), told.join(", ")));
    Ok(())
}

/// The kind of turn that a record's id tells.
fn kind_of(id: &str) -> &str {
    id.split('/').nth(1).unwrap_or(id)
}
