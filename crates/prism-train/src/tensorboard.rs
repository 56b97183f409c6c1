//! TensorBoard event files: length-prefixed, checksummed protocol buffers.
//!
//! Record: length (u64 LE), masked CRC-32C of it, payload, masked CRC-32C of the
//! payload. The payload is an `Event`; only the fields written here are declared.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use prost::Message;

use crate::{Error, Result};

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5, 7")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    Session(Session),
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// `status = 1` (start) tells readers to forget what earlier files say of this
/// step and later ones: a resumed run repeats them.
#[derive(Clone, PartialEq, Message)]
struct Session {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// A file of scalar events.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Events {
    /// A new file in `folder`, for a run that goes on after `done` steps at `wall_time`
    /// (seconds since 1970).
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(folder: &Path, wall_time: f64, done: usize) -> Result<Self> {
        let path = (0u32..)
            .map(|n| folder.join(format!("events.out.tfevents.{}.prism.{n}", wall_time as u64)))
            .find(|p| !p.exists())
            .unwrap_or_else(|| folder.join("events.out.tfevents"));
        let file = File::create(&path).map_err(|e| Error::io("cannot create", &path, e))?;
        let mut events = Self { path, file: BufWriter::new(file) };
        events.event(Event { wall_time, step: 0, what: Some(What::FileVersion("brain.Event:2".into())) })?;
        if done > 0 {
            events.event(Event { wall_time, step: done as i64 + 1, what: Some(What::Session(Session { status: 1 })) })?;
        }
        Ok(events)
    }

    /// Where the events go.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes named numbers of one step and hands them to the system.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn scalars(&mut self, wall_time: f64, step: usize, scalars: &[(&str, f64)]) -> Result<()> {
        let value = scalars.iter().map(|&(tag, v)| Value { tag: tag.into(), simple_value: Some(v as f32) }).collect();
        self.event(Event { wall_time, step: step as i64, what: Some(What::Summary(Summary { value })) })
    }

    fn event(&mut self, event: Event) -> Result<()> {
        let payload = event.encode_to_vec();
        let length = (payload.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(payload.len() + 16);
        record.extend_from_slice(&length);
        record.extend_from_slice(&masked(&length).to_le_bytes());
        record.extend_from_slice(&payload);
        record.extend_from_slice(&masked(&payload).to_le_bytes());
        self.file.write_all(&record).and_then(|()| self.file.flush()).map_err(|e| Error::io("cannot write", &self.path, e))
    }
}

/// CRC-32C, rotated and shifted so that a checksum of a checksum is safe.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}
