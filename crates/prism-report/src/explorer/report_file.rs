//! A report page that lies in a run folder, as it is.
//!
//! It may come from anybody, and its charts need scripts that stand in the page. So it is
//! shown in a sandbox of its own: it may run the scripts that stand in it, and can neither
//! load anything nor read what the explorer shows. A hostile page could still lead its own window elsewhere.

use std::fmt::Write;
use std::path::Path;

use axum::http::StatusCode;
use prism_run::folder::names;

use super::Explorer;
use super::reply::Reply;
use crate::html::script_hash;

/// Largest page served, bytes.
const LARGEST: u64 = 64 << 20;
/// Scripts a page may have.
const MOST_SCRIPTS: usize = 32;

/// The page of a run.
pub fn of_run(explorer: &Explorer, id: &str) -> Reply {
    let snapshot = explorer.library.snapshot();
    snapshot.run(id).map_or_else(|| Reply::unknown("run"), |run| page(&run.path))
}

/// The page of a folder given at the start.
pub fn of_folder(explorer: &Explorer, id: &str) -> Reply {
    explorer.library.roots().iter().find(|r| r.id == id).map_or_else(|| Reply::unknown("folder"), |root| page(&root.path))
}

fn page(folder: &Path) -> Reply {
    let path = folder.join(names::REPORT);
    match std::fs::metadata(&path) {
        Ok(about) if about.is_file() && about.len() <= LARGEST => {}
        Ok(_) => return Reply::refused(StatusCode::NOT_FOUND, "Its report is larger than the explorer serves: open the file itself."),
        Err(_) => return Reply::unknown("report"),
    }
    let html = match std::fs::read_to_string(&path) {
        Ok(html) => html,
        Err(e) => return Reply::unreadable(&e),
    };
    let mut policy = String::from(
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts allow-downloads; script-src",
    );
    let scripts = scripts(&html);
    for script in &scripts {
        let _ = write!(policy, " {}", script_hash(script));
    }
    if scripts.is_empty() {
        policy.push_str(" 'none'");
    }
    Reply { policy: Some(policy), ..Reply::page(html) }
}

/// The contents of the page’s script elements, but those that hold data.
fn scripts(html: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(begin) = rest.find("<script") {
        let Some(open) = rest[begin..].find('>').map(|i| begin + i + 1) else { break };
        let Some(end) = rest[open..].find("</script").map(|i| open + i) else { break };
        if !rest[begin..open].contains("application/json") && found.len() < MOST_SCRIPTS {
            found.push(&rest[open..end]);
        }
        rest = &rest[end..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_found_whole() {
        let html = "<p><script>a < b</script><script type=\"application/json\">{}</script><script defer>c</script><script>cut";
        assert_eq!(scripts(html), ["a < b", "c"]);
    }
}
