//! How much a file of a run may ask for: every limit in one place.
//!
//! They are far above what an honest run needs. `--limits FACTOR` multiplies all of them.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Error;

/// What the limits are multiplied by.
static FACTOR: AtomicU32 = AtomicU32::new(1);

/// Multiplies every limit of this process by `factor`, 1 to 1000.
pub fn raise(factor: u32) {
    FACTOR.store(factor.clamp(1, 1000), Ordering::Relaxed);
}

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident = $value:expr, $what:literal, $unit:ident;)*) => {
        /// One limit on files that others may have made.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Limit {
            $($(#[doc = $doc])+ $name,)*
        }

        impl Limit {
            /// Every limit.
            pub const ALL: &[Limit] = &[$(Limit::$name),*];

            /// Its number before `--limits`.
            pub const fn usual(self) -> u64 {
                match self { $(Limit::$name => $value,)* }
            }

            /// What it counts, for messages and the documentation.
            pub const fn what(self) -> &'static str {
                match self { $(Limit::$name => $what,)* }
            }

            const fn unit(self) -> Unit {
                match self { $(Limit::$name => Unit::$unit,)* }
            }
        }
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    Count,
    Pixels,
}

limits! {
    /// `run.json` and the other small JSON files of a run.
    Manifest = 4 << 20, "bytes of a manifest", Bytes;
    /// Recipes, protocols and benchmark descriptions.
    Recipe = 1 << 20, "bytes of a recipe, a protocol or a description", Bytes;
    /// `log.jsonl`.
    Log = 256 << 20, "bytes of a training's log", Bytes;
    /// `report.html`, where the explorer shows it.
    Report = 64 << 20, "bytes of a report shown by the explorer", Bytes;
    /// Rows of a table of records.
    Rows = 20_000_000, "rows of a table", Count;
    /// Rows of a table of findings.
    FindingRows = 20_000, "rows of a table of findings", Count;
    /// Rows of one example in a table of records.
    ExampleRows = 20_000, "rows of one example in a table", Count;
    /// Columns of a table.
    Columns = 2_000, "columns of a table", Count;
    /// Row groups of a table.
    RowGroups = 100_000, "row groups of a table", Count;
    /// The footer of a table, which says what it holds.
    TableFooter = 16 << 20, "bytes of a table's footer", Bytes;
    /// One text of a table.
    Text = 256 << 10, "bytes of one text in a table", Bytes;
    /// Items of one list of a table.
    List = 1_000_000, "items of one list in a table", Count;
    /// One page of a table, unpacked.
    Page = 32 << 20, "bytes of one page of a table, unpacked", Bytes;
    /// The pages of a table that are unpacked at once: of every column one, and its dictionary.
    Unpacked = 128 << 20, "bytes of the pages of a table, unpacked at once", Bytes;
    /// A table in memory as a whole, where its file is small; larger files may take [`PER_BYTE`] times their length beyond.
    Table = 256 << 20, "bytes of a table in memory", Bytes;
    /// A table of findings in memory, likewise.
    FindingTable = 16 << 20, "bytes of a table of findings in memory", Bytes;
    /// All tables that a process holds, likewise: what they take beyond [`PER_BYTE`] times the length of their files.
    Held = 256 << 20, "bytes of all tables in memory at once", Bytes;
    /// One image that a page embeds or that an explorer shows.
    ImageFile = 64 << 20, "bytes of an image file", Bytes;
    /// Its pixels.
    ImagePixels = 64 << 20, "pixels of an image", Pixels;
    /// `latents.safetensors`, or an optimizer's state: its header.
    TensorHeader = 16 << 20, "bytes of the header of a file of vectors", Bytes;
    /// Vectors of one name, over all shards: what sorts them is held in memory.
    VectorRows = 4_000_000, "vectors of one name", Count;
    /// A checkpoint's configuration, or another of its small files.
    Settings = 16 << 20, "bytes of a checkpoint's configuration", Bytes;
    /// Shards of one run.
    Shards = 100_000, "shards of a run", Count;
}

/// Bytes in memory that each byte of a table's file may stand for beyond [`Limit::Table`].
pub const PER_BYTE: u64 = 16;

impl Limit {
    /// Its number.
    pub fn value(self) -> u64 {
        self.usual().saturating_mul(u64::from(FACTOR.load(Ordering::Relaxed)))
    }

    /// Its number, for what is counted in memory.
    pub fn size(self) -> usize {
        usize::try_from(self.value()).unwrap_or(usize::MAX)
    }

    /// Its number as people write it.
    pub fn words(self) -> String {
        let value = self.value();
        match self.unit() {
            Unit::Bytes if value >= 1 << 20 => format!("{} MiB", value >> 20),
            Unit::Bytes => format!("{} KiB", value >> 10),
            Unit::Pixels => format!("{} million", value / 1_000_000),
            Unit::Count => value.to_string(),
        }
    }

    /// The cause, as told of a file that asks for more.
    pub fn cause(self) -> String {
        format!("asks for more than {} {}", self.words(), self.noun())
    }

    /// What is counted, without the unit that the number bears already.
    fn noun(self) -> &'static str {
        match self.unit() {
            Unit::Bytes => self.what().strip_prefix("bytes ").unwrap_or(self.what()),
            Unit::Count | Unit::Pixels => self.what(),
        }
    }

    /// The error of a file that asks for more.
    pub fn exceeded(self, path: &Path) -> Error {
        Error::content(path, self.cause(), RAISE)
    }
}

/// What to do about a file beyond a limit.
pub const RAISE: &str = "if you trust it, raise the limits with `--limits 4`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_says_its_number_and_how_to_raise_it() {
        let told = Limit::Rows.exceeded(Path::new("t.parquet")).to_string();
        assert!(told.contains("20000000 rows of a table") && told.contains("--limits"), "{told}");
        assert_eq!(Limit::Text.cause(), "asks for more than 256 KiB of one text in a table");
    }
}
