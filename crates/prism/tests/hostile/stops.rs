//! One SIGTERM ends a command that reads, wherever it is and however much there is still to read.
//!
//! So that it cannot come to its end before, nobody takes what it prints.

use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::child::{PATIENCE, prism, run, wait};
use crate::honest::Mailed;

/// Both ends of a connection that takes no byte more: whoever writes there waits.
fn stuck() -> (UnixStream, UnixStream) {
    let (mut output, reader) = UnixStream::pair().unwrap();
    output.set_nonblocking(true).unwrap();
    for size in [1 << 12, 1] {
        while output.write(&vec![b'x'; size]).is_ok_and(|taken| taken > 0) {}
    }
    output.set_nonblocking(false).unwrap();
    (output, reader)
}

/// Whether the process is `prism` and handles SIGTERM: before, the system ends it.
fn handles_sigterm(child: &Child) -> bool {
    const SIGTERM: u32 = 15;
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    status.starts_with("Name:\tprism\n") && u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << (SIGTERM - 1)) != 0
}

/// Ends a command by one SIGTERM as soon as it handles it and `is_time`.
fn is_stopped(mut command: Command, is_time: impl Fn() -> bool) {
    let (output, _reader) = stuck();
    let mut child = command.stdout(Stdio::from(OwnedFd::from(output))).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !(handles_sigterm(&child) && is_time()) {
        assert!(begun.elapsed() < PATIENCE, "{command:?} does not come to that");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap().success());
    let status = wait(&mut child, PATIENCE).unwrap_or_else(|| panic!("{command:?} goes on after a SIGTERM"));
    assert_eq!(status.code(), Some(130), "{command:?}: {status}");
}

/// Whether a file lies there that was to get another name.
fn holds_left_over(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| entry.unwrap().file_name().to_string_lossy().ends_with(".tmp"))
}

#[test]
fn report_show_and_compare_end_at_the_first_sigterm() {
    let mailed = Mailed::new();
    let (page, out) = (mailed.beside("pages/page.html"), mailed.beside("compared"));
    let commands = || {
        let [mut report, mut show, mut compare] = ["report", "show", "compare"].map(prism);
        report.arg(mailed.run()).arg("--out").arg(&page);
        show.arg(mailed.run());
        compare.arg(mailed.run()).arg("--out").arg(&out);
        [report, show, compare]
    };
    for command in commands() {
        is_stopped(command, || true);
    }
    // Once all is done but to say so.
    let _ = (fs::remove_file(&page), fs::remove_dir_all(&out));
    let [report, _, compare] = commands();
    is_stopped(report, || page.exists());
    is_stopped(compare, || out.join("run.json").exists());
    // Where somebody reads, the same commands do all of it, and put in order what was left.
    for mut command in commands() {
        assert_eq!(run(&mut command).code, 0, "{command:?}");
    }
    assert!(!holds_left_over(&mailed.beside("pages")) && !holds_left_over(&out));
    assert!(!out.join(".lock").exists());
}
