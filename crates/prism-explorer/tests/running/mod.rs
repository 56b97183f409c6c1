//! An explorer over a real socket, for the tests of its pages and of its server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prism_explorer::{Explorer, Limits, Server};

use crate::synthetic;

/// An explorer that runs until it is dropped.
pub struct Running {
    pub port: u16,
    pub token: String,
    pub explorer: Arc<Explorer>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    pub fn over(folders: &[PathBuf]) -> Self {
        Self::with(folders, Limits::default())
    }

    pub fn with(folders: &[PathBuf], limits: Limits) -> Self {
        let explorer = Arc::new(Explorer::open(folders).unwrap());
        let server = Server::bind(Some(0)).unwrap().with_limits(limits);
        let (port, token) = (server.port(), server.token().to_string());
        let stop = Arc::new(AtomicBool::new(false));
        let (told, shared) = (Arc::clone(&stop), Arc::clone(&explorer));
        let thread = std::thread::spawn(move || server.run(shared, || told.load(Ordering::Relaxed)).unwrap());
        Self { port, token, explorer, stop, thread: Some(thread) }
    }

    /// A connection on which nothing has been said.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// What a test writes, with the port and the token in their places.
    pub fn said(&self, text: &str) -> String {
        text.replace("PORT", &self.port.to_string()).replace("TOKEN", &self.token)
    }

    /// The answer to exactly what is sent.
    pub fn send_bare(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(self.said(request).as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Answer::of(&bytes)
    }

    /// The answer to what is sent with the token.
    pub fn send(&self, request: &str) -> Answer {
        self.send_bare(&request.replacen("\r\n\r\n", "\r\nAuthorization: Bearer TOKEN\r\n\r\n", 1))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost:PORT\r\nConnection: close\r\n\r\n"))
    }

    pub fn json(&self, path: &str) -> serde_json::Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}");
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Pages made so far.
    pub fn made(&self) -> usize {
        self.explorer.made.load(Ordering::Relaxed)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    fn of(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("an answer with headers") + 4;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        let head =
            head.lines().map(|line| line.split_once(':').map_or_else(|| line.to_lowercase(), |(n, v)| format!("{}:{v}", n.to_lowercase())));
        let head = head.collect::<Vec<_>>().join("\n");
        Self { status, head, body: bytes[end..].to_vec() }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A study as an explorer shows it.
pub fn study(root: &Path) -> Running {
    synthetic::write(root, synthetic::Shape { seeds: 1, silent: true });
    Running::over(&[root.to_path_buf()])
}

/// The id of the run of a variant.
pub fn id(running: &Running, variant: &str) -> String {
    let runs = running.json("/api/runs.json");
    let of = |r: &&serde_json::Value| r["variant"] == variant && r["kind"] == "audit";
    runs["runs"].as_array().unwrap().iter().find(of).unwrap()["id"].as_str().unwrap().to_string()
}
