//! Pillow's conversions to RGB, pixel by pixel, and the blend of qwen_vl_utils.

/// The colour pasted on white by its alpha, as qwen_vl_utils does with an image of mode RGBA (Pillow's integer blend).
pub(super) fn on_white([r, g, b, a]: [u8; 4]) -> [u8; 3] {
    [r, g, b].map(|channel| {
        let sum = 255 * (255 - u32::from(a)) + u32::from(channel) * u32::from(a) + 128;
        (((sum >> 8) + sum) >> 8) as u8
    })
}

/// The colour of a pixel whose channels were multiplied by its alpha (`RGBa`), as Pillow divides them.
pub(super) fn unmultiplied([r, g, b, a]: [u8; 4]) -> [u8; 4] {
    match a {
        0 => [0, 0, 0, 0],
        255 => [r, g, b, a],
        _ => {
            let [r, g, b] = [r, g, b].map(|channel| (255 * u32::from(channel) / u32::from(a)).min(255) as u8);
            [r, g, b, a]
        }
    }
}

/// Ink on paper, as Pillow's conversion of CMYK has it.
pub(super) fn inked([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    let paper = 255 - u32::from(k);
    [c, m, y].map(|channel| {
        let product = u32::from(channel) * paper + 128;
        (paper - (((product >> 8) + product) >> 8)) as u8
    })
}

/// The high byte of a sample of 16 bits.
pub(super) fn high(value: u16) -> u8 {
    (value >> 8) as u8
}

/// A whole number as a grey, as Pillow cuts the modes `I` and `I;16`.
pub(super) fn cut(value: i64) -> u8 {
    value.clamp(0, 255) as u8
}

/// A number as a grey, as Pillow cuts the mode `F`; what is no number becomes 0.
pub(super) fn cut_float(value: f32) -> u8 {
    value as u8
}

/// A sample of 1, 2 or 4 bits spread over a byte.
pub(super) fn spread(value: u8, bits: u32) -> u8 {
    match bits {
        1 => value * 255,
        2 => value * 85,
        4 => value * 17,
        _ => value,
    }
}

/// Samples of 1, 2, 4 or 8 bits of packed rows, the first in the highest bits; each row begins a byte.
pub(super) fn unpacked(packed: &[u8], width: usize, bits: u32) -> impl Iterator<Item = u8> {
    let row = (width * bits as usize).div_ceil(8).max(1);
    let mask = if bits >= 8 { u8::MAX } else { (1 << bits) - 1 };
    packed.chunks_exact(row).flat_map(move |row| {
        (0..width).map(move |x| {
            let at = x * bits as usize;
            (row[at / 8] >> (8 - bits as usize - at % 8)) & mask
        })
    })
}

/// Colours by index.
pub(super) struct Palette([[u8; 3]; 256]);

impl Palette {
    /// The colours that are named, in their order; the rest are black, as in Pillow.
    pub(super) fn new(named: impl IntoIterator<Item = [u8; 3]>) -> Self {
        let mut colours = [[0; 3]; 256];
        colours.iter_mut().zip(named).for_each(|(colour, named)| *colour = named);
        Self(colours)
    }

    /// The same of a kind of file in which Pillow takes greys in their order for no palette: every index is its own grey then.
    pub(super) fn or_greys(named: impl Iterator<Item = [u8; 3]> + Clone) -> Self {
        if named.clone().enumerate().all(|(index, colour)| colour == [index as u8; 3]) {
            return Self(std::array::from_fn(|index| [index as u8; 3]));
        }
        Self::new(named)
    }

    /// The colour of an index.
    pub(super) fn colour(&self, index: u8) -> [u8; 3] {
        self.0[usize::from(index)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ink_and_alpha_at_their_ends() {
        assert_eq!(inked([0, 0, 0, 0]), [255; 3]);
        assert_eq!(inked([0, 0, 0, 255]), [0; 3]);
        assert_eq!(on_white([10, 20, 30, 0]), [255; 3]);
        assert_eq!(on_white([10, 20, 30, 255]), [10, 20, 30]);
        assert_eq!(unmultiplied([10, 200, 0, 100]), [25, 255, 0, 100]);
        assert_eq!(unpacked(&[0b1010_0000, 0b0100_0000], 3, 1).collect::<Vec<_>>(), [1, 0, 1, 0, 1, 0]);
        assert_eq!([-1.0, 300.0, 7.9, f32::NAN].map(cut_float), [0, 255, 7, 0]);
    }
}
