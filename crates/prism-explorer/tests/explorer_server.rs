//! The explorer's server against clients that hold it, crowd it, or are not its own.

#[allow(dead_code, reason = "shared with the tests of the pages, which use the rest")]
mod running;
#[allow(dead_code, reason = "shared with the report's tests, which use the rest")]
#[path = "../../prism-report/tests/synthetic/mod.rs"]
mod synthetic;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use prism_explorer::Limits;
use prism_run::folder::names;
use prism_run::manifest::Manifest;

use running::{Running, study};

/// Long enough for a machine that is busy; a test that waits for it has failed.
const LONG: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
const SHORT: Duration = Duration::from_millis(250);

/// A run that has only begun, with a report of so many bytes. Its id is `run`.
fn run(folder: &Path, report: usize) -> std::path::PathBuf {
    let run = folder.join("run");
    std::fs::create_dir_all(&run).unwrap();
    let manifest = serde_json::json!({"schema": 1, "kind": "audit", "version": "0", "command": [], "commit": "", "host": "",
        "device": "", "dtype": "", "threads": 1, "inputs": {}, "started": ""});
    serde_json::from_value::<Manifest>(manifest).unwrap().write(&run).unwrap();
    std::fs::write(run.join(names::REPORT), "x".repeat(report)).unwrap();
    run
}

const REPORT: &str = "GET /runs/run/report HTTP/1.1\r\nHost: localhost:PORT\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n";

/// Whether the server ends the connection, whatever it sends before.
fn is_ended(stream: &mut TcpStream) -> bool {
    let mut bytes = vec![0; 1 << 16];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(e) => return matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        }
    }
}

#[test]
fn half_open_and_idle_connections_are_ended() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::with(&[run(dir.path(), 10)], Limits { head: SHORT, ..Limits::default() });
    let silent = running.connect();
    let mut half = running.connect();
    half.write_all(running.said("GET / HTTP/1.1\r\nHost: localhost:PORT\r\n").as_bytes()).unwrap();
    // Answered, and then asked nothing more.
    let mut idle = running.connect();
    idle.write_all(running.said("GET /explorer.css HTTP/1.1\r\nHost: localhost:PORT\r\nAuthorization: Bearer TOKEN\r\n\r\n").as_bytes())
        .unwrap();
    for (mut stream, what) in [(silent, "silent"), (half, "half"), (idle, "idle")] {
        assert!(is_ended(&mut stream), "{what}");
    }
}

#[test]
fn a_head_that_comes_byte_by_byte_has_no_more_time() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::with(&[run(dir.path(), 10)], Limits { head: SHORT, ..Limits::default() });
    let mut stream = running.connect();
    let mut sent = 0;
    // Far longer than the limit, if nobody ends it.
    for byte in "GET / HTTP/1.1\r\nX: ".bytes().chain(std::iter::repeat_n(b'x', 2000)) {
        if stream.write_all(&[byte]).is_err() {
            break;
        }
        sent += 1;
        std::thread::sleep(SHORT / 10);
    }
    assert!(sent < 1000, "{sent} bytes were taken");
}

#[test]
fn clients_that_never_read_are_cut_off_and_hold_up_nobody() {
    let dir = tempfile::tempdir().unwrap();
    // More than the system's buffers of a connection take.
    let size = 32 << 20;
    let limits = Limits { connections: 8, swallow: SECOND, swallow_bytes: 1 << 10, ..Limits::default() };
    let running = Running::with(&[run(dir.path(), size)], limits);
    let mut held: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut stream = running.connect();
            stream.write_all(running.said(REPORT).as_bytes()).unwrap();
            stream
        })
        .collect();
    // All places are taken by clients that have shown the token.
    assert_eq!(running.get("/").status, 200);
    for stream in &mut held {
        let begun = Instant::now();
        while stream.take_error().unwrap().is_none() {
            assert!(begun.elapsed() < LONG, "it is still served");
            std::thread::sleep(Duration::from_millis(5));
        }
        // What the system took of it can be read, and no more comes.
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        assert!(bytes.len() < size, "{}", bytes.len());
    }
    assert_eq!(running.get("/runs/run/report").body.len(), size, "who reads gets all of it");
}

