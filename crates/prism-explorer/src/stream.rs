//! A connection's bytes, with an end to waiting for a client that does not read.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::connections::Connection;
use super::limits::Limits;

/// A stream that breaks off when what is written to it is not accepted in time.
#[derive(Debug)]
pub struct Watched {
    stream: TcpStream,
    connection: Arc<Connection>,
    span: Duration,
    least: usize,
    /// When the time runs out, while `waits`.
    end: Pin<Box<Sleep>>,
    waits: bool,
    /// Bytes accepted since then.
    accepted: usize,
}

impl Watched {
    /// Watches a stream. Within the runtime only.
    pub fn new(stream: TcpStream, connection: Arc<Connection>, limits: &Limits) -> Self {
        let end = Box::pin(tokio::time::sleep(limits.swallow));
        Self { stream, connection, span: limits.swallow, least: limits.swallow_bytes, end, waits: false, accepted: 0 }
    }

    fn accepted(&mut self, bytes: usize) {
        self.connection.moves();
        self.accepted = self.accepted.saturating_add(bytes);
        if self.accepted >= self.least {
            self.relax();
        }
    }

    fn relax(&mut self) {
        self.waits = false;
        self.accepted = 0;
    }

    /// What writing came to, or that it takes too long.
    fn watch(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => self.accepted(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                if !self.waits {
                    self.waits = true;
                    self.accepted = 0;
                    self.end.as_mut().reset(Instant::now() + self.span);
                }
                if self.end.as_mut().poll(context).is_ready() {
                    self.connection.give_up();
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")));
                }
            }
        }
        written
    }
}

/// What the system still holds for a client that is given up goes with it.
impl Drop for Watched {
    fn drop(&mut self) {
        if self.connection.is_given_up() {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            this.connection.moves();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.watch(context, written)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, parts);
        this.watch(context, written)
    }

    /// Said by the stream below: without it a body would be copied before it is sent.
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when everything was accepted.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.relax();
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
