//! JPEG files to RGB bytes, every value as Pillow gives it.
//!
//! Decoders agree on the format and differ in its arithmetic: in the rounding of the
//! inverse transform, and above all in how subsampled chroma is brought to full size.
//! Pillow decodes with libjpeg-turbo, so its decoder is used here too, in the form of
//! mozjpeg, which keeps it unchanged and builds with a C compiler alone. The colour
//! conversions behind it are Pillow's: grey is repeated, CMYK and YCCK are taken as
//! inverted (Adobe's convention) and lose their black by Pillow's integer formula.
//!
//! libjpeg fills a file that ends too early with grey and goes on. Pillow refuses such a
//! file, and so does this module: libjpeg's warning about it ends the decoding.
//!
//! A scan costs a pass over the whole image and may be empty in the file, so a small file
//! could keep a worker busy for hours: a file of more scans than any encoder writes is refused.

use std::any::Any;
use std::os::raw::{c_int, c_long};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use mozjpeg_sys as libjpeg;
use mozjpeg_sys::{J_COLOR_SPACE, jpeg_common_struct, jpeg_decompress_struct, jpeg_error_mgr};

/// Columns and rows of a JPEG file; only its header is decoded.
///
/// # Errors
/// Says why there is no readable header.
pub(super) fn dimensions(bytes: &[u8]) -> Result<(u32, u32), String> {
    guarded(|| Ok(Decoder::open(bytes)?.size()))
}

/// Bytes `[height, width, 3]` of a JPEG file whose size the caller has found acceptable.
///
/// # Errors
/// Says why the file cannot be decoded; one that ends before the image does is among them.
pub(super) fn pixels(bytes: &[u8]) -> Result<Vec<u8>, String> {
    pixels_stored(bytes, false)
}

/// The same of a file that may be known to store RGB, which it does not say itself.
///
/// # Errors
/// As [`pixels`].
pub(super) fn pixels_stored(bytes: &[u8], as_rgb: bool) -> Result<Vec<u8>, String> {
    guarded(|| {
        let mut decoder = Decoder::open(bytes)?;
        if as_rgb {
            decoder.state.jpeg_color_space = J_COLOR_SPACE::JCS_RGB;
        }
        match decoder.state.num_components {
            1 => Ok(decoder.rows(J_COLOR_SPACE::JCS_GRAYSCALE, 1)?.into_iter().flat_map(|v| [v; 3]).collect()),
            3 => decoder.rows(J_COLOR_SPACE::JCS_RGB, 3),
            4 => Ok(decoder.rows(J_COLOR_SPACE::JCS_CMYK, 4)?.as_chunks().0.iter().flat_map(|ink| inverted_cmyk(*ink)).collect()),
            count => Err(format!("it has {count} channels; 1, 3 and 4 are known")),
        }
    })
}

/// RGB of a pixel stored as the inverse of its ink, as Pillow's `CMYK;I` and its conversion to RGB have it.
fn inverted_cmyk([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    let paper = u32::from(k);
    [c, m, y].map(|channel| {
        let product = (255 - u32::from(channel)) * paper + 128;
        (paper - (((product >> 8) + product) >> 8)) as u8
    })
}

/// libjpeg's state for one file, freed when dropped. Both parts are boxed: libjpeg keeps
/// their addresses.
struct Decoder<'a> {
    state: Box<jpeg_decompress_struct>,
    errors: Box<jpeg_error_mgr>,
    _bytes: std::marker::PhantomData<&'a [u8]>,
}

impl<'a> Decoder<'a> {
    /// Reads the header of a file in memory.
    fn open(bytes: &'a [u8]) -> Result<Self, String> {
        // SAFETY: libjpeg's structures are plain C data, for which all bits zero is what its own
        // documentation starts from; `jpeg_std_error` fills the error manager before it is used.
        let mut decoder = unsafe {
            let mut errors: Box<jpeg_error_mgr> = Box::new(std::mem::zeroed());
            libjpeg::jpeg_std_error(&mut errors);
            let state: Box<jpeg_decompress_struct> = Box::new(std::mem::zeroed());
            Self { state, errors, _bytes: std::marker::PhantomData }
        };
        decoder.errors.error_exit = Some(give_up);
        decoder.errors.emit_message = Some(warned);
        decoder.state.common.err = &raw mut *decoder.errors;
        let length = bytes.len().try_into().map_err(|_| "it is too long".to_owned())?;
        // SAFETY: the error manager and the bytes outlive the state (the first is owned beside it, the
        // second borrowed for as long). An error leaves these calls by unwinding, which C code built with
        // `-fexceptions` (mozjpeg-sys' feature `unwinding`) lets pass; `decoder` is dropped on the way.
        let found = unsafe {
            libjpeg::jpeg_create_decompress(&raw mut *decoder.state);
            libjpeg::jpeg_mem_src(&mut decoder.state, bytes.as_ptr(), length);
            libjpeg::jpeg_read_header(&mut decoder.state, 1)
        };
        // JPEG_HEADER_OK; the memory source never suspends.
        if found == 1 { Ok(decoder) } else { Err("it has no image".to_owned()) }
    }

