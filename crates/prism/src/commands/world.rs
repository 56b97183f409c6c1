//! `prism world`: draws the generated world.

use std::path::{Path, PathBuf};

use prism_data::world::{World, WorldConfig};
use prism_run::{as_text, safe_toml};

use crate::Context;
use crate::cli::WorldArguments;
use crate::exit::ExitStatus;

/// What a world needs.
pub struct WorldPlan {
    /// The checked recipe.
    pub world: World,
    /// The folder it becomes.
    pub out: PathBuf,
    /// Contact sheet.
    pub preview: Option<PathBuf>,
}

impl WorldPlan {
    fn resolve(arguments: WorldArguments) -> anyhow::Result<Self> {
        let mut config: WorldConfig = match &arguments.config {
            Some(path) => safe_toml::read(path)?,
            None => WorldConfig::default(),
        };
        if let Some(seed) = arguments.seed {
            config.seed = seed;
        }
        Ok(Self { world: config.check()?, out: arguments.out, preview: arguments.preview })
    }
}

/// Runs the verb.
pub fn run(arguments: WorldArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let plan = WorldPlan::resolve(arguments)?;
    draw(&plan, context)?;
    let test = plan.out.join("test.jsonl");
    context.printer.result(&format!(
        "world      {}\ntraining   {}\nbenchmark  {}",
        plan.out.display(),
        plan.out.join("meta.json").display(),
        test.display()
    ));
    let [world, training, benchmark] = [&plan.out, &plan.out.join("meta.json"), &test].map(|path| as_text::of(path));
    context.printer.result_json(&serde_json::json!({ "world": world, "training": training, "benchmark": benchmark }))?;
    Ok(ExitStatus::Success)
}

/// Draws the world unless the same one is there already.
pub fn draw(plan: &WorldPlan, context: &Context) -> anyhow::Result<()> {
    let _lock = context.lock_beside(&plan.out)?;
    if same_world(&plan.out, plan.world.config()) {
        context.printer.narrate(&format!("world: {} is there already", plan.out.display()));
    } else {
        plan.world.write(&plan.out, context.hardware.threads, &context.printer, &context.cancel)?;
    }
    if let Some(sheet) = &plan.preview {
        plan.world.write_preview(sheet)?;
        context.printer.narrate(&format!("contact sheet: {}", sheet.display()));
    }
    Ok(())
}

fn same_world(folder: &Path, config: &WorldConfig) -> bool {
    let recipe = folder.join(prism_data::world::RECIPE);
    safe_toml::read_of_run::<WorldConfig>(&recipe).is_ok_and(|there| there == *config)
}
