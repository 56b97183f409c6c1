//! `prism view` as a program: what it prints, and how Ctrl-C ends it.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn prism() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A run folder with a manifest and nothing else: an audit that has only begun.
fn begun(run: &Path) {
    std::fs::create_dir_all(run).unwrap();
    let manifest = serde_json::json!({
        "schema": 1, "kind": "audit", "version": "0", "variant": "lvr", "name": "LVR", "seed": 42, "benchmark": "test", "command": [],
        "commit": "", "host": "", "device": "", "dtype": "", "threads": 1, "inputs": {}, "started": "2000-01-01T00:00:00Z"
    });
    std::fs::write(run.join("run.json"), manifest.to_string()).unwrap();
}

fn get(port: u64, path: &str, header: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{header}Connection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn ended(child: &mut Child) -> Option<i32> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    None
}

#[test]
fn it_says_where_it_is_and_ctrl_c_ends_it_with_0() {
    let dir = tempfile::tempdir().unwrap();
    begun(&dir.path().join("study/seed-42/lvr/audit"));
    let mut child = prism().args(["view", "--json", "--port", "0"]).arg(dir.path().join("study")).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let told: serde_json::Value = serde_json::from_str(&line).unwrap();
    let port = told["port"].as_u64().unwrap();
    let token = told["token"].as_str().unwrap().to_string();
    assert_eq!(token.len(), 32, "128 bits");
    assert_eq!(
        (told["url"].as_str().unwrap(), told["runs"].as_u64()),
        (format!("http://127.0.0.1:{port}/?token={token}").as_str(), Some(1))
    );
    // The address that is printed leads in, and without its token nothing does.
    assert!(get(port, &format!("/?token={token}"), "").contains(&format!("set-cookie: prism-{port}={token}; ")));
    assert!(get(port, "/", "").starts_with("HTTP/1.1 403"));
    let get = |path: &str| get(port, path, &format!("Authorization: Bearer {token}\r\n"));
    // A run that has only begun is listed and says what it lacks.
    assert!(get("/").contains("no findings yet"));
    assert!(get("/runs/study-seed-42-lvr").contains("No findings"));
    let lacking = get("/runs/study-seed-42-lvr/examples");
    assert!(lacking.contains("could not be read") && lacking.contains("examples.parquet"), "{lacking}");
    // A connection left open does not hold it.
    let _idle = TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(ended(&mut child), Some(0));
    let mut narration = String::new();
    child.stderr.take().unwrap().read_to_string(&mut narration).unwrap();
    assert!(narration.contains(&format!("ssh -L {port}:127.0.0.1:{port} ")), "{narration}");
    assert!(!narration.contains(&token), "the token is a result, and stands in no log of the narration");
}

#[test]
fn what_cannot_be_opened_is_an_input_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (folder, words) in [(dir.path().to_path_buf(), "no run folder is there"), (dir.path().join("none"), "cannot open")] {
        let refused = prism().arg("view").arg(&folder).output().unwrap();
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(3), "{said}");
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_port_that_is_taken_is_told_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    begun(&dir.path().join("a"));
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = prism().args(["view", "--port", &port]).arg(dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("cannot listen at port {port}")) && said.contains("--port"), "{said}");
}