    fn size(&self) -> (u32, u32) {
        (self.state.image_width, self.state.image_height)
    }

    /// The whole image in a colour space of `channels` bytes a pixel.
    fn rows(mut self, space: J_COLOR_SPACE, channels: usize) -> Result<Vec<u8>, String> {
        let (width, height) = self.size();
        let row_length = width as usize * channels;
        let mut pixels = vec![0u8; row_length * height as usize];
        self.state.out_color_space = space;
        // SAFETY: the header has been read (`open`); the state, its source and its errors are alive.
        if unsafe { libjpeg::jpeg_start_decompress(&mut self.state) } == 0 {
            return Err(TRUNCATED.to_owned());
        }
        if (self.state.output_width, self.state.output_height, self.state.output_components as usize) != (width, height, channels) {
            return Err("the decoder returned another size than the header says".to_owned());
        }
        for row in pixels.chunks_exact_mut(row_length) {
            let mut start = row.as_mut_ptr();
            // SAFETY: one row is asked for, and `start` points to a row of the size just checked.
            if unsafe { libjpeg::jpeg_read_scanlines(&mut self.state, &raw mut start, 1) } != 1 {
                return Err(TRUNCATED.to_owned());
            }
        }
        // SAFETY: all rows have been read. What is left is the end of the file, which has to be there.
        if unsafe { libjpeg::jpeg_finish_decompress(&mut self.state) } == 0 { Err(TRUNCATED.to_owned()) } else { Ok(pixels) }
    }
}

impl Drop for Decoder<'_> {
    fn drop(&mut self) {
        // SAFETY: frees what libjpeg allocated for this state, once; a state of zeros has nothing to free.
        unsafe { libjpeg::jpeg_destroy_decompress(&mut self.state) }
    }
}

/// Scans of a file at most. Encoders write about 10, and the best compressing ones some 20.
const MOST_SCANS: c_long = 100;

const TRUNCATED: &str = "the file is truncated";

/// libjpeg calls this when it cannot go on, and does not expect it to return.
unsafe extern "C-unwind" fn give_up(state: &mut jpeg_common_struct) {
    type Declared = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, &[u8; 80]);
    type Actual = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, *mut u8);
    let mut buffer = [0u8; 80];
    // SAFETY: `state.err` is the manager that `Decoder::open` set, whose `format_message` is libjpeg's own. It
    // writes into its second argument, a C pointer, so it is called by a type that says so.
    unsafe {
        if let Some(format) = state.err.as_ref().and_then(|errors| errors.format_message) {
            std::mem::transmute::<Declared, Actual>(format)(state, buffer.as_mut_ptr());
        }
    }
    let text = String::from_utf8_lossy(buffer.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned();
    resume_unwind(Box::new(text));
}

/// libjpeg's warnings (level -1) and traces, of which the start of each scan is one. Pillow
/// takes a file with warnings as it comes, but not one that has ended.
///
/// Scans are counted where libjpeg's own version of this function would count warnings.
unsafe extern "C-unwind" fn warned(state: &mut jpeg_common_struct, level: c_int) {
    // SAFETY: `state.err` is the manager that `Decoder::open` set, and nothing else refers to it now.
    let Some(errors) = (unsafe { state.err.as_mut() }) else { return };
    if level < 0 && errors.msg_code == libjpeg::JWRN_JPEG_EOF as c_int {
        resume_unwind(Box::new(TRUNCATED.to_owned()));
    }
    if errors.msg_code == libjpeg::JTRC_SOS as c_int {
        errors.num_warnings += 1;
        if errors.num_warnings > MOST_SCANS {
            resume_unwind(Box::new(format!("it has more than {MOST_SCANS} scans")));
        }
    }
}

/// Runs `f`, in which libjpeg leaves a broken file by unwinding with its message.
fn guarded<T>(f: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| Err(message(&*payload)))
}

fn message(payload: &(dyn Any + Send)) -> String {
    payload.downcast_ref::<String>().cloned().unwrap_or_else(|| "the decoder gave up".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_ink_is_white_and_all_black_is_black() {
        assert_eq!(inverted_cmyk([255, 255, 255, 255]), [255; 3]);
        assert_eq!(inverted_cmyk([255, 255, 255, 0]), [0; 3]);
        assert_eq!(inverted_cmyk([0, 255, 255, 255]), [0, 255, 255]);
    }

    #[test]
    fn what_libjpeg_says_of_a_broken_file_is_passed_on() {
        assert_eq!(pixels(&[0xff, 0xd8]), Err(TRUNCATED.to_owned()));
        let message = pixels(b"no picture").unwrap_err();
        assert!(message.contains("Not a JPEG file"), "{message}");
    }
}
