//! How the records of a run become findings, as its manifest says.

use std::path::Path;

use prism_audit::AuditSettings;
use prism_run::folder::names;
use prism_run::manifest::Manifest;
use prism_run::{door, shown};

use crate::Context;

/// The settings of the run in `out`, whose manifest was read from `from`. A manifest may come from anybody, and names
/// files: of its floors only runs beside `out` are read.
///
/// # Errors
/// When the manifest's settings cannot be read.
pub fn settings(manifest: &Manifest, from: &Path, out: &Path, context: &Context) -> anyhow::Result<AuditSettings> {
    let settings = manifest.settings.get("analysis").cloned().unwrap_or_default();
    let mut settings: AuditSettings = serde_json::from_value(settings).map_err(|e| {
        let remedy = "use the version of Prism that recorded the run";
        prism_run::Error::content(&from.join(names::MANIFEST), format!("key `settings.analysis`: {e}"), remedy)
    })?;
    let beside = out.canonicalize().ok().and_then(|out| out.parent().map(Path::to_path_buf));
    beside.iter().for_each(|beside| door::named(beside));
    settings.floors.retain(|name, run| {
        let whole = run.canonicalize().ok().filter(|run| beside.as_ref().is_some_and(|beside| run.starts_with(beside)));
        let near = whole.is_some();
        // Below the folder that was named, so that no link leads from there to the run when it is read.
        *run = whole.unwrap_or_default();
        if !near {
            let text = format!("the floor `{}` lies elsewhere than beside {} and is left out", shown(name), out.display());
            context.printer.warn(&format!("{text}; move its run there to have it"));
        }
        near
    });
    Ok(settings)
}
