//! `prism view` as a child, and requests to it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::child::{self, Ended, PATIENCE};

/// How long an explorer may take to end once it is told to.
const FAREWELL: Duration = Duration::from_secs(20);

/// An explorer that runs until it is dropped.
pub struct View {
    child: Child,
    err: File,
    first: String,
    port: u16,
    token: String,
}

/// The first line that comes, if one does.
fn first_line(out: ChildStdout) -> String {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut first = String::new();
        let _ = BufReader::new(out).read_line(&mut first);
        let _ = tell.send(first);
    });
    told.recv_timeout(PATIENCE).unwrap_or_default()
}

/// An answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// What kind of content it says it is.
    pub kind: String,
    /// The content.
    pub body: Vec<u8>,
}

impl Answer {
    /// The content as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl View {
    /// Over a folder; `more` are further arguments.
    pub fn over(folder: &Path, more: &[&str]) -> Self {
        let err = tempfile::tempfile().unwrap();
        let mut command = child::prism("view");
        command.args(["--json", "--port", "0"]).arg(folder).args(more);
        let mut child = command.stdout(Stdio::piped()).stderr(err.try_clone().unwrap()).spawn().unwrap();
        let first = first_line(child.stdout.take().unwrap());
        let told: Value = serde_json::from_str(&first).unwrap_or_else(|e| {
            let _ = child.kill();
            panic!("view does not say where it is: {e}: {first}{}", child::text(&err))
        });
        let port = told["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap();
        let token = told["url"].as_str().and_then(|url| url.split_once("token=")).map(|(_, token)| token.to_string()).unwrap_or_default();
        Self { child, err, first, port, token }
    }

    /// Asks for a page; an answer must come.
    pub fn get(&self, path: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap_or_else(|e| panic!("{path}: {e}: {}", self.said()));
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (port, token) = (self.port, &self.token);
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap_or_else(|e| panic!("{path}: no answer: {e}: {}", self.said()));
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| panic!("{path}: no answer: {}", self.said())) + 4;
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default().to_string();
        let answer = Answer { status, kind, body: bytes.split_off(end) };
        self.look(path, &answer);
        answer
    }

    /// No page obeys its data, grows without bound, or was given up.
    fn look(&self, path: &str, answer: &Answer) {
        assert_ne!(answer.status, 403, "{path}: {}", answer.text());
        assert!(answer.body.len() < 64 << 20, "{path}: {} MB", answer.body.len() >> 20);
        if !answer.kind.starts_with("image/") {
            let text = answer.text();
            let raw = text.find(|c| child::is_raw(c) && c != '\r');
            assert!(raw.is_none(), "{path} has a raw character: {:?}", raw.map(|at| child::near(&text, at)));
            assert!(!text.contains("report it as a bug"), "{path} could not be made: {}", self.said());
        }
    }

    /// What it said so far.
    fn said(&self) -> String {
        child::text(&self.err)
    }

    /// The ids of the runs that have examples.
    pub fn audits(&self) -> Vec<String> {
        let listed: Value = serde_json::from_slice(&self.get("/api/runs.json").body).unwrap();
        let runs = listed["runs"].as_array().unwrap().iter().filter(|run| run["kind"] == "audit");
        runs.map(|run| run["id"].as_str().unwrap().to_string()).collect()
    }

    /// Every page of a run and of its first example, with their addresses.
    pub fn pages(&self, run: &str) -> Vec<(String, Answer)> {
        let of_run = ["", "/report", "/examples", "/examples?show=lost&q=a", "/examples/0", "/examples/0/image"];
        let as_json = [".json", "/examples.json", "/examples/0.json"];
        let pages = of_run.iter().map(|page| format!("/runs/{run}{page}"));
        let pages = pages.chain(as_json.iter().map(|page| format!("/api/runs/{run}{page}")));
        pages.map(|page| (page.clone(), self.get(&page))).collect()
    }

    /// All pages of all runs with examples, the list of them, and them beside each other.
    pub fn walk(&self) -> Vec<(String, Answer)> {
        let runs = self.audits();
        let asked: String = runs.iter().take(6).map(|run| format!("&run={run}")).collect();
        let shared = ["/".to_string(), format!("/compare?{asked}"), format!("/api/compare.json?{asked}")];
        let shared = shared.map(|page| (page.clone(), self.get(&page)));
        shared.into_iter().chain(runs.iter().flat_map(|run| self.pages(run))).collect()
    }

    /// Asks it to stop; it does, as one that was asked to.
    pub fn end(mut self) -> Ended {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success(), "{}", self.said());
        let status = child::wait(&mut self.child, FAREWELL);
        let ended = child::ended("view", status, self.first.clone(), self.said());
        assert_eq!(ended.code, 0, "{ended:?}");
        ended
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts an explorer over a folder, looks at every page, and ends it.
pub fn walked(folder: &Path) -> Vec<(String, Answer)> {
    let view = View::over(folder, &[]);
    let pages = view.walk();
    view.end();
    pages
}
