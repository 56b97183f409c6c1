//! What a file that should be an image is, told from its first bytes and never from its name.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Opens an image file. A pipe is not waited for, and a device not read.
///
/// # Errors
/// It cannot be opened, or is no regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let file = File::from(rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
    }
}

/// Bytes of a file's beginning that [`Kind::of`] looks at, at most.
pub const HEAD: usize = 512;

/// What begins so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PNG, with or without frames.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    WebP,
    /// GIF.
    Gif,
    /// BMP.
    Bmp,
    /// TIFF and BigTIFF.
    Tiff,
    /// PBM, PGM, PPM, and PFM of one channel.
    Pnm,
    /// An image of a kind that is not read: its name.
    OtherImage(&'static str),
    /// What Git LFS leaves in the place of a file that was not fetched.
    LfsPointer,
    /// What git-annex leaves in the place of a file that was not fetched.
    AnnexPointer,
    /// No bytes at all.
    Empty,
    /// Something that is no image, called so.
    Other(&'static str),
    /// Nothing that is known.
    Unknown,
}

/// Beginnings that settle what a file is.
const BEGINNINGS: [(&[u8], Kind); 40] = [
    (b"\x89PNG\r\n\x1a\n", Kind::Png),
    (b"\xff\xd8\xff", Kind::Jpeg),
    (b"GIF87a", Kind::Gif),
    (b"GIF89a", Kind::Gif),
    (b"II*\0", Kind::Tiff),
    (b"MM\0*", Kind::Tiff),
    (b"II+\0", Kind::Tiff),
    (b"MM\0+", Kind::Tiff),
    (b"BM", Kind::Bmp),
    (b"\0\0\0\x0cjP  ", Kind::OtherImage("JPEG 2000")),
    (b"\xff\x4f\xff\x51", Kind::OtherImage("JPEG 2000")),
    (b"\0\0\0\x0cJXL ", Kind::OtherImage("JPEG XL")),
    (b"\xff\x0a", Kind::OtherImage("JPEG XL")),
    (b"\0\0\x01\0", Kind::OtherImage("ICO")),
    (b"8BPS", Kind::OtherImage("Photoshop")),
    (b"qoif", Kind::OtherImage("QOI")),
    (b"DDS ", Kind::OtherImage("DDS")),
    (b"icns", Kind::OtherImage("ICNS")),
    (b"\x76\x2f\x31\x01", Kind::OtherImage("OpenEXR")),
    (b"#?RADIANCE", Kind::OtherImage("Radiance HDR")),
    (b"\x01\xda", Kind::OtherImage("SGI")),
    (b"\x0a\x05\x01", Kind::OtherImage("PCX")),
    (b"BLP1", Kind::OtherImage("BLP")),
    (b"BLP2", Kind::OtherImage("BLP")),
    (b"DanM", Kind::OtherImage("Microsoft Paint")),
    (b"LinS", Kind::OtherImage("Microsoft Paint")),
    (b"(\0\0\0", Kind::OtherImage("DIB")),
    (b"Image type:", Kind::OtherImage("IFUNC IM")),
    (b"/* XPM", Kind::OtherImage("XPM")),
    (b"P7\n", Kind::OtherImage("PAM")),
    (b"PF\n", Kind::OtherImage("PFM of three channels")),
    (b"version https://git-lfs", Kind::LfsPointer),
    (b"/annex/objects/", Kind::AnnexPointer),
    (b"%PDF", Kind::Other("a PDF file")),
    (b"PK\x03\x04", Kind::Other("a ZIP archive")),
    (b"\x1f\x8b", Kind::Other("a gzip file")),
    (b"PAR1", Kind::Other("a parquet file")),
    (b"\x93NUMPY", Kind::Other("a NumPy array")),
    (b"\x1aE\xdf\xa3", Kind::Other("a Matroska or WebM video")),
    (b"Rar!", Kind::Other("a RAR archive")),
];

/// Brands of the container that HEIC, AVIF and MP4 share.
const BRANDS: [(&[u8], Kind); 8] = [
    (b"avif", Kind::OtherImage("AVIF")),
    (b"avis", Kind::OtherImage("AVIF")),
    (b"heic", Kind::OtherImage("HEIC")),
    (b"heix", Kind::OtherImage("HEIC")),
    (b"hevc", Kind::OtherImage("HEIC")),
    (b"mif1", Kind::OtherImage("HEIF")),
    (b"msf1", Kind::OtherImage("HEIF")),
    (b"crx ", Kind::OtherImage("Canon raw")),
];

impl Kind {
    /// What a file is that begins so; `head` is the whole file or its first [`HEAD`] bytes.
    pub fn of(head: &[u8]) -> Self {
        if head.is_empty() {
            return Self::Empty;
        }
        if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
            return Self::WebP;
        }
        if head.get(4..8) == Some(b"ftyp") {
            let brand = head.get(8..12).unwrap_or_default();
            return BRANDS.iter().find(|(name, _)| *name == brand).map_or(Self::Other("a video"), |(_, kind)| *kind);
        }
        if let [b'P', b'1'..=b'6' | b'f', after, ..] = head
            && after.is_ascii_whitespace()
        {
            return Self::Pnm;
        }
        BEGINNINGS.iter().find(|(beginning, _)| head.starts_with(beginning)).map_or_else(|| of_text(head), |(_, kind)| *kind)
    }

    /// Whether images of this kind are read.
    pub fn is_read(self) -> bool {
        self.extension().is_some()
    }

    /// The end of a file name of an image that is read.
    pub fn extension(self) -> Option<&'static str> {
        match self {
            Self::Png => Some("png"),
            Self::Jpeg => Some("jpg"),
            Self::WebP => Some("webp"),
            Self::Gif => Some("gif"),
            Self::Bmp => Some("bmp"),
            Self::Tiff => Some("tiff"),
            Self::Pnm => Some("pnm"),
            _ => None,
        }
    }

    /// Of what is not read: what it is, as the rest of a sentence about the file, and what to do.
    pub fn refusal(self) -> (String, &'static str) {
        match self {
            Self::OtherImage(name) => (format!("is an image of a kind that is not read ({name})"), "convert it to PNG"),
            Self::LfsPointer => {
                ("is a Git-LFS pointer: the image itself was not fetched".into(), "fetch it with `git lfs pull`, or download the image")
            }
            Self::AnnexPointer => {
                ("is a git-annex pointer: the image itself was not fetched".into(), "fetch it with `git annex get`, or download the image")
            }
            Self::Empty => ("is empty".into(), "put the image there again"),
            Self::Other(name) => (format!("is not an image but {name}"), "put the image there"),
            _ => ("is not an image".into(), "give a PNG, JPEG, WebP, GIF, BMP, TIFF or PPM file"),
        }
    }
}

