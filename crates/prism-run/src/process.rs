//! Which process this is among all that may share a file system, and whether another one lives.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::folder::hash_bytes;

/// Where the system does not tell the machine's name.
const NAMELESS: &str = "unknown";

/// A process, told apart from all others of this machine and of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Name of its machine.
    pub host: String,
    /// Its number there.
    #[serde(rename = "process")]
    pub number: u32,
    /// One start of one machine's kernel; absent where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// Among whom it has its number: containers count for themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// When it began, by that kernel's clock: a later process may have the same number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<u64>,
}

impl Process {
    /// This one.
    pub fn this() -> &'static Self {
        static THIS: OnceLock<Process> = OnceLock::new();
        THIS.get_or_init(|| {
            let number = std::process::id();
            let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
            Self {
                host: host(),
                number,
                boot: boot.map(|boot| boot.trim().to_string()).filter(|boot| !boot.is_empty()),
                space: std::fs::read_link("/proc/self/ns/pid").ok().map(|space| space.to_string_lossy().into_owned()),
                began: stat(number).map(|(_, began)| began),
            }
        })
    }

    /// Whether it runs, or ran, under this process' kernel, which then knows all of its locks.
    pub fn shares_kernel(&self) -> bool {
        let this = Self::this();
        match (&self.boot, &this.boot) {
            (Some(its), Some(own)) => its == own,
            (None, None) => self.host == this.host && self.host != NAMELESS,
            _ => false,
        }
    }

    /// Whether it lives; `None` where that cannot be known from here.
    pub fn lives(&self) -> Option<bool> {
        let this = Self::this();
        if !self.shares_kernel() || self.space != this.space {
            return None;
        }
        if self.number == this.number && self.began == this.began {
            return Some(true);
        }
        if !exists(self.number)? {
            return Some(false);
        }
        // One of its number is there: its own, what is left of it, or a later one.
        let (state, began) = stat(self.number)?;
        Some(!is_over(state) && self.began? == began)
    }

    /// A short word for everything but the number: the same for two processes only if one can look for the other.
    pub fn mark(&self) -> String {
        let whole = hash_bytes(format!("{:?} {:?} {}", self.boot, self.space, self.host).as_bytes());
        whole.chars().take(8).collect()
    }
}

/// Name of this machine.
pub fn host() -> String {
    let named = |path: &str| std::fs::read_to_string(path).ok().map(|name| name.trim().to_string()).filter(|name| !name.is_empty());
    named("/proc/sys/kernel/hostname").or_else(|| named("/etc/hostname")).unwrap_or_else(|| NAMELESS.into())
}

/// Whether a process of that number runs among those that this one can see; `None` where nobody tells.
pub fn runs(number: u32) -> Option<bool> {
    if !exists(number)? {
        return Some(false);
    }
    Some(stat(number).is_none_or(|(state, _)| !is_over(state)))
}

/// Whether a process of that number is there, what is left of a dead one included.
#[cfg(unix)]
fn exists(number: u32) -> Option<bool> {
    let number = i32::try_from(number).ok().and_then(rustix::process::Pid::from_raw)?;
    Some(rustix::process::test_kill_process(number) != Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
fn exists(_: u32) -> Option<bool> {
    None
}

/// State and beginning of a process, where the system has `/proc`.
fn stat(number: u32) -> Option<(char, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    // The second field is its name in brackets, which may hold anything.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// A process that nobody has asked about since its end.
fn is_over(state: char) -> bool {
    matches!(state, 'Z' | 'X')
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// As this process, but another one.
    fn other(number: u32, began: Option<u64>) -> Process {
        Process { number, began, ..Process::this().clone() }
    }

    #[test]
    fn the_living_are_told_from_the_dead() {
        let this = Process::this();
        assert_eq!(this.lives(), Some(true));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let began = stat(child.id()).map(|(_, began)| began);
        let of_child = other(child.id(), began);
        assert_eq!((of_child.lives(), runs(child.id())), (Some(true), Some(true)));
        assert_eq!(other(child.id(), began.map(|at| at + 1)).lives(), Some(false), "a later process of the same number");
        child.kill().unwrap();
        // It is dead before anybody asks about it.
        while of_child.lives() == Some(true) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert_eq!((of_child.lives(), runs(child.id())), (Some(false), Some(false)));
        child.wait().unwrap();
        assert_eq!((of_child.lives(), runs(child.id())), (Some(false), Some(false)));
    }

    #[test]
    fn of_other_kernels_and_spaces_nothing_is_known() {
        let this = Process::this();
        let elsewhere = Process { boot: Some("another".into()), ..this.clone() };
        let contained = Process { space: Some("pid:[1]".into()), ..this.clone() };
        assert!(!elsewhere.shares_kernel() && contained.shares_kernel());
        assert_eq!((elsewhere.lives(), contained.lives()), (None, None));
        assert!(elsewhere.mark() != this.mark() && contained.mark() != this.mark());
        assert_eq!((other(0, None).lives(), other(u32::MAX, None).lives()), (None, None), "no such numbers");
    }
}
