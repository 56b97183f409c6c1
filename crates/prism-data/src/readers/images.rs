//! Images: how deep a reader looks into them, and where images that lie inside a
//! parquet file are put.
//!
//! Embedded images go, when their row is read, into a cache folder under the hash of
//! their bytes: memory holds a few rows at a time, a second reading writes nothing, and
//! the same image in two benchmarks is one file.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use prism_run::folder::hash_bytes;

use super::checks::At;
use crate::Result;

const PNG: &[u8] = &[0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A];
const JPEG: &[u8] = &[0xFF, 0xD8, 0xFF];

/// Names the cache folder.
pub const CACHE_VARIABLE: &str = "PRISM_CACHE";

/// How deep a reader by itself looks into images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Whether the file is there and begins like an image.
    Beginning,
    /// Also width and height, from the header.
    Header,
}

/// An image that is looked at.
#[derive(Debug, Clone, Copy)]
pub enum Picture<'a> {
    /// A file.
    File(&'a Path),
    /// Bytes inside a file, and the path that names their place.
    Bytes(&'a [u8], &'a Path),
}

/// Why an image cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// What is wrong with it.
    pub cause: String,
    /// What the user can do.
    pub remedy: String,
}

/// Looks at an image as whoever is to use it will. Images are decoded by the model's own decoder,
/// which is not this crate's: it is handed in, so that a check and a run cannot disagree.
pub type ImageCheck = fn(Picture<'_>) -> std::result::Result<(), Unusable>;

/// How images are looked at and where embedded ones go.
#[derive(Debug, Clone)]
pub struct Images {
    depth: Depth,
    check: Option<ImageCheck>,
    cache: Option<PathBuf>,
}

impl From<Depth> for Images {
    fn from(depth: Depth) -> Self {
        Self::looked_at(depth)
    }
}

impl Images {
    /// For reading: embedded images are extracted below `cache` (default:
    /// [`cache_folder`]) when their row is read.
    pub fn extracted(cache: Option<PathBuf>) -> Self {
        Self { depth: Depth::Beginning, check: None, cache: Some(cache.unwrap_or_else(cache_folder)) }
    }

    /// For looking: nothing is written; an embedded image's path names its place.
    pub fn looked_at(depth: Depth) -> Self {
        Self { depth, check: None, cache: None }
    }

    /// For a check that is handed in, once an image is there and begins like one; nothing is written.
    pub fn checked_by(check: ImageCheck) -> Self {
        Self { depth: Depth::Beginning, check: Some(check), cache: None }
    }

    /// Looks at an image file.
    pub(super) fn file(&self, path: &Path, at: &At<'_>) -> Result<()> {
        begins_like_an_image(path, at)?;
        let name = path.display().to_string();
        if self.depth == Depth::Header {
            let file =
                File::open(path).map_err(|e| at.error(format!("the image {name} cannot be read: {e}"), "give a readable image file"))?;
            header(BufReader::new(file), &name, at)?;
        }
        self.checked(Picture::File(path), &name, at)
    }

    /// What the check that was handed in says of an image.
    fn checked(&self, picture: Picture<'_>, name: &str, at: &At<'_>) -> Result<()> {
        let checked = self.check.map_or(Ok(()), |check| check(picture));
        checked.map_err(|Unusable { cause, remedy }| at.error(format!("{name}: {cause}"), remedy))
    }

    /// Looks at an embedded image and tells where it lies as a file.
    pub(super) fn embedded(&self, bytes: &[u8], name: &str, at: &At<'_>) -> Result<PathBuf> {
        let extension = match bytes {
            b if b.starts_with(PNG) => "png",
            b if b.starts_with(JPEG) => "jpg",
            _ => return Err(at.error(format!("{name} is not an image ({} bytes)", bytes.len()), "give PNG or JPEG bytes")),
        };
        if self.depth == Depth::Header {
            header(Cursor::new(bytes), name, at)?;
        }
        let place = at.path.join(name);
        self.checked(Picture::Bytes(bytes, &place), name, at)?;
        match &self.cache {
            None => Ok(place),
            Some(cache) => extract(cache, bytes, extension),
        }
    }
}

/// `$PRISM_CACHE`, else `prism` in the user's cache folder, else in the system's
/// folder for temporary files.
pub fn cache_folder() -> PathBuf {
    let given = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    given(CACHE_VARIABLE)
        .or_else(|| given("XDG_CACHE_HOME").map(|folder| folder.join("prism")))
        .or_else(|| given("HOME").map(|home| home.join(".cache/prism")))
        .unwrap_or_else(|| env::temp_dir().join("prism"))
}

/// Puts the bytes below `cache` unless they are there.
fn extract(cache: &Path, bytes: &[u8], extension: &str) -> Result<PathBuf> {
    let hash = hash_bytes(bytes);
    let (folder, name) = hash.split_at(2);
    let folder = cache.join("images").join(folder);
    let path = folder.join(format!("{name}.{extension}"));
    if fs::metadata(&path).is_ok_and(|there| there.len() == bytes.len() as u64) {
        return Ok(path);
    }
    let refused = |e: std::io::Error| {
        let at = At { path: cache, place: crate::Place::File };
        if e.kind() == std::io::ErrorKind::StorageFull {
            return prism_run::Error::io("cannot write images into the cache folder", cache, e).into();
        }
        at.error(
            format!("images cannot be put into the cache folder: {e}"),
            format!("set {CACHE_VARIABLE} to a folder that can be written"),
        )
    };
    fs::create_dir_all(&folder).map_err(refused)?;
    // A name of this process's own: two audits may extract the same image at once.
    let beside = folder.join(format!("{name}.{}.tmp", std::process::id()));
    fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, &path)).map_err(refused)?;
    Ok(path)
}

/// That `path` is a file that begins like an image the preprocessing can read.
fn begins_like_an_image(path: &Path, at: &At<'_>) -> Result<()> {
    let mut head = Vec::with_capacity(PNG.len());
    match File::open(path).and_then(|file| file.take(PNG.len() as u64).read_to_end(&mut head)) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Err(at.error(format!("the image {} does not exist", path.display()), "put it there, or correct the path or the image folder"))
        }
        Err(e) => Err(at.error(format!("the image {} cannot be read: {e}", path.display()), "give a readable image file")),
        Ok(_) if head.starts_with(PNG) || head.starts_with(JPEG) => Ok(()),
        Ok(_) => Err(at.error(format!("{} is not an image", path.display()), "give a PNG or JPEG file")),
    }
}

fn header(source: impl BufRead + Seek, name: &str, at: &At<'_>) -> Result<()> {
    let broken = |e: image::ImageError| at.error(format!("{name} is not a whole image: {e}"), "give a PNG or JPEG file");
    let reader = image::ImageReader::new(source).with_guessed_format().map_err(|e| broken(e.into()))?;
    reader.into_dimensions().map(drop).map_err(broken)
}

/// Width and height of an image, from its header.
pub(super) fn image_size(path: &Path, at: &At<'_>) -> Result<(u32, u32)> {
    begins_like_an_image(path, at)?;
    image::ImageReader::open(path)
        .and_then(image::ImageReader::with_guessed_format)
        .map_err(image::ImageError::from)
        .and_then(image::ImageReader::into_dimensions)
        .map_err(|e| at.error(format!("{} is not a whole image: {e}", path.display()), "give a PNG or JPEG file"))
}
