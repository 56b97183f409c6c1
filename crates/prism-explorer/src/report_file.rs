//! A report page that lies in a run folder, as it is.
//!
//! It may come from anybody, and its charts need scripts that stand in the page. So it is
//! shown in a sandbox of its own: it may run the scripts that stand in it, and can neither
//! load anything nor read what the explorer shows. A hostile page could still lead its own window elsewhere.
//!
//! What lies in its place may be a link to another file of the machine. Only a file of the folder
//! itself is shown; of everything else one sentence is said, whatever it is and whether or not it exists.

use std::fmt::Write;
use std::path::Path;

use axum::http::StatusCode;
use prism_run::door::{self, Limit};
use prism_run::folder::names;

use super::Explorer;
use super::reply::Reply;
use prism_report::html::script_hash;

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
    let Ok(html) = door::read_text(&folder.join(names::REPORT), Limit::Report) else {
        let (name, most) = (names::REPORT, Limit::Report.words());
        let text = format!("There is no {name} here that can be shown: a file of UTF-8 text of the folder itself, at most {most} long.");
        return Reply::refused(StatusCode::NOT_FOUND, &text);
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
    while found.len() < MOST_SCRIPTS
        && let Some(begin) = rest.find("<script")
    {
        let Some(open) = rest[begin..].find('>').map(|i| begin + i + 1) else { break };
        let Some(end) = rest[open..].find("</script").map(|i| open + i) else { break };
        if !rest[begin..open].contains("application/json") {
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
        assert_eq!(scripts(&"<script>a</script>".repeat(100)).len(), MOST_SCRIPTS);
    }

    #[test]
    fn what_is_no_file_of_the_folder_is_refused_in_the_same_words() {
        let dir = tempfile::tempdir().unwrap();
        let [folder, elsewhere] = ["run", "elsewhere"].map(|name| dir.path().join(name));
        for path in [&folder, &elsewhere] {
            std::fs::create_dir_all(path).unwrap();
        }
        let absent = page(&folder);
        assert_eq!(absent.status, StatusCode::NOT_FOUND);
        let refused = || {
            let reply = page(&folder);
            assert_eq!((reply.status, &reply.body), (absent.status, &absent.body));
        };
        let report = folder.join(names::REPORT);
        std::fs::create_dir(&report).unwrap();
        refused();
        std::fs::remove_dir(&report).unwrap();
        std::fs::write(&report, b"<p>\xff</p>").unwrap();
        refused();
        #[cfg(unix)]
        {
            std::fs::write(elsewhere.join("secret"), "the secret").unwrap();
            for target in [elsewhere.join("secret"), elsewhere.join("absent"), "/dev/zero".into(), elsewhere.clone()] {
                std::fs::remove_file(&report).unwrap();
                std::os::unix::fs::symlink(&target, &report).unwrap();
                refused();
            }
            std::fs::remove_file(&report).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(&report).status().unwrap().success());
            refused();
        }
    }
}
