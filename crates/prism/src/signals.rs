//! SIGINT and SIGTERM ask for a clean stop, and a second one ends at once; a command that has no
//! place to stop at ends at the first.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use prism_run::Cancel;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Registers the handlers; the returned flag is checked at every safe point. Of a command without
/// safe points the first signal is the end.
///
/// # Errors
/// When the system refuses a handler.
pub fn install(has_safe_points: bool) -> std::io::Result<Cancel> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The shutdown acts where this is set: from the second signal on, or from the first.
        let ends = if has_safe_points { Arc::clone(&flag) } else { Arc::new(AtomicBool::new(true)) };
        // Order matters: the first signal finds the flag as it was before.
        signal_hook::flag::register_conditional_shutdown(signal, 130, ends)?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(Cancel::from_flag(flag))
}
