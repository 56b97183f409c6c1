//! As much of Thrift's compact protocol as it takes to read the sizes in a table's footer and in its pages' headers.
//!
//! The parquet library unpacks a page into as much memory as its header asks for, and goes as deep into a
//! schema as it is nested. So both are read here first. Source: the Thrift compact protocol and
//! `parquet.thrift` (PageHeader, FileMetaData).

/// Depth of nested structures; honest ones have three in a header, six in a table's footer.
const DEEPEST: usize = 12;

/// What a page's header says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageHeader {
    /// 0 data, 1 index, 2 dictionary, 3 data of version 2.
    pub kind: u64,
    /// Bytes of the page once unpacked.
    pub unpacked: u64,
    /// Bytes of the page in the file.
    pub packed: u64,
    /// Values in it, absent ones included.
    pub values: u64,
    /// How its values are written.
    pub encoding: u64,
    /// Bytes of the header itself.
    pub length: u64,
}

/// Reads the header at the beginning of `bytes`; `None` where it is damaged or cut off.
///
/// A number that is written twice counts as the larger one, a negative one is refused.
pub fn page_header(bytes: &[u8]) -> Option<PageHeader> {
    let mut reader = Reader { bytes, at: 0 };
    let mut header = PageHeader::default();
    let mut last = 0;
    while let Some((kind, id)) = reader.field(last)? {
        last = id;
        match id {
            1 => header.kind = reader.number(kind)?,
            2 => header.unpacked = header.unpacked.max(reader.number(kind)?),
            3 => header.packed = header.packed.max(reader.number(kind)?),
            // Headers of data, of a dictionary, and of data of version 2: values come first; the encoding is second, in the last fourth.
            5 | 7 => reader.values(kind, 2, &mut header)?,
            8 => reader.values(kind, 4, &mut header)?,
            _ => reader.skip(kind, DEEPEST)?,
        }
    }
    header.length = reader.at as u64;
    Some(header)
}

/// What a table's footer says of its shape.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shape {
    /// Elements of the schema.
    pub elements: u64,
    /// How deep they are nested.
    pub depth: usize,
    /// Row groups.
    pub groups: u64,
}

