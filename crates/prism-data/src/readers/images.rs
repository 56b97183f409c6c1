//! Images: how deep a reader looks into them, and where images that lie inside a
//! parquet file are put.
//!
//! Embedded images go, when their row is read, into a cache folder under the hash of
//! their bytes: memory holds a few rows at a time, a second reading writes nothing, and
//! the same image in two benchmarks is one file.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use prism_run::folder::hash_bytes;
use prism_run::picture::{self, HEAD, Kind};

use serde::Serialize;

use super::checks::At;
use crate::Result;

/// What to do about an image whose header cannot be read.
const WHOLE: &str = "replace the file or convert it to PNG";

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

/// Something about an image that can be used, and of which its user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// What is remarked of images, as the rest of a sentence about them: the same words for all of a kind.
    pub what: &'static str,
    /// This image's own part of it.
    pub said: String,
}

/// Remarks of one kind, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remarks {
    /// What is remarked, e.g. `say by EXIF how they are to be turned`.
    pub what: &'static str,
    /// Images of which it is.
    pub images: usize,
    /// The first of them, and its own part.
    pub first: String,
}

/// Looks at an image as whoever is to use it will. Images are decoded by the model's own decoder,
/// which is not this crate's: it is handed in, so that a check and a run cannot disagree.
pub type ImageCheck = fn(Picture<'_>) -> std::result::Result<Vec<Remark>, Unusable>;

/// How images are looked at and where embedded ones go.
#[derive(Debug, Clone)]
pub struct Images {
    depth: Depth,
    check: Option<ImageCheck>,
    cache: Option<PathBuf>,
    /// What was remarked so far; shared by clones.
    remarks: Arc<Mutex<Vec<Remarks>>>,
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
        Self { cache: Some(cache.unwrap_or_else(cache_folder)), ..Self::looked_at(Depth::Beginning) }
    }

    /// For looking: nothing is written; an embedded image's path names its place.
    pub fn looked_at(depth: Depth) -> Self {
        Self { depth, check: None, cache: None, remarks: Arc::default() }
    }

    /// For a check that is handed in, once an image is there and begins like one; nothing is written.
    pub fn checked_by(check: ImageCheck) -> Self {
        Self { check: Some(check), ..Self::looked_at(Depth::Beginning) }
    }

    /// Looks at an image file.
    pub(super) fn file(&self, path: &Path, at: &At<'_>) -> Result<()> {
        begins_like_an_image(path, at)?;
        let name = path.display().to_string();
        if self.depth == Depth::Header {
            let file =
                picture::open(path).map_err(|e| at.error(format!("the image {name} cannot be read: {e}"), "give a readable image file"))?;
            header(BufReader::new(file), &name, at)?;
        }
        self.checked(Picture::File(path), &name, at)
    }

    /// What the check that was handed in says of an image.
    fn checked(&self, picture: Picture<'_>, name: &str, at: &At<'_>) -> Result<()> {
        let checked = self.check.map_or(Ok(Vec::new()), |check| check(picture));
        let found = checked.map_err(|Unusable { cause, remedy }| at.error(format!("{name}: {cause}"), remedy))?;
        let mut remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        for remark in found {
            match remarks.iter_mut().find(|known| known.what == remark.what) {
                Some(known) => known.images += 1,
                None => remarks.push(Remarks { what: remark.what, images: 1, first: format!("{name}, {}", remark.said) }),
            }
        }
        Ok(())
    }

    /// What was remarked of the images that were looked at, by kind.
    pub fn remarks(&self) -> Vec<Remarks> {
        self.remarks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at an embedded image and tells where it lies as a file.
    pub(super) fn embedded(&self, bytes: &[u8], name: &str, at: &At<'_>) -> Result<PathBuf> {
        let kind = Kind::of(bytes);
        let Some(extension) = kind.extension() else {
            let (said, remedy) = kind.refusal();
            return Err(at.error(format!("{name} {said} ({} bytes)", bytes.len()), remedy));
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
    let mut head = Vec::with_capacity(HEAD);
    match picture::open(path).and_then(|file| file.take(HEAD as u64).read_to_end(&mut head)) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Err(at.error(format!("the image {} does not exist", path.display()), "put it there, or correct the path or the image folder"))
        }
        Err(e) => Err(at.error(format!("the image {} cannot be read: {e}", path.display()), "give a readable image file")),
        Ok(_) if Kind::of(&head).is_read() => Ok(()),
        Ok(_) => {
            let (said, remedy) = Kind::of(&head).refusal();
            Err(at.error(format!("{} {said}", path.display()), remedy))
        }
    }
}

fn header(source: impl BufRead + Seek, name: &str, at: &At<'_>) -> Result<()> {
    let broken = |e: image::ImageError| at.error(format!("{name} is not a whole image: {e}"), WHOLE);
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
        .map_err(|e| at.error(format!("{} is not a whole image: {e}", path.display()), WHOLE))
}
