//! SIGINT and SIGTERM ask for a clean stop; a second one ends at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use prism_run::Cancel;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Registers the handlers; the returned flag is checked at every safe point.
///
/// # Errors
/// When the system refuses a handler.
pub fn install() -> std::io::Result<Cancel> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Order matters: the shutdown only acts when the flag was already set.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(Cancel::from_flag(flag))
}