/// Reads the shape from a table's footer; `None` where it is damaged: more children, items or bytes are named than there are.
pub fn shape(bytes: &[u8]) -> Option<Shape> {
    let mut reader = Reader { bytes, at: 0 };
    let mut shape = Shape::default();
    let mut last = 0;
    while let Some((kind, id)) = reader.field(last)? {
        last = id;
        match id {
            2 => reader.schema(kind, &mut shape)?,
            4 => {
                let (item, count) = reader.list(kind)?;
                shape.groups = shape.groups.checked_add(count)?;
                reader.skip_items(item, count, DEEPEST)?;
            }
            _ => reader.skip(kind, DEEPEST)?,
        }
    }
    Some(shape)
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;
const UUID: u8 = 13;

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn forward(&mut self, by: u64) -> Option<()> {
        self.at = self.at.checked_add(usize::try_from(by).ok()?).filter(|at| *at <= self.bytes.len())?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The next field's type and number; `None` inside at the structure's end.
    fn field(&mut self, last: i64) -> Option<Option<(u8, i64)>> {
        let byte = self.byte()?;
        if byte & 0x0f == 0 {
            return Some(None);
        }
        let id = match byte >> 4 {
            0 => self.zigzag()?,
            step => last.checked_add(i64::from(step))?,
        };
        Some(Some((byte & 0x0f, id)))
    }

    /// A number that is not negative.
    fn number(&mut self, kind: u8) -> Option<u64> {
        match kind {
            I16..=I64 => u64::try_from(self.zigzag()?).ok(),
            _ => None,
        }
    }

    /// The count of values, field 1, and the encoding of a nested header.
    fn values(&mut self, kind: u8, encoding: i64, header: &mut PageHeader) -> Option<()> {
        if kind != STRUCT {
            return None;
        }
        let mut last = 0;
        while let Some((kind, id)) = self.field(last)? {
            last = id;
            match id {
                1 => header.values = header.values.max(self.number(kind)?),
                id if id == encoding => header.encoding = self.number(kind)?,
                _ => self.skip(kind, DEEPEST)?,
            }
        }
        Some(())
    }

    /// The schema's elements, parents before their children.
    fn schema(&mut self, kind: u8, shape: &mut Shape) -> Option<()> {
        let (item, count) = self.list(kind)?;
        shape.elements = shape.elements.checked_add(count)?;
        // Children that are still to come, of every element that is open.
        let mut open: Vec<u64> = Vec::new();
        for _ in 0..count {
            let children = self.children(item)?;
            if children > count {
                return None;
            }
            while open.last() == Some(&0) {
                open.pop();
            }
            if let Some(left) = open.last_mut() {
                *left -= 1;
            }
            if children > 0 {
                open.push(children);
                shape.depth = shape.depth.max(open.len());
            }
        }
        Some(())
    }

    /// The number of children of an element of the schema, field 5.
    fn children(&mut self, kind: u8) -> Option<u64> {
        if kind != STRUCT {
            return None;
        }
        let (mut last, mut children) = (0, 0);
        while let Some((kind, id)) = self.field(last)? {
            last = id;
            match id {
                5 => children = self.number(kind)?.max(children),
                _ => self.skip(kind, DEEPEST)?,
            }
        }
        Some(children)
    }

    /// Kind and number of a list's items, each of which takes a byte at least.
    fn list(&mut self, kind: u8) -> Option<(u8, u64)> {
        if kind != LIST && kind != SET {
            return None;
        }
        let byte = self.byte()?;
        let count = if byte >> 4 == 15 { self.varint()? } else { u64::from(byte >> 4) };
        (count <= (self.bytes.len() - self.at) as u64).then_some((byte & 0x0f, count))
    }

    fn skip(&mut self, kind: u8, deep: usize) -> Option<()> {
        let deeper = deep.checked_sub(1)?;
        match kind {
            TRUE | FALSE => Some(()),
            BYTE => self.forward(1),
            I16..=I64 => self.varint().map(drop),
            DOUBLE => self.forward(8),
            BINARY => {
                let length = self.varint()?;
                self.forward(length)
            }
            LIST | SET => {
                let (item, count) = self.list(kind)?;
                self.skip_items(item, count, deeper)
            }
            MAP => {
                let count = self.varint()?;
                if count == 0 {
                    return Some(());
                }
                let kinds = self.byte()?;
                for _ in 0..count {
                    self.skip_items(kinds >> 4, 1, deeper)?;
                    self.skip_items(kinds & 0x0f, 1, deeper)?;
                }
                Some(())
            }
            STRUCT => {
                let mut last = 0;
                while let Some((kind, id)) = self.field(last)? {
                    last = id;
                    self.skip(kind, deeper)?;
                }
                Some(())
            }
            UUID => self.forward(16),
            _ => None,
        }
    }

    /// Items of a list; truth values take a byte there.
    fn skip_items(&mut self, kind: u8, count: u64, deep: usize) -> Option<()> {
        for _ in 0..count {
            match kind {
                TRUE | FALSE => self.forward(1)?,
                kind => self.skip(kind, deep)?,
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// kind 0, unpacked 10, packed 7, data header with 5 values and encoding 8.
    const HEADER: &[u8] = &[0x15, 0x00, 0x15, 0x14, 0x15, 0x0e, 0x2c, 0x15, 0x0a, 0x15, 0x10, 0x15, 0x06, 0x15, 0x06, 0x00, 0x00];

    #[test]
    fn sizes_are_read_and_what_is_cut_off_is_refused() {
        let expected = PageHeader { kind: 0, unpacked: 10, packed: 7, values: 5, encoding: 8, length: HEADER.len() as u64 };
        assert_eq!(page_header(HEADER), Some(expected));
        for end in 0..HEADER.len() {
            assert_eq!(page_header(&HEADER[..end]), None, "{end}");
        }
    }

    #[test]
    fn the_larger_of_two_sizes_counts_and_a_negative_one_is_refused() {
        // Field 2 again, as a field with its number written out, holding 100.
        let mut twice = HEADER[..HEADER.len() - 1].to_vec();
        twice.extend([0x05, 0x04, 0xc8, 0x01, 0x00]);
        assert_eq!(page_header(&twice).map(|header| header.unpacked), Some(100));
        let mut negative = HEADER.to_vec();
        negative[3] = 0x01;
        assert_eq!(page_header(&negative), None);
    }

    /// A table's footer: version 1, a schema whose elements have these numbers of children, no row group.
    fn end(children: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x15, 0x02, 0x19, 0xfc, children.len() as u8];
        children.iter().for_each(|n| bytes.extend([0x55, 2 * n, 0x00]));
        bytes.extend([0x16, 0x00, 0x19, 0x0c, 0x00]);
        bytes
    }

    #[test]
    fn a_schema_says_how_deep_it_is() {
        assert_eq!(shape(&end(&[2, 0, 0])), Some(Shape { elements: 3, depth: 1, groups: 0 }));
        assert_eq!(shape(&end(&[2, 1, 1, 0, 0])), Some(Shape { elements: 5, depth: 3, groups: 0 }));
        assert_eq!(shape(&end(&[1; 60])).map(|shape| shape.depth), Some(60));
        // More children than there are elements.
        assert_eq!(shape(&end(&[9, 0])), None);
        let whole = end(&[2, 0, 0]);
        assert!((0..whole.len()).all(|cut| shape(&whole[..cut]).is_none()));
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = vec![0x9c; 100];
        assert_eq!(page_header(&deep), None);
    }
}
