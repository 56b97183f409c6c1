//! A library's panic over a damaged file, told as that file's error.
//!
//! Readers of binary formats that are not ours divide, slice and reserve by what a file
//! says, and some panic where they should refuse. What they are given here is the file
//! and nothing that outlives it, so that nothing half changed is seen afterwards.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::{Error, Result};

thread_local! {
    /// Depth of contained reads of this thread.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Runs `read` and tells a panic of it as the error of the file at `path`.
///
/// # Errors
/// `read`'s own, or [`Error::Content`] with what the panic said.
pub fn contained<T, E: From<Error>>(
    path: &Path,
    remedy: &str,
    read: impl FnOnce() -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    DEPTH.set(DEPTH.get() + 1);
    let read = catch_unwind(AssertUnwindSafe(read));
    DEPTH.set(DEPTH.get() - 1);
    read.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let cause = format!("the library that reads it failed: {}", said.unwrap_or("no reason given"));
        Err(Error::content(path, cause, remedy).into())
    })
}

/// Whether this thread is in a contained read.
pub fn is_containing() -> bool {
    DEPTH.get() > 0
}

/// Keeps the panic hook silent about panics that are told as errors. To be called once.
pub fn silence_panics() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !is_containing() {
            hook(panic);
        }
    }));
}

/// The items of an iterator whose `next` reads a file that is not trusted.
pub struct Contained<'p, I> {
    items: I,
    path: &'p Path,
    remedy: &'static str,
    broken: bool,
}

impl<'p, I> Contained<'p, I> {
    /// After the error of a panic the iteration ends.
    pub fn new(items: I, path: &'p Path, remedy: &'static str) -> Self {
        Self { items, path, remedy, broken: false }
    }
}

impl<I: Iterator> Iterator for Contained<'_, I> {
    type Item = Result<I::Item>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        let items = &mut self.items;
        let next = contained(self.path, self.remedy, || Ok::<_, Error>(items.next()));
        self.broken = next.is_err();
        next.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_that_names_the_file() {
        let path = Path::new("some.parquet");
        let zero = "".len();
        let read = contained(path, "write it again", || Ok::<_, Error>(1 / zero));
        let text = read.unwrap_err().to_string();
        assert!(text.contains("some.parquet: the library that reads it failed: attempt to divide by zero"), "{text}");
        assert!(text.ends_with("; write it again"), "{text}");
        assert!(!is_containing());
    }

    #[test]
    fn an_iteration_ends_with_the_error() {
        let items = [1, 0, 2].into_iter().map(|by| 4 / by);
        let read: Vec<Option<i32>> = Contained::new(items, Path::new("a"), "b").map(|item| item.ok()).collect();
        assert_eq!(read, [Some(4), None]);
    }
}
