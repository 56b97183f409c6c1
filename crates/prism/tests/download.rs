//! `--download` against a stand-in for the Hub on this machine, in binaries built with `--features download`.
#![cfg(feature = "download")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What the stand-in does wrong.
#[derive(Default)]
struct Faults {
    /// Bytes of a file that are given before the line is cut, once.
    cut: BTreeMap<String, usize>,
    /// Files of which another content is given than their hash says.
    other: Vec<String>,
    /// Files named by something that is no hash.
    etag: BTreeMap<String, String>,
    /// Status of every answer.
    status: Option<u16>,
}

struct Hub {
    files: BTreeMap<String, Vec<u8>>,
    faults: Mutex<Faults>,
    /// Requests for bytes of a file: name and first byte.
    asked: Mutex<Vec<(String, usize)>>,
}

impl Hub {
    fn start(files: BTreeMap<String, Vec<u8>>, faults: Faults) -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let hub = Arc::new(Self { files, faults: Mutex::new(faults), asked: Mutex::new(Vec::new()) });
        let serving = hub.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.answer(stream));
            }
        });
        (hub, address)
    }

    fn answer(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let (mut first, mut range) = (String::new(), None);
        reader.read_line(&mut first).ok()?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(bytes) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
                range = Some(bytes.trim().to_owned());
            }
        }
        let path = first.split(' ').nth(1)?.to_owned();
        let mut faults = self.faults.lock().ok()?;
        if let Some(status) = faults.status {
            return write!(stream, "HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok();
        }
        if path.starts_with("/api/models/") {
            let siblings: Vec<Value> = self.files.keys().map(|name| json!({ "rfilename": name })).collect();
            let body = json!({ "sha": COMMIT, "siblings": siblings }).to_string();
            return write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).ok();
        }
        let name = path.rsplit('/').next()?.to_owned();
        let Some(whole) = self.files.get(&name) else {
            return write!(stream, "HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok();
        };
        let etag = match name.ends_with(".safetensors") {
            true => hex(&Sha256::digest(whole)),
            false => hex(&Sha1::new().chain_update(format!("blob {}\0", whole.len())).chain_update(whole).finalize()),
        };
        let etag = faults.etag.get(&name).cloned().unwrap_or(etag);
        let mut body = whole.clone();
        if faults.other.contains(&name) {
            body.iter_mut().for_each(|byte| *byte ^= 1);
        }
        let range = range.unwrap_or_else(|| "0-".into());
        let (from, to) = range.split_once('-')?;
        let from: usize = from.parse().ok()?;
        let to = to.parse::<usize>().map_or(body.len(), |to| (to + 1).min(body.len()));
        if !(from == 0 && to == 1) {
            self.asked.lock().ok()?.push((name.clone(), from));
        }
        let part = body.get(from..to)?;
        write!(
            stream,
            "HTTP/1.1 206 Partial\r\nETag: \"{etag}\"\r\nX-Repo-Commit: {COMMIT}\r\nContent-Range: bytes {from}-{}/{}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            to.saturating_sub(1),
            body.len(),
            part.len()
        )
        .ok()?;
        // Cut in the middle: the length that was announced does not come.
        let given = if to > 1 { faults.cut.remove(&name).unwrap_or(part.len()).min(part.len()) } else { part.len() };
        stream.write_all(part.get(..given)?).ok()
    }
}

fn files() -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../prism-model/tests/fixtures/checkpoints/sharded");
    let mut files: BTreeMap<String, Vec<u8>> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with("expected") && entry.file_name() != "whole.safetensors")
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.insert("README.md".into(), b"not fetched".to_vec());
    files.insert("pytorch_model.bin".into(), b"not fetched".to_vec());
    files
}

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn cache(&self) -> PathBuf {
        self.0.path().join("hub/models--org--name")
    }

    fn doctor(&self, endpoint: &str, name: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
        for variable in
            ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
        {
            command.env_remove(variable);
        }
        command.env("HF_HOME", self.0.path()).env("HF_ENDPOINT", endpoint).env("PRISM_CACHE", self.0.path().join("prism"));
        command.args(["doctor", name, "--download", "--json"]).output().unwrap()
    }

    fn refusal(&self, endpoint: &str, name: &str) -> String {
        let output = self.doctor(endpoint, name);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{message}");
        message
    }
}

