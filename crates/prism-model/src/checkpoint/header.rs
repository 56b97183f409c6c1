//! The header of a safetensors file: read and checked by hand, so that everything
//! wrong with a file is told at once, not only the first thing.
//!
//! Eight bytes of length, little-endian, then that many bytes of JSON: each tensor's
//! dtype, shape and place behind the header.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;

/// Longest header accepted, as in the `safetensors` library.
const MOST_HEADER: usize = 100_000_000;

/// A tensor as its header describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// As written in the file, e.g. `BF16`.
    pub dtype: String,
    /// Rows first.
    pub shape: Vec<usize>,
    /// Its bytes in the file; beyond the end when the file is cut off.
    pub range: Range<usize>,
}

/// What a file's header says, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// Tensors by the name they are stored under.
    pub tensors: BTreeMap<String, Stored>,
    /// One line each, without the file's name.
    pub faults: Vec<String>,
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

impl Header {
    /// Reads the header of a whole file.
    pub fn read(file: &[u8]) -> Self {
        match Self::parse(file) {
            Ok(header) => header,
            Err(fault) => Self { tensors: BTreeMap::new(), faults: vec![fault] },
        }
    }

    fn parse(file: &[u8]) -> Result<Self, String> {
        let no = |cause: String| format!("is not a safetensors file ({cause})");
        let length: [u8; 8] =
            file.get(..8).and_then(|b| b.try_into().ok()).ok_or_else(|| no(format!("it has {} bytes in all", file.len())))?;
        let length = usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > MOST_HEADER {
            return Err(no(format!("its header would be {length} bytes long")));
        }
        let start = 8 + length;
        let header =
            file.get(8..start).ok_or_else(|| format!("is cut off inside its header ({} of {start} bytes are there)", file.len()))?;
        let mut raw: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(header).map_err(|e| no(format!("its header is not JSON: {e}")))?;
        raw.remove("__metadata__");
        let mut found = Self::default();
        for (name, value) in raw {
            match serde_json::from_value::<Entry>(value) {
                Ok(entry) => found.add(name, entry, start),
                Err(e) => found.faults.push(format!("`{name}` is not described as a tensor ({e})")),
            }
        }
        found.check_places(start, file.len());
        Ok(found)
    }

    fn add(&mut self, name: String, entry: Entry, start: usize) {
        let [from, to] = entry.data_offsets;
        let (Some(first), Some(last)) = (start.checked_add(from), start.checked_add(to).filter(|_| from <= to)) else {
            self.faults.push(format!("`{name}` lies at impossible offsets {from} to {to}"));
            return;
        };
        let elements = entry.shape.iter().try_fold(1usize, |n, &side| n.checked_mul(side));
        if let Some(bytes) = bytes_of(&entry.dtype)
            && elements.and_then(|n| n.checked_mul(bytes)) != Some(to - from)
        {
            self.faults.push(format!("`{name}` is {:?} {} in {} bytes, which do not fit each other", entry.shape, entry.dtype, to - from));
        }
        self.tensors.insert(name, Stored { dtype: entry.dtype, shape: entry.shape, range: first..last });
    }

    /// Tensors follow each other without gap or overlap, up to the file's end.
    fn check_places(&mut self, start: usize, length: usize) {
        let mut places: Vec<(&Range<usize>, &str)> = self.tensors.iter().map(|(name, t)| (&t.range, name.as_str())).collect();
        places.sort_by_key(|(range, _)| (range.start, range.end));
        let mut end = start;
        let mut faults = Vec::new();
        for (range, name) in &places {
            match range.start.cmp(&end) {
                std::cmp::Ordering::Less => faults.push(format!("`{name}` overlaps the tensor before it")),
                std::cmp::Ordering::Greater => {
                    faults.push(format!("`{name}` begins {} bytes behind the tensor before it", range.start - end))
                }
                std::cmp::Ordering::Equal => {}
            }
            end = end.max(range.end);
        }
        if end > length {
            let beyond = places.iter().filter(|(range, _)| range.end > length).count();
            faults.push(format!("is cut off: its header announces {end} bytes, {length} are there ({beyond} tensors lie beyond the end)"));
        } else if end < length {
            faults.push(format!("has {} bytes more than its header announces", length - end));
        }
        self.faults.extend(faults);
    }
}

/// Bytes of one number; `None` for a dtype that is not known.
fn bytes_of(dtype: &str) -> Option<usize> {
    match dtype {
        "F64" | "I64" | "U64" => Some(8),
        "F32" | "I32" | "U32" => Some(4),
        "F16" | "BF16" | "I16" | "U16" => Some(2),
        "I8" | "U8" | "BOOL" | "F8_E4M3" | "F8_E5M2" => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(header.as_bytes());
        file.resize(file.len() + data, 0);
        file
    }

    #[test]
    fn the_library_and_this_reader_agree_on_a_whole_file() {
        let bytes = [0u8; 24];
        let views = [("a", vec![2, 2], &bytes[..16]), ("b", vec![2], &bytes[16..])]
            .map(|(name, shape, data)| (name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, data).unwrap()));
        let file = safetensors::serialize(views, None).unwrap();
        let header = Header::read(&file);
        assert_eq!(header.faults, Vec::<String>::new());
        let (start, metadata) = safetensors::SafeTensors::read_metadata(&file).unwrap();
        for (name, info) in metadata.tensors() {
            let range = 8 + start + info.data_offsets.0..8 + start + info.data_offsets.1;
            assert_eq!(header.tensors[&name], Stored { dtype: "F32".into(), shape: info.shape.clone(), range });
        }
    }

    #[test]
    fn every_fault_of_a_header_is_told() {
        let one = |header: &str, data: usize| Header::read(&file(header, data)).faults.join("\n");
        let told = [
            (one(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 4), "cut off: its header announces"),
            (one(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 9), "1 bytes more"),
            (one(r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8), "do not fit each other"),
            (one(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, 0), "impossible offsets"),
            (one(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}}"#, 0), "impossible offsets"),
            (one(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#, 12), "4 bytes behind"),
            (
                one(r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}"#, 6),
                "overlaps",
            ),
            (one(r#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#, 0), "do not fit each other"),
            (one(r#"{"a":{"dtype":"F32","shape":"two"}}"#, 0), "not described as a tensor"),
            (one("[]", 0), "not JSON"),
            (Header::read(&[1, 2, 3]).faults.join("\n"), "3 bytes in all"),
            (Header::read(&u64::MAX.to_le_bytes()).faults.join("\n"), "header would be"),
            (Header::read(&100u64.to_le_bytes()).faults.join("\n"), "cut off inside its header"),
        ];
        for (fault, words) in told {
            assert!(fault.contains(words), "`{words}` is not in: {fault}");
        }
    }
}
