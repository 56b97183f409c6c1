//! Listening on the loopback until told to stop.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use super::{Explorer, router};

/// The first port tried when none is asked for.
const FIRST_PORT: u16 = 7171;
/// Ports tried from there.
const TRIED: u16 = 20;
/// How often the wish to stop is looked at.
const GLANCE: Duration = Duration::from_millis(100);
/// How long requests under way may take once the wish is there.
const GRACE: Duration = Duration::from_secs(2);
/// Requests that read files at the same time, at most.
const READERS: usize = 4;

/// Listeners on `127.0.0.1` and, where the machine has it, `[::1]`, at one port.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    port: u16,
}

impl Server {
    /// Listens at `port` (0: any that is free), or without one at the first free of twenty.
    ///
    /// # Errors
    /// When the port, or all of them, are taken.
    pub fn bind(port: Option<u16>) -> io::Result<Self> {
        let first = match port {
            Some(port) => TcpListener::bind((Ipv4Addr::LOCALHOST, port))?,
            None => {
                let mut tried = (FIRST_PORT..FIRST_PORT + TRIED).map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
                match tried.find(Result::is_ok) {
                    Some(found) => found?,
                    None => TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
                }
            }
        };
        let port = first.local_addr()?.port();
        // A machine without IPv6 has the other all the same.
        let second = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).ok();
        let listeners: Vec<TcpListener> = std::iter::once(first).chain(second).collect();
        for listener in &listeners {
            listener.set_nonblocking(true)?;
        }
        Ok(Self { listeners, port })
    }

    /// The port it listens at.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers until `stopped` says so.
    ///
    /// # Errors
    /// When the system refuses a runtime or a listener breaks.
    pub fn run(self, explorer: Explorer, stopped: impl Fn() -> bool) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(READERS).build()?;
        let explorer = Arc::new(explorer);
        let ended = runtime.block_on(async {
            let (tell, told) = tokio::sync::watch::channel(false);
            let mut serving = Vec::new();
            for listener in self.listeners {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let mut told = told.clone();
                let served = axum::serve(listener, router::router(Arc::clone(&explorer), self.port));
                let served = served.with_graceful_shutdown(async move {
                    let _ = told.wait_for(|stop| *stop).await;
                });
                serving.push(tokio::spawn(async move { served.await }));
            }
            while !stopped() && !serving.iter().any(tokio::task::JoinHandle::is_finished) {
                tokio::time::sleep(GLANCE).await;
            }
            let _ = tell.send(true);
            for task in serving {
                if let Ok(Ok(ended)) = tokio::time::timeout(GRACE, task).await {
                    ended?;
                }
            }
            Ok(())
        });
        // A reader that still reads is not waited for.
        runtime.shutdown_background();
        ended
    }
}