#[test]
fn a_checkpoint_is_fetched_once_and_opened() {
    let (hub, endpoint) = Hub::start(files(), Faults::default());
    let home = Home::new();
    let output = home.doctor(&endpoint, "org/name");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["faults"], json!([]));
    assert_eq!(fs::read_to_string(home.cache().join("refs/main")).unwrap(), COMMIT);
    let snapshot = home.cache().join("snapshots").join(COMMIT);
    assert!(!snapshot.join("README.md").exists() && !snapshot.join("pytorch_model.bin").exists());
    for (name, bytes) in files().iter().filter(|(name, _)| !["README.md", "pytorch_model.bin"].contains(&name.as_str())) {
        assert_eq!(&fs::read(snapshot.join(name)).unwrap(), bytes, "{name}");
    }
    let asked = hub.asked.lock().unwrap().len();
    assert_eq!(home.doctor(&endpoint, "org/name").status.code(), Some(0));
    assert_eq!(hub.asked.lock().unwrap().len(), asked, "nothing is fetched twice");
}

#[test]
fn a_download_that_was_cut_goes_on_where_it_was() {
    let name = "model-00002-of-00004.safetensors";
    // The client itself tries four times.
    let (hub, endpoint) = Hub::start(files(), Faults { cut: [(name.to_owned(), 1000)].into(), ..Faults::default() });
    let home = Home::new();
    let mut output = home.doctor(&endpoint, "org/name");
    if output.status.code() != Some(0) {
        assert!(!home.cache().join("refs/main").exists(), "half a checkpoint is not put in place");
        output = home.doctor(&endpoint, "org/name");
    }
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let asked: Vec<usize> = hub.asked.lock().unwrap().iter().filter(|(file, _)| file == name).map(|(_, from)| *from).collect();
    assert_eq!(asked, [0, 1000], "the bytes that came are not asked for again");
}

#[test]
fn another_content_than_the_hash_says_is_thrown_away() {
    let name = "model-00001-of-00004.safetensors";
    let (hub, endpoint) = Hub::start(files(), Faults { other: vec![name.into()], ..Faults::default() });
    let home = Home::new();
    let message = home.refusal(&endpoint, "org/name");
    assert!(message.contains("another content of model-00001") && message.contains("thrown away"), "{message}");
    assert!(!home.cache().join("snapshots").join(COMMIT).join(name).exists() && !home.cache().join("refs/main").exists());
    hub.faults.lock().unwrap().other.clear();
    assert_eq!(home.doctor(&endpoint, "org/name").status.code(), Some(0));
}

#[test]
fn what_a_server_says_leads_nowhere_else() {
    for etag in ["../../../../escaped", "", "zz"] {
        let (_hub, endpoint) =
            Hub::start(files(), Faults { etag: [("config.json".to_owned(), etag.to_owned())].into(), ..Faults::default() });
        let message = Home::new().refusal(&endpoint, "org/name");
        assert!(message.contains("names config.json by"), "{message}");
    }
    let mut outside = files();
    outside.insert("..%2fescaped.json".into(), b"{}".to_vec());
    outside.insert(".hidden.json".into(), b"{}".to_vec());
    let (_hub, endpoint) = Hub::start(outside, Faults::default());
    assert_eq!(Home::new().doctor(&endpoint, "org/name").status.code(), Some(0), "passed over");
    let without: BTreeMap<String, Vec<u8>> = files().into_iter().filter(|(name, _)| !name.contains("safetensors")).collect();
    let (_hub, endpoint) = Hub::start(without, Faults::default());
    assert!(Home::new().refusal(&endpoint, "org/name").contains("has no safetensors weights"));
}

#[test]
fn no_network_no_such_name_and_no_right_are_told_apart() {
    let home = Home::new();
    // A port that was free a moment ago: nobody answers.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let message = home.refusal(&format!("http://{closed}"), "org/name");
    assert!(message.contains("is there a network?") && message.contains("leave --download out"), "{message}");
    for (status, words) in [(404, "there is no such checkpoint"), (401, "private or gated"), (403, "HF_TOKEN")] {
        let (_hub, endpoint) = Hub::start(files(), Faults { status: Some(status), ..Faults::default() });
        let message = home.refusal(&endpoint, "org/name");
        assert!(message.contains(words), "{status}: {message}");
    }
    assert!(home.refusal("http://127.0.0.1:9", "no-name").contains("is no name on the Hub"));
}
