//! Listening on the loopback until told to stop.

use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::connections::{Connections, Place};
use super::guard::Guard;
use super::limits::Limits;
use super::maker::Maker;
use super::stream::Watched;
use super::token::Token;
use super::{Explorer, router};

/// The first port tried when none is asked for.
const FIRST_PORT: u16 = 7171;
/// Ports tried from there.
const TRIED: u16 = 20;
/// How often the wish to stop is looked at.
const GLANCE: Duration = Duration::from_millis(100);
/// How often it is looked at whether all connections have ended, once the wish is there.
const PARTING: Duration = Duration::from_millis(10);
/// How long requests under way may take once the wish is there.
const GRACE: Duration = Duration::from_secs(2);
/// Fewest bytes of a request's head that the library takes.
const LEAST_HEAD: usize = 8 << 10;
/// How long to wait when the system has no connection to give, as when all file handles are taken.
const PAUSE: Duration = Duration::from_millis(200);

/// Listeners on `127.0.0.1` and, where the machine has it, `[::1]`, at one port; and the token
/// that has to be shown there.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    port: u16,
    token: Token,
    limits: Limits,
}

impl Server {
    /// Listens at `port` (0: any that is free), or without one at the first free of twenty.
    ///
    /// # Errors
    /// When the port, or all of them, are taken, or the system gives no random numbers.
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
        Ok(Self { listeners, port, token: Token::draw()?, limits: Limits::default() })
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The port it listens at.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The token that has to be shown.
    pub fn token(&self) -> &str {
        self.token.digits()
    }

    /// The address to open, with the token. It names `127.0.0.1`: `localhost` may mean `[::1]`,
    /// where another account may listen at the same port.
    pub fn address(&self) -> String {
        self.token.address(self.port)
    }

    /// Answers until `stopped` says so.
    ///
    /// # Errors
    /// When the system refuses a runtime or a listener.
    pub fn run(self, explorer: impl Into<Arc<Explorer>>, stopped: impl Fn() -> bool) -> io::Result<()> {
        let threads = Maker::threads(&self.limits);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(threads).build()?;
        let limits = self.limits;
        let router = router::router(Arc::new(Maker::new(explorer.into(), limits)), Guard { port: self.port, token: self.token });
        let connections = Arc::new(Connections::new(limits.connections, limits.held));
        let ended = runtime.block_on(async {
            let (tell, told) = watch::channel(false);
            let mut listening = Vec::new();
            for listener in self.listeners {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let acceptor = Acceptor { router: router.clone(), connections: Arc::clone(&connections), limits, told: told.clone() };
                listening.push(tokio::spawn(acceptor.listen(listener)));
            }
            while !stopped() {
                tokio::time::sleep(GLANCE).await;
            }
            listening.iter().for_each(tokio::task::JoinHandle::abort);
            let _ = tell.send(true);
            let parted = async {
                while connections.count() > 0 {
                    tokio::time::sleep(PARTING).await;
                }
            };
            let _ = tokio::time::timeout(GRACE, parted).await;
            Ok(())
        });
        // A reader that still reads is not waited for.
        runtime.shutdown_background();
        ended
    }
}

/// Takes connections as they come.
struct Acceptor {
    router: Router,
    connections: Arc<Connections>,
    limits: Limits,
    told: watch::Receiver<bool>,
}

impl Acceptor {
    async fn listen(self, listener: tokio::net::TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let place = self.connections.enter().await;
                    tokio::spawn(serve(stream, place, self.router.clone(), self.limits, self.told.clone()));
                }
                // The other end has gone already.
                Err(e) if is_of_connection(&e) => {}
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

/// Answers on one connection until it ends, has to make room, or the server stops.
async fn serve(stream: TcpStream, place: Place, router: Router, limits: Limits, mut told: watch::Receiver<bool>) {
    let connection = Arc::clone(place.connection());
    // Answers are written whole, so nothing is gained by holding their last bytes back.
    let _ = stream.set_nodelay(true);
    let stream = TokioIo::new(Watched::new(stream, Arc::clone(&connection), &limits));
    let asking = Arc::clone(&connection);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let (connection, router) = (Arc::clone(&asking), router.clone());
        async move {
            let _making = connection.makes();
            request.extensions_mut().insert(Arc::clone(&connection));
            TowerToHyperService::new(router).call(request).await
        }
    });
    let mut http = http1::Builder::new();
    // The time for a request's head runs from the answer before, so it ends idle connections too.
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(limits.head_bytes.max(LEAST_HEAD));
    let mut serving = pin!(http.serve_connection(stream, service));
    let mut ending = pin!(connection.ended());
    let mut stopping = pin!(async {
        let _ = told.wait_for(|stop| *stop).await;
    });
    let mut stops = false;
    poll_fn(|context| {
        if ending.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        if !stops && stopping.as_mut().poll(context).is_ready() {
            stops = true;
            serving.as_mut().graceful_shutdown();
        }
        // How a connection ends is no news: clients leave as they like.
        serving.as_mut().poll(context).map(drop)
    })
    .await;
}