#[test]
fn clients_that_ask_on_and_on_and_never_read_hold_up_nobody_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::with(&[run(dir.path(), 10)], Limits { connections: 4, held: SECOND, ..Limits::default() });
    let request = running.said("GET /explorer.css HTTP/1.1\r\nHost: localhost:PORT\r\nAuthorization: Bearer TOKEN\r\n\r\n");
    let stop = AtomicBool::new(false);
    let answer = std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut stream = running.connect();
            stream.set_write_timeout(Some(LONG)).unwrap();
            // The first answer says that it has its place.
            stream.write_all(request.as_bytes()).unwrap();
            stream.read_exact(&mut [0; 16]).unwrap();
            let (request, stop) = (&request, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) && stream.write_all(request.as_bytes()).is_ok() {
                    std::thread::sleep(SHORT / 5);
                }
            });
        }
        let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| running.get("/").status));
        stop.store(true, Ordering::Relaxed);
        answer
    });
    assert_eq!(answer.ok(), Some(200), "all places were kept");
}

#[test]
fn a_client_that_reads_slowly_gets_all() {
    let dir = tempfile::tempdir().unwrap();
    let size = 16 << 20;
    let limits = Limits { swallow: SECOND, swallow_bytes: 1 << 10, ..Limits::default() };
    let running = Running::with(&[run(dir.path(), size)], limits);
    let mut stream = running.connect();
    stream.write_all(running.said(REPORT).as_bytes()).unwrap();
    let (mut all, begun) = (0, Instant::now());
    loop {
        let mut bytes = Vec::new();
        (&mut stream).take(1 << 20).read_to_end(&mut bytes).unwrap();
        if bytes.is_empty() {
            break;
        }
        all += bytes.len();
        std::thread::sleep(SECOND / 10);
    }
    assert!(all > size && begun.elapsed() > SECOND, "{all}");
}

#[test]
fn a_crowd_of_connections_does_not_stop_the_server() {
    let dir = tempfile::tempdir().unwrap();
    // So that no lack of patience ends them.
    let running = Running::with(&[run(dir.path(), 10)], Limits { head: LONG, ..Limits::default() });
    let mut crowd = Vec::new();
    for i in 0..200 {
        let mut stream = running.connect();
        // The server may have ended it already to make room.
        let _ = match i % 3 {
            0 => Ok(()),
            1 => stream.write_all(b"GET / HTTP/1.1\r\n"),
            _ => stream.write_all(running.said("GET / HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n").as_bytes()),
        };
        crowd.push(stream);
    }
    for path in ["/", "/runs/run", "/explorer.css", "/api/version"] {
        assert_eq!(running.get(path).status, 200, "{path}");
    }
    for stream in &crowd {
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    }
    let begun = Instant::now();
    loop {
        crowd.retain_mut(|stream| !is_ended(stream));
        if crowd.len() <= Limits::default().connections {
            break;
        }
        assert!(begun.elapsed() < LONG, "{} are held", crowd.len());
    }
}

#[test]
fn who_has_no_token_or_is_of_another_site_gets_nothing_made() {
    let dir = tempfile::tempdir().unwrap();
    let running = study(dir.path());
    for path in ["/", "/runs/study-seed-42-lvr", "/explorer.css", "/api/runs.json", "/api/version", "/nowhere", "/compare?run=a&run=b"] {
        let join = if path.contains('?') { '&' } else { '?' };
        for (address, header) in [
            (path.to_string(), ""),
            (format!("{path}{join}token="), ""),
            (format!("{path}{join}token=00000000000000000000000000000000"), ""),
            (path.to_string(), "Authorization: Bearer 00000000000000000000000000000000\r\n"),
            (path.to_string(), "Cookie: prism-PORT=00000000000000000000000000000000\r\n"),
            (path.to_string(), "Cookie: prism-1=TOKEN\r\n"),
            (path.to_string(), "Authorization: Bearer TOKEN\r\nSec-Fetch-Site: cross-site\r\n"),
            (path.to_string(), "Cookie: prism-PORT=TOKEN\r\nSec-Fetch-Site: same-site\r\n"),
            (format!("{path}{join}token=TOKEN"), "Sec-Fetch-Site: cross-site\r\n"),
            (path.to_string(), "Authorization: Bearer TOKEN\r\nOrigin: http://evil.test\r\n"),
        ] {
            let refused =
                running.send_bare(&format!("GET {address} HTTP/1.1\r\nHost: localhost:PORT\r\n{header}Connection: close\r\n\r\n"));
            assert_eq!(refused.status, 403, "{address} {header}");
            assert!(!refused.text().contains("LVR") && !refused.head.contains("set-cookie"), "{address} {header}");
        }
    }
    assert_eq!(running.made(), 0, "pages were made for who was refused");
    assert!(running.explorer.library.fresh().is_none(), "runs were looked for on behalf of who was refused");
    let told = running.send_bare("GET / HTTP/1.1\r\nHost: localhost:PORT\r\nConnection: close\r\n\r\n").text();
    assert!(told.contains("Use the address that `prism view` printed"), "{told}");
}

