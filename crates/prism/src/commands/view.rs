//! `prism view`: runs in a browser.

use std::process::{Command, Stdio};

use anyhow::Context as _;
use prism_explorer::{Explorer, Server};

use crate::Context;
use crate::cli::ViewArguments;
use crate::exit::ExitStatus;
use crate::provenance;

/// Runs the verb.
pub fn run(arguments: ViewArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let explorer = Explorer::open(&arguments.runs)?.with_images(&arguments.images);
    let wanted = arguments.port.map_or_else(|| "a port".to_string(), |port| format!("port {port}"));
    let server = Server::bind(arguments.port)
        .with_context(|| format!("cannot listen at {wanted} of this machine; give another --port, or 0 for any that is free"))?;
    let port = server.port();
    let address = server.address();
    let found = explorer.library.snapshot().runs.len();
    context.printer.result(&address);
    context.printer.result_json(&serde_json::json!({ "url": address, "port": port, "token": server.token(), "runs": found }))?;
    // Nobody can ask for pages who was not told the address.
    context.printer.check()?;
    context.printer.narrate(&format!("{found} runs; from another machine: ssh -L {port}:127.0.0.1:{port} {}", provenance::host()));
    context.printer.narrate("who has this address can read them: pass it on only to those who may");
    context.printer.narrate("Ctrl-C ends it");
    if arguments.open && !open(&address) {
        context.printer.warn("no browser could be started: open the address yourself");
    }
    server.run(explorer, || context.cancel.requested()).context("the explorer stopped")?;
    // To be stopped is how it ends.
    Ok(ExitStatus::Success)
}

/// Asks the system to open an address.
fn open(address: &str) -> bool {
    let (program, before): (&str, &[&str]) = match std::env::consts::OS {
        "macos" => ("open", &[]),
        "windows" => ("rundll32", &["url.dll,FileProtocolHandler"]),
        _ => ("xdg-open", &[]),
    };
    let mut command = Command::new(program);
    command.args(before).arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().is_ok()
}
