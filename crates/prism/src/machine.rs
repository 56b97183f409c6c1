//! What this machine is: processor, instruction sets, memory.
//!
//! Read from `/proc` and the control group, where there are such; elsewhere a number
//! is absent, never guessed.

use std::fs;

use prism_model::ops;
use serde::Serialize;

/// Instruction sets worth naming, as Linux calls them.
const SETS: [&str; 18] = [
    "sse4_2",
    "f16c",
    "avx",
    "avx2",
    "fma",
    "avx512f",
    "avx512bw",
    "avx512dq",
    "avx512vl",
    "avx512_vnni",
    "avx512_bf16",
    "amx_tile",
    "amx_bf16",
    "asimd",
    "asimdhp",
    "bf16",
    "sve",
    "sve2",
];

/// The machine.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Operating system and architecture the binary is for.
    pub target: String,
    /// Name of the processor.
    pub processor: Option<String>,
    /// Cores this process may use.
    pub cores: usize,
    /// Instruction sets it has.
    pub instruction_sets: Vec<&'static str>,
    /// What the fused kernels run on.
    pub kernels: &'static str,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes that are free or can be freed.
    pub memory_available: Option<u64>,
    /// Bytes the control group allows (a container, a Slurm job).
    pub memory_limit: Option<u64>,
}

impl Machine {
    /// Looks at this machine.
    pub fn look() -> Self {
        let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let flags = field(&processor, "flags").or_else(|| field(&processor, "Features")).unwrap_or_default();
        let flags: Vec<&str> = flags.split_whitespace().collect();
        Self {
            target: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            processor: field(&processor, "model name").map(str::to_owned),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            instruction_sets: SETS.into_iter().filter(|set| flags.contains(set)).collect(),
            kernels: ops::instruction_set(),
            memory: kibibytes(&memory, "MemTotal"),
            memory_available: kibibytes(&memory, "MemAvailable"),
            memory_limit: limit(),
        }
    }
}

/// Most memory this process ever had resident, in bytes.
pub fn peak_memory() -> Option<u64> {
    kibibytes(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM")
}

/// `1.23 GiB`.
pub fn gibibytes(bytes: u64) -> String {
    let gibibytes = bytes as f64 / f64::from(1 << 30);
    if gibibytes < 1.0 { format!("{:.0} MiB", 1024.0 * gibibytes) } else { format!("{gibibytes:.2} GiB") }
}

/// The value of the first line `key : value`.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
}

fn kibibytes(text: &str, key: &str) -> Option<u64> {
    field(text, key)?.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The limit of this process's control group, version 2 or 1; none if there is none.
fn limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let files = [
        format!("/sys/fs/cgroup{}/memory.max", own.trim_end_matches('/')),
        "/sys/fs/cgroup/memory.max".into(),
        "/sys/fs/cgroup/memory/memory.limit_in_bytes".into(),
    ];
    let limit = files.iter().find_map(|file| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok());
    // Version 1 says "no limit" with a number near the largest.
    limit.filter(|bytes| *bytes < 1 << 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_proc_are_understood() {
        let text = "MemTotal:       16384 kB\nMemAvailable:    1024 kB\nmodel name\t: A CPU: fast\n";
        assert_eq!((kibibytes(text, "MemTotal"), kibibytes(text, "MemAvailable")), (Some(16 << 20), Some(1 << 20)));
        assert_eq!(field(text, "model name"), Some("A CPU: fast"));
        assert_eq!((kibibytes(text, "SwapTotal"), kibibytes("MemTotal: many kB", "MemTotal")), (None, None));
        assert_eq!((gibibytes(3 << 29), gibibytes(5 << 20)), ("1.50 GiB".into(), "5 MiB".into()));
    }
}
