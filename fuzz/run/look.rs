//! Everything that reads a run folder: the report, the terminal, the comparison, the merge and
//! every page of the explorer. It may refuse; what it shows is bounded, gives nothing away, and
//! has no character that a browser or a terminal obeys.

use std::fs;
use std::path::Path;

use prism_audit::compare;
use prism_explorer::{Explorer, api, compare as beside, example, examples, home, report_file, run as page};
use prism_record::record::parts;
use prism_report::study::Study;
use prism_report::terminal::{self, Look, Screen};
use prism_report::{ReportInputs, build_report};

use super::{PRIVATE, honest};

/// Largest page, bytes. The honest run's is 1 MB, most of it the charts' engine.
const LARGEST: usize = 64 << 20;

/// Whether all of it came to its end and refused nothing.
pub fn at(run: &Path, room: &Path) -> bool {
    // Each is looked at, whatever the others say.
    let looks = [report(run, &room.join("page.html")), shown(run), compared(run), merged(run, &room.join("merged")), explored(run)];
    looks == [true; 5]
}

fn inputs(run: &Path) -> ReportInputs {
    ReportInputs { folders: vec![run.to_path_buf()], ..ReportInputs::new(vec![run.to_path_buf()]) }
}

fn report(run: &Path, to: &Path) -> bool {
    let written = build_report(&inputs(run), to).is_ok();
    if written {
        check("the report", &fs::read(to).expect("the page that was written"));
    }
    written
}

fn shown(run: &Path) -> bool {
    let Ok(study) = Study::read(&inputs(run), &mut Vec::new()) else { return false };
    let look = Look { width: 80, unicode: true, color: false };
    let mut screen = Screen::default();
    terminal::study::draw(&study, &mut screen, look);
    check("the terminal", screen.text(look).as_bytes());
    true
}

fn compared(run: &Path) -> bool {
    compare::compare(&[run.to_path_buf()], &honest::settings()).is_ok()
}

fn merged(run: &Path, out: &Path) -> bool {
    let shards = honest::SHARDS.map(|shard| run.join(shard));
    let joined = parts::join(out, &shards).is_ok() && fs::copy(shards[0].join("run.json"), out.join("run.json")).is_ok();
    joined && prism_audit::audit_run(out, &honest::settings()).is_ok()
}

fn explored(run: &Path) -> bool {
    let Ok(explorer) = Explorer::open(&[run.to_path_buf()]) else { return false };
    let snapshot = explorer.library.snapshot();
    let ids: Vec<&str> = snapshot.runs.iter().map(|run| run.id.as_str()).take(3).collect();
    let asked: String = ids.iter().map(|id| format!("&run={id}")).collect();
    let mut replies = vec![
        home::page(&explorer, ""),
        api::runs(&explorer),
        api::version(&explorer, ""),
        beside::page(&explorer, &asked),
        api::compare(&explorer, &asked),
    ];
    let mut theirs = vec![report_file::of_folder(&explorer, "run")];
    let mut whole = ids.len() == 3;
    for id in ids {
        let pages = [page::page(&explorer, id), examples::page(&explorer, id, "")];
        whole &= pages.iter().all(|reply| reply.status.as_u16() == 200);
        replies.extend(pages);
        replies.push(examples::page(&explorer, id, "q=e&show=flipped&under=zero&page=2"));
        replies.extend([api::run(&explorer, &format!("{id}.json")), api::examples(&explorer, id, "q=e")]);
        theirs.push(report_file::of_run(&explorer, id));
        for row in ["0", "1"] {
            replies.push(example::page(&explorer, id, row, "show=lost"));
            replies.push(example::image(&explorer, id, row));
            replies.push(api::example(&explorer, id, &format!("{row}.json")));
        }
    }
    for reply in &replies {
        if reply.kind.starts_with("image/") {
            assert!(reply.body.len() < LARGEST, "an image of {} bytes", reply.body.len());
        } else {
            check("a page", &reply.body);
        }
    }
    // A report is shown as it is, in a sandbox; it is not the explorer's to look into.
    assert!(theirs.iter().all(|reply| !String::from_utf8_lossy(&reply.body).contains(PRIVATE)), "a report from beside the run is served");
    whole
}

fn check(what: &str, content: &[u8]) {
    assert!(content.len() < LARGEST, "{what} has {} bytes", content.len());
    let text = String::from_utf8_lossy(content);
    assert!(!text.contains(PRIVATE), "{what} shows a file beside the run");
    let raw = text.find(|c: char| {
        let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        (c.is_control() && !matches!(c, '\n' | '\t' | '\r')) || turns
    });
    assert!(raw.is_none(), "{what} has a raw character at {raw:?}");
}
