//! The commands of docs/reference/coverage.md are commands of this binary: flags,
//! interventions and values that do not exist fail here, not at a reader's desk.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Parser;
use prism::cli::{Arguments, Command};
use prism_run::Variant;

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/coverage.md")).unwrap()
}

fn commands(page: &str) -> Vec<Vec<&str>> {
    let indented = page.lines().filter_map(|line| line.strip_prefix("    prism "));
    indented.map(|line| std::iter::once("prism").chain(line.split_whitespace()).collect()).collect()
}

#[test]
fn every_command_of_the_page_parses() {
    let page = page();
    let commands = commands(&page);
    assert!(commands.len() > 15, "{}", commands.len());
    for command in &commands {
        Arguments::try_parse_from(command).unwrap_or_else(|e| panic!("{}\n{e}", command.join(" ")));
    }
}

/// So are those of the guides: a flag that is renamed must not live on there.
#[test]
fn every_command_of_the_guides_parses() {
    let guides = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides");
    let mut parsed = 0;
    for guide in std::fs::read_dir(guides).unwrap() {
        let page = std::fs::read_to_string(guide.unwrap().path()).unwrap();
        let page: String = page.lines().map(|line| format!("{}\n", line.split(" # ").next().unwrap_or(line))).collect();
        for command in commands(&page) {
            Arguments::try_parse_from(&command).unwrap_or_else(|e| panic!("{}\n{e}", command.join(" ")));
            parsed += 1;
        }
        if page.contains("## Published methods") {
            let named: BTreeSet<&str> = page.split("--protocol ").skip(1).filter_map(|rest| rest.split_whitespace().next()).collect();
            for id in prism_run::Protocol::preset_ids().filter(|id| *id != "p-lvr") {
                assert!(named.contains(id), "no command for {id}");
            }
        }
    }
    assert!(parsed > 20, "{parsed}");
}

#[test]
fn what_a_command_reads_an_earlier_one_wrote() {
    let page = page();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut written: BTreeSet<String> = BTreeSet::new();
    for command in commands(&page) {
        let parsed = Arguments::try_parse_from(&command).unwrap();
        let reads: Vec<String> = match &parsed.command {
            Command::Audit(a) => {
                let floors = a.floor.iter().map(|(_, run)| run);
                [&a.checkpoint, &a.benchmark].into_iter().chain(floors).map(|path| path.display().to_string()).collect()
            }
            Command::Curve(a) => a.runs.iter().map(|path| path.display().to_string()).collect(),
            Command::Study(a) => vec![a.recipe.display().to_string()],
            Command::Validate(a) => vec![a.recipe.display().to_string()],
            _ => Vec::new(),
        };
        for path in reads {
            let made = written.iter().any(|out| path.starts_with(out.as_str()));
            assert!(made || root.join(&path).exists(), "{path} is read before it is there:\n{}", command.join(" "));
        }
        let out = command.iter().skip_while(|word| **word != "--out").nth(1);
        // A study writes where its name says.
        written.insert(out.map_or_else(|| "runs/trajectory-tiny".to_string(), |out| (*out).to_string()));
    }
}

#[test]
fn every_row_of_the_page_names_its_commands_and_every_arm_exists() {
    let page = page();
    for arm in ["bottleneck", "blindfold", "ce-only", "no-latents", "dummy-tokens", "lvr-matched-lambda", "p-lvr-2-matched"] {
        assert!(page.contains(&format!("`{arm}`")) && Variant::preset_ids().any(|id| id == arm), "{arm}");
    }
    let lines = (1..=22).filter(|n| page.contains(&format!("\n| {n} | "))).count();
    assert_eq!(lines, 22, "lines of the list of faults");
    // A letter in the table is a section above it.
    for letter in ["A", "B", "C", "D", "E", "F", "G", "H", "I"] {
        assert!(page.contains(&format!("**{letter}. ")), "{letter}");
    }
}

/// Every key a recipe may have, by the defaults that know them.
#[test]
fn every_key_of_a_recipe_is_described() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/recipes.md")).unwrap();
    let keys = |value: serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let world = keys(serde_json::to_value(prism_data::world::WorldConfig::default()).unwrap());
    let train = keys(serde_json::to_value(prism_train::TrainConfig::default()).unwrap());
    let analysis = keys(serde_json::to_value(prism_audit::AuditSettings::default()).unwrap());
    let variant = keys(serde_json::to_value(Variant::load("p-lvr-3").unwrap()).unwrap());
    let recipe: toml::Table =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/study-tiny.toml")).unwrap().parse().unwrap();
    let audit: Vec<String> = recipe["audit"].as_table().unwrap().keys().cloned().collect();
    for key in [world, train, analysis, variant, audit, vec!["batch_size".into(), "floors".into()]].concat() {
        assert!(page.contains(&format!("`{key}`")), "`{key}` is not described");
    }
}