/// What a file is that begins as text.
fn of_text(head: &[u8]) -> Kind {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let lower: Vec<u8> = text.iter().take(HEAD).map(u8::to_ascii_lowercase).collect();
    let begins = |word: &[u8]| lower.starts_with(word);
    let holds = |word: &[u8]| lower.windows(word.len()).any(|part| part == word);
    match () {
        () if begins(b"<svg") || (begins(b"<?xml") && holds(b"<svg")) => Kind::OtherImage("SVG"),
        () if begins(b"%!ps") => Kind::OtherImage("PostScript"),
        () if begins(b"#define") && holds(b"_width") => Kind::OtherImage("XBM"),
        () if begins(b"<!doctype html") || begins(b"<html") => Kind::Other("a web page"),
        () if begins(b"<?xml") => Kind::Other("an XML file"),
        () if begins(b"{") || begins(b"[") => Kind::Other("a JSON file"),
        () => Kind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_a_file_tells_what_it_is() {
        for (head, kind) in [
            (&b"RIFF\x10\0\0\0WEBPVP8 "[..], Kind::WebP),
            (b"RIFF\x10\0\0\0WAVEfmt ", Kind::Unknown),
            (b"P6\n3 4\n", Kind::Pnm),
            (b"P5#a comment", Kind::Unknown),
            (b"P6x", Kind::Unknown),
            (b"PK\x03\x04", Kind::Other("a ZIP archive")),
            (b"\0\0\0\x1cftypavif", Kind::OtherImage("AVIF")),
            (b"\0\0\0\x1cftypisom", Kind::Other("a video")),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:", Kind::LfsPointer),
            (b" <!DOCTYPE html>", Kind::Other("a web page")),
            (b"<?xml version='1.0'?><svg>", Kind::OtherImage("SVG")),
            (b"%!PS-Adobe-3.0 EPSF-3.0", Kind::OtherImage("PostScript")),
            (b"#define a_width 8", Kind::OtherImage("XBM")),
            (b"#define WIDE 8", Kind::Unknown),
            (b"/* XPM */", Kind::OtherImage("XPM")),
            (b"\x01\xda\x01\x01", Kind::OtherImage("SGI")),
            (b"hello", Kind::Unknown),
            (b"", Kind::Empty),
        ] {
            assert_eq!(Kind::of(head), kind, "{head:?}");
        }
    }
}
