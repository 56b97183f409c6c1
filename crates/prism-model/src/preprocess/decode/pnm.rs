//! PBM, PGM, PPM and grey PFM files to RGB bytes, every value as Pillow gives it.

use super::colour::{cut, cut_float, spread, unpacked};
use super::fault::{Broken, check_size};

const CUT: &str = "the file is truncated";
/// Bytes of a number in the header, at most.
const LONGEST: usize = 10;

/// What a file's two letters say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Bits,
    Grey,
    Colour,
    Float,
}

struct Header {
    form: Form,
    plain: bool,
    width: u32,
    height: u32,
    /// The value of white; of [`Form::Float`], less than 0 where the low byte comes first.
    most: f64,
    /// Where the pixels begin.
    start: usize,
}

/// Reads a file's words.
struct Words<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    /// The next word of the header, and one white space behind it; a comment goes to the end of its line.
    fn next(&mut self) -> Result<&'a str, Broken> {
        let mut begun: Option<usize> = None;
        loop {
            let byte = self.bytes.get(self.at).copied();
            match (byte, begun) {
                (None, None) => return Err(CUT.into()),
                (Some(b'#'), None) => {
                    let rest = &self.bytes[self.at..];
                    self.at += rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).ok_or(CUT)? + 1;
                }
                (Some(byte), None) if is_space(byte) => self.at += 1,
                (Some(_), None) => begun = Some(self.at),
                (Some(byte), Some(_)) if !is_space(byte) => self.at += 1,
                (byte, Some(from)) => {
                    let word = &self.bytes[from..self.at];
                    self.at += usize::from(byte.is_some());
                    if word.len() > LONGEST {
                        return Err("a number in its header is too long".into());
                    }
                    return std::str::from_utf8(word).map_err(|_| "its header is no text".into());
                }
            }
        }
    }

    fn number<T: std::str::FromStr>(&mut self) -> Result<T, Broken> {
        let word = self.next()?;
        word.parse().map_err(|_| format!("`{word}` in its header is no number that can stand there").into())
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

fn header(bytes: &[u8]) -> Result<Header, Broken> {
    let (form, plain) = match bytes.get(1) {
        Some(b'1') => (Form::Bits, true),
        Some(b'2') => (Form::Grey, true),
        Some(b'3') => (Form::Colour, true),
        Some(b'4') => (Form::Bits, false),
        Some(b'5') => (Form::Grey, false),
        Some(b'6') => (Form::Colour, false),
        _ => (Form::Float, false),
    };
    let mut words = Words { bytes, at: 2 };
    let (width, height) = (words.number()?, words.number()?);
    check_size(width, height)?;
    let most = match form {
        Form::Bits => 1.0,
        Form::Float => words.number::<f64>()?,
        _ => f64::from(words.number::<u16>()?),
    };
    if most == 0.0 || !most.is_finite() {
        return Err("its value of white cannot be used".into());
    }
    Ok(Header { form, plain, width, height, most, start: words.at })
}

/// Columns and rows, from the header.
pub(super) fn dimensions(bytes: &[u8]) -> Result<(u32, u32), Broken> {
    let header = header(bytes)?;
    Ok((header.width, header.height))
}

/// Columns, rows and bytes `[height, width, 3]`.
pub(super) fn pixels(bytes: &[u8]) -> Result<(u32, u32, Vec<u8>), Broken> {
    let header = header(bytes)?;
    let data = bytes.get(header.start..).ok_or(CUT)?;
    let (width, count) = (header.width as usize, header.width as usize * header.height as usize);
    let pixels: Vec<u8> = match (header.form, header.plain) {
        (Form::Bits, true) => bits(data, count)?.into_iter().flat_map(|value| [value; 3]).collect(),
        (Form::Bits, false) => {
            let packed = data.get(..width.div_ceil(8) * header.height as usize).ok_or(CUT)?;
            unpacked(packed, width, 1).flat_map(|bit| [255 - spread(bit, 1); 3]).collect()
        }
        (Form::Float, _) => {
            let data = data.get(..4 * count).ok_or(CUT)?;
            let value = |four: &[u8; 4]| if header.most < 0.0 { f32::from_le_bytes(*four) } else { f32::from_be_bytes(*four) };
            // Rows from below.
            data.rchunks_exact(4 * width).flat_map(|row| row.as_chunks::<4>().0).flat_map(|four| [cut_float(value(four)); 3]).collect()
        }
        (Form::Grey, plain) => samples(data, count, &header, plain)?.into_iter().flat_map(|value| [value; 3]).collect(),
        (Form::Colour, plain) => samples(data, 3 * count, &header, plain)?,
    };
    Ok((header.width, header.height, pixels))
}

/// Samples as bytes. More than 8 bits of grey Pillow keeps, as 16 bits, and cuts them on conversion.
fn samples(data: &[u8], count: usize, header: &Header, plain: bool) -> Result<Vec<u8>, Broken> {
    let most = header.most;
    let wide = most > 255.0;
    let byte = |value: f64| match wide && header.form == Form::Grey {
        true => cut((value / most * 65_535.0).round_ties_even() as i64),
        false => (value / most * 255.0).round_ties_even().min(255.0) as u8,
    };
    if plain {
        return numbers(data, count, most)?.map(|value| value.map(byte)).collect();
    }
    match wide {
        true => {
            Ok(data.get(..2 * count).ok_or(CUT)?.as_chunks::<2>().0.iter().map(|pair| byte(f64::from(u16::from_be_bytes(*pair)))).collect())
        }
        false => {
            let table: [u8; 256] = std::array::from_fn(|value| byte(value as f64));
            Ok(data.get(..count).ok_or(CUT)?.iter().map(|value| table[usize::from(*value)]).collect())
        }
    }
}

/// Comments taken out: what is left of every line.
fn uncommented(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| matches!(byte, b'\n' | b'\r')).map(|line| line.split(|byte| *byte == b'#').next().unwrap_or_default())
}

/// Digits 0 and 1, white space between them or not; 1 is black.
fn bits(data: &[u8], count: usize) -> Result<Vec<u8>, Broken> {
    let digits = uncommented(data).flatten().filter(|byte| !is_space(**byte)).take(count);
    let values = digits.map(|digit| match digit {
        b'0' => Ok(255),
        b'1' => Ok(0),
        other => Err(Broken::from(format!("`{}` stands among its pixels", other.escape_ascii()))),
    });
    let values = values.collect::<Result<Vec<u8>, _>>()?;
    if values.len() == count { Ok(values) } else { Err(CUT.into()) }
}

/// Whole numbers between white space, none above `most`.
fn numbers(data: &[u8], count: usize, most: f64) -> Result<impl Iterator<Item = Result<f64, Broken>>, Broken> {
    let words = || uncommented(data).flat_map(|line| line.split(|byte| is_space(*byte))).filter(|word| !word.is_empty()).take(count);
    if words().count() < count {
        return Err(CUT.into());
    }
    Ok(words().map(move |word| {
        let number = std::str::from_utf8(word).ok().filter(|_| word.len() <= LONGEST).and_then(|word| word.parse::<u32>().ok());
        match number.map(f64::from) {
            Some(value) if value <= most => Ok(value),
            _ => Err(format!("`{}` stands among its pixels", word.escape_ascii()).into()),
        }
    }))
}