#[test]
fn the_address_that_is_printed_leads_in_and_a_cookie_takes_over() {
    let dir = tempfile::tempdir().unwrap();
    let running = study(dir.path());
    let ask = |address: &str, headers: &str| {
        running.send_bare(&format!("GET {address} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n{headers}Connection: close\r\n\r\n"))
    };
    let entered = ask("/compare?run=a&token=TOKEN", "Sec-Fetch-Site: none\r\n");
    assert_eq!((entered.status, running.made()), (303, 0));
    assert!(entered.head.contains("location: /compare?run=a"), "{}", entered.head);
    let cookie = running.said("set-cookie: prism-PORT=TOKEN; Path=/; HttpOnly; SameSite=Strict");
    assert!(entered.head.contains(&cookie) && entered.head.contains("referrer-policy: no-referrer"), "{}", entered.head);
    for site in ["", "Sec-Fetch-Site: none\r\n", "Sec-Fetch-Site: same-origin\r\n"] {
        assert_eq!(ask("/", &format!("Cookie: a=b; prism-PORT=TOKEN\r\n{site}")).status, 200);
    }
    // A program shows it each time, and is not sent elsewhere.
    for (address, header) in [("/api/runs.json", "Authorization: Bearer TOKEN\r\n"), ("/api/runs.json?token=TOKEN", "")] {
        let answer = ask(address, header);
        assert!(answer.status == 200 && answer.text().contains("\"variant\":\"lvr\""), "{address}");
    }
    let elsewhere = Running::over(&[dir.path().to_path_buf()]);
    assert_ne!(running.token, elsewhere.token);
}

#[test]
fn equal_requests_are_answered_with_one_page() {
    let dir = tempfile::tempdir().unwrap();
    let running = study(dir.path());
    let run = running::id(&running, "lvr");
    let before = running.made();
    let address = format!("/runs/{run}/examples?page=2");
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..24).map(|_| scope.spawn(|| running.get(&address))).collect();
        for answer in asked {
            let answer = answer.join().unwrap();
            assert!(answer.status == 200 && answer.text().contains("examples"));
        }
    });
    assert_eq!(running.made() - before, 1);
    assert_eq!(running.get(&format!("/runs/{run}/examples?page=3")).status, 200);
    assert_eq!(running.explorer.made.load(Ordering::Relaxed) - before, 2, "another page is another one");
}

#[cfg(unix)]
#[test]
fn what_lies_in_the_place_of_a_report_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret.html");
    std::fs::write(&secret, "the secret").unwrap();
    let run = run(dir.path(), 10);
    let report = run.join(names::REPORT);
    std::fs::remove_file(&report).unwrap();
    let mut told = Vec::new();
    for target in [&secret, &dir.path().join("absent.html")] {
        let _ = std::fs::remove_file(&report);
        std::os::unix::fs::symlink(target, &report).unwrap();
        let running = Running::over(std::slice::from_ref(&run));
        for address in ["/runs/run/report", "/folders/run/report"] {
            let answer = running.get(address);
            assert_eq!(answer.status, 404);
            told.push(answer.text());
        }
        // The page that would lead to it does not tell either.
        assert!(!running.get("/runs/run").text().contains("/runs/run/report"));
    }
    assert!(told.iter().all(|text| *text == told[0] && !text.contains("the secret")));
    std::fs::remove_file(&report).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&report).status().unwrap().success());
    let running = Running::over(std::slice::from_ref(&run));
    for _ in 0..6 {
        assert_eq!(running.get("/runs/run/report").text(), told[0], "nobody waits for the other end of a pipe");
    }
}
