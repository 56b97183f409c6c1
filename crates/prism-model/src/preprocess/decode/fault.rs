//! Why an image file cannot be used.

use std::fmt::{self, Display};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use prism_run::outcome::Cause;
use prism_run::picture::Kind;
use prism_run::shown::{shown, shown_path};

use super::{MOST_PIXELS, MOST_SIDE};

/// Result of reading an image.
pub type Result<T> = std::result::Result<T, ImageFault>;

/// Why an image file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFault {
    /// The file, or the place of an image that lies inside one.
    pub path: PathBuf,
    /// The kind of fault: one of those that lie in an image.
    pub cause: Cause,
    /// What is wrong with it, beside the cause; of a broken file what its decoder said.
    pub said: String,
    /// What the user can do.
    pub remedy: &'static str,
}

impl ImageFault {
    /// A fault of the image at `path`.
    pub fn new(path: &Path, cause: Cause, said: impl Into<String>, remedy: &'static str) -> Self {
        Self { path: path.to_path_buf(), cause, said: said.into(), remedy }
    }

    /// Its sides are not such that it can be resized.
    pub fn of_shape(path: &Path, said: impl Into<String>) -> Self {
        Self::new(path, Cause::ImageShape, said, "crop or scale the image")
    }

    /// What is wrong with the file, e.g. `the image cannot be decoded: unexpected end of file`.
    pub fn what(&self) -> String {
        match self.cause {
            Cause::ImageAbsent | Cause::ImageUnreadable => format!("the image cannot be read: {}", self.said),
            Cause::ImageUndecodable => format!("the image cannot be decoded: {}", self.said),
            _ => self.said.clone(),
        }
    }

    /// The file and what is wrong with it, for where the cause is said beside it.
    pub fn in_short(&self) -> String {
        format!("{}: {}", self.path.display(), self.said)
    }
}

impl Display for ImageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", shown_path(&self.path), shown(&self.what()), self.remedy)
    }
}

impl std::error::Error for ImageFault {}

/// What a decoder says of a file, before the file is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// It cannot be decoded, and why.
    Undecodable(String),
    /// It asks for more than is given to an image, and for what.
    TooLarge(String),
    /// It has no pixels.
    NoPixels,
}

impl From<String> for Broken {
    fn from(said: String) -> Self {
        Self::Undecodable(said)
    }
}

impl From<&str> for Broken {
    fn from(said: &str) -> Self {
        Self::Undecodable(said.to_owned())
    }
}

impl Broken {
    /// The fault of the file at `path`.
    pub(super) fn at(self, path: &Path) -> ImageFault {
        match self {
            Self::Undecodable(said) => ImageFault::new(path, Cause::ImageUndecodable, said, "replace the file or convert it to PNG"),
            Self::TooLarge(said) => too_large(path, said),
            Self::NoPixels => ImageFault::new(path, Cause::ImageShape, "the image has no pixels", "replace the file"),
        }
    }
}

/// That an image of that size is accepted.
pub(super) fn check_size(width: u32, height: u32) -> std::result::Result<(), Broken> {
    if width == 0 || height == 0 {
        return Err(Broken::NoPixels);
    }
    if width > MOST_SIDE || height > MOST_SIDE || u64::from(width) * u64::from(height) > MOST_PIXELS {
        let said = format!("{width} x {height} pixels are more than are accepted ({MOST_SIDE} a side, {MOST_PIXELS} in all)");
        return Err(Broken::TooLarge(said));
    }
    Ok(())
}

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> ImageFault {
    match error.kind() {
        ErrorKind::NotFound => ImageFault::new(path, Cause::ImageAbsent, error.to_string(), "put the file there, or correct its name"),
        _ => ImageFault::new(path, Cause::ImageUnreadable, error.to_string(), "give a file that this account may read"),
    }
}

pub(super) fn not_read(path: &Path, kind: Kind) -> ImageFault {
    let (said, remedy) = kind.refusal();
    ImageFault::new(path, Cause::ImageUndecodable, format!("it {said}"), remedy)
}

pub(super) fn too_large(path: &Path, said: String) -> ImageFault {
    ImageFault::new(path, Cause::ImageTooLarge, said, "scale the image")
}
