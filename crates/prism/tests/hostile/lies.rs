//! Tables whose headers lie: a few bytes that ask a reader for gigabytes, or for a call a level.
//!
//! They are written by hand, in Thrift's compact protocol, for no honest writer makes them.

use std::fs;

use crate::child::{merge, readers};
use crate::explorer::walked;
use crate::honest::{Mailed, change, manifest};

/// Kinds of values in the compact protocol.
const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// A struct being written, field by field in ascending order.
#[derive(Default)]
struct Fields {
    bytes: Vec<u8>,
    last: u8,
}

impl Fields {
    fn head(mut self, field: u8, kind: u8) -> Self {
        self.bytes.push(((field - self.last) << 4) | kind);
        self.last = field;
        self
    }

    fn number(self, field: u8, kind: u8, value: i64) -> Self {
        let mut fields = self.head(field, kind);
        fields.bytes.extend(zigzag(value));
        fields
    }

    fn text(self, field: u8, text: &str) -> Self {
        let mut fields = self.head(field, BINARY);
        fields.bytes.extend(varint(text.len() as u64));
        fields.bytes.extend(text.as_bytes());
        fields
    }

    fn raw(self, field: u8, kind: u8, bytes: &[u8]) -> Self {
        let mut fields = self.head(field, kind);
        fields.bytes.extend(bytes);
        fields
    }

    fn list(self, field: u8, kind: u8, items: &[Vec<u8>]) -> Self {
        self.raw(field, LIST, &[vec![0xf0 | kind], varint(items.len() as u64), items.concat()].concat())
    }

    fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 127 {
        bytes.push((value & 127) as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn zigzag(value: i64) -> Vec<u8> {
    varint(((value << 1) ^ (value >> 63)) as u64)
}

/// A group of the schema.
fn group(name: &str, children: i64) -> Vec<u8> {
    Fields::default().number(3, I32, 0).text(4, name).number(5, I32, children).end()
}

/// A column of texts.
fn leaf() -> Vec<u8> {
    Fields::default().number(1, I32, 6).number(3, I32, 0).text(4, "text").number(6, I32, 0).end()
}

/// A file of this schema, these pages and these row groups.
fn file(schema: &[Vec<u8>], pages: &[u8], groups: &[Vec<u8>]) -> Vec<u8> {
    let footer = Fields::default().number(1, I32, 1).list(2, STRUCT, schema).number(3, I64, 1).list(4, STRUCT, groups);
    closed(pages, &footer.end())
}

fn closed(pages: &[u8], footer: &[u8]) -> Vec<u8> {
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [b"PAR1".as_slice(), pages, footer, &length, b"PAR1"].concat()
}

/// The row group whose one column starts with the pages; `dictionary` is the length of its first page where that is one.
fn column(pages: &[u8], dictionary: Option<usize>, codec: i64) -> Vec<u8> {
    let length = pages.len() as i64;
    let data = 4 + dictionary.unwrap_or_default() as i64;
    let mut about = Fields::default()
        .number(1, I32, 6)
        .list(2, I32, &[zigzag(0), zigzag(8)])
        .list(3, BINARY, &[[varint(4), b"text".to_vec()].concat()])
        .number(4, I32, codec)
        .number(5, I64, 1)
        .number(6, I64, length)
        .number(7, I64, length)
        .number(9, I64, data);
    if dictionary.is_some() {
        about = about.number(11, I64, 4);
    }
    let chunk = Fields::default().number(2, I64, 4).raw(3, STRUCT, &about.end()).end();
    Fields::default().list(1, STRUCT, &[chunk]).number(2, I64, length).number(3, I64, 1).end()
}

/// Kinds of pages: of plain values, of places in a dictionary, and the dictionary.
#[derive(Clone, Copy)]
enum Page {
    Plain,
    Places,
    Dictionary,
}

/// A page that says it unpacks to `unpacked` bytes and holds `values` values.
fn page(kind: Page, unpacked: i64, values: i64, content: &[u8]) -> Vec<u8> {
    let (number, field, encoding) = match kind {
        Page::Plain => (0, 5, 0),
        Page::Places => (0, 5, 8),
        Page::Dictionary => (2, 7, 0),
    };
    let about = Fields::default().number(1, I32, values).number(2, I32, encoding);
    let about = if number == 0 { about.number(3, I32, 3).number(4, I32, 3) } else { about };
    let header = Fields::default().number(1, I32, number).number(2, I32, unpacked).number(3, I32, content.len() as i64);
    [header.raw(field, STRUCT, &about.end()).end(), content.to_vec()].concat()
}

/// Zeros, packed by zstd: four bytes for each 128 KiB.
fn zeros(blocks: u32) -> Vec<u8> {
    const BLOCK: u32 = 1 << 17;
    let mut packed = [[0x28, 0xb5, 0x2f, 0xfd, 0xa0].as_slice(), &(blocks * BLOCK).to_le_bytes()].concat();
    for number in 1..=blocks {
        let head = (BLOCK << 3) | 2 | u32::from(number == blocks);
        packed.extend([&head.to_le_bytes()[..3], &[0]].concat());
    }
    packed
}

/// Puts such a file in the place of tables of every kind, and looks at all commands and pages.
fn refused(table: &[u8]) {
    assert!(table.len() < 4 << 20, "a small file");
    for name in ["findings/table1.parquet", "findings/warnings.parquet", "records/examples.parquet", "records/steps.parquet"] {
        let mailed = Mailed::new();
        for folder in mailed.all().iter().filter(|folder| folder.join(name).exists()) {
            fs::write(folder.join(name), table).unwrap();
        }
        let file = name.rsplit('/').next().unwrap();
        let commands = readers(&mailed.run(), &mailed.beside("page.html"));
        for ended in commands.iter().chain([&merge(&mailed.run())]).filter(|ended| ended.code == 3) {
            ended.refused(file);
        }
        if name.starts_with("findings") {
            assert!(commands.iter().all(|ended| ended.code == 3), "{commands:?}");
        }
        walked(&mailed.run());
    }
}

#[test]
fn a_schema_of_many_levels() {
    let levels = 100_000;
    let groups = std::iter::once(group("schema", 1)).chain((0..levels).map(|_| group("g", 1)));
    refused(&file(&groups.chain([leaf()]).collect::<Vec<_>>(), &[], &[]));
}

#[test]
fn a_schema_that_promises_two_billion_columns() {
    refused(&file(&[group("schema", i64::from(i32::MAX)), leaf()], &[], &[]));
}

#[test]
fn a_dictionary_that_promises_two_billion_words() {
    let dictionary = page(Page::Dictionary, 5, i64::from(i32::MAX), b"\x01\0\0\0a");
    let pages = [dictionary.clone(), page(Page::Places, 3, 1, &[1, 2, 0])].concat();
    refused(&file(&[group("schema", 1), leaf()], &pages, &[column(&pages, Some(dictionary.len()), 0)]));
}

#[test]
fn a_page_that_unpacks_to_two_gigabytes() {
    let blocks = 15_000;
    let packed = zeros(blocks);
    let pages = page(Page::Plain, i64::from(blocks) << 17, 1, &packed);
    refused(&file(&[group("schema", 1), leaf()], &pages, &[column(&pages, None, 6)]));
    // One that says less than it unpacks to.
    let pages = page(Page::Plain, 100, 1, &packed);
    refused(&file(&[group("schema", 1), leaf()], &pages, &[column(&pages, None, 6)]));
}

#[test]
fn lists_that_promise_two_billion_items_and_structs_a_million_deep() {
    let many = [vec![0xf0 | STRUCT], varint(i32::MAX as u64)].concat();
    let begun = || Fields::default().number(1, I32, 1);
    refused(&closed(&[], &begun().raw(2, LIST, &many).end()));
    let schema = [group("schema", 1), leaf()];
    refused(&closed(&[], &begun().list(2, STRUCT, &schema).number(3, I64, 1).raw(4, LIST, &many).end()));
    let deep = vec![0x10 | STRUCT; 1_000_000];
    refused(&closed(&[], &begun().list(2, STRUCT, &schema).number(3, I64, 1).list(4, STRUCT, &[]).raw(12, STRUCT, &deep).end()));
}

#[test]
fn shards_that_count_more_than_any_number() {
    let mailed = Mailed::new();
    for shard in &mailed.all()[1..] {
        change(shard, |whole| {
            whole["outcomes"] = serde_json::json!({"scored": u64::MAX, "no_answer": u64::MAX});
            whole["causes"] = serde_json::json!({"other": u64::MAX});
        });
    }
    let ended = merge(&mailed.run());
    assert_eq!(ended.code, 0, "{ended:?}");
    let merged = manifest(&mailed.beside("merged"));
    assert_eq!(merged["outcomes"]["scored"], u64::MAX);
    assert_eq!(merged["causes"]["other"], u64::MAX);
}
