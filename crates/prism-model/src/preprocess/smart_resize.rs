//! The size an image is resized to: whole merged tokens within the pixel limits.

/// `(height, width)` after resizing: multiples of `factor` (a merged token's side in
/// pixels), `min_pixels..=max_pixels` in all, the aspect ratio as near as possible.
///
/// # Errors
/// When a side is 0 or the sides differ by more than a factor of 200.
pub fn smart_resize(height: usize, width: usize, factor: usize, min_pixels: usize, max_pixels: usize) -> Result<(usize, usize), String> {
    if height == 0 || width == 0 {
        return Err("the image has no pixels".into());
    }
    let (h, w, f) = (height as f64, width as f64, factor as f64);
    let ratio = h.max(w) / h.min(w);
    if ratio > 200.0 {
        return Err(format!("its sides differ by a factor of {ratio:.0}, more than 200"));
    }
    // As Python rounds: halves go to the even neighbour.
    let mut sides = ((h / f).round_ties_even() * f, (w / f).round_ties_even() * f);
    if sides.0 * sides.1 > max_pixels as f64 {
        let beta = (h * w / max_pixels as f64).sqrt();
        let fit = |side: f64| (side / beta / f).floor() * f;
        sides = (fit(h).max(f), fit(w).max(f));
    } else if sides.0 * sides.1 < min_pixels as f64 {
        let beta = (min_pixels as f64 / (h * w)).sqrt();
        let fit = |side: f64| (side * beta / f).ceil() * f;
        sides = (fit(h), fit(w));
    }
    Ok((sides.0 as usize, sides.1 as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_to_even_and_limits_hold() {
        // 42 / 28 = 1.5 -> 2, 70 / 28 = 2.5 -> 2
        assert_eq!(smart_resize(42, 70, 28, 1, 1 << 30), Ok((56, 56)));
        let (h, w) = smart_resize(3000, 4000, 28, 3136, 1_003_520).unwrap();
        assert!(h * w <= 1_003_520 && h % 28 == 0 && w % 28 == 0);
        let (h, w) = smart_resize(10, 20, 28, 3136, 1_003_520).unwrap();
        assert!(h * w >= 3136);
        assert!(smart_resize(1, 201, 28, 1, 1 << 30).is_err());
        assert!(smart_resize(0, 5, 28, 1, 1 << 30).is_err());
    }
}
