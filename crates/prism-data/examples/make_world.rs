//! Writes a world with the default recipe, its contact sheet, and how long each took:
//! `make_world FOLDER SHEET [THREADS]`.

use std::path::PathBuf;
use std::time::Instant;

use prism_data::world::WorldConfig;
use prism_run::{Cancel, Silent};

fn main() -> Result<(), prism_data::Error> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "world".into()));
    let sheet = PathBuf::from(arguments.next().unwrap_or_else(|| "sheet.png".into()));
    let threads = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let world = WorldConfig::default().check()?;
    let start = Instant::now();
    world.write(&folder, threads, &Silent, &Cancel::default())?;
    println!("world {:.2} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    world.write_preview(&sheet)?;
    println!("sheet {:.2} s", start.elapsed().as_secs_f64());
    Ok(())
}
