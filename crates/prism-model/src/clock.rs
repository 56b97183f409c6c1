//! How long the stages of an example take, told apart without passing a watch around.
//!
//! [`measured`] marks a stage where it lies in the code; [`timed`] runs something and
//! tells what it and the stages inside it took. All of it is kept per thread. A worker
//! that waits for others may meanwhile run another task; [`task`] marks where one
//! begins, so that its time is not counted to the one that waits.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// A stage inside making a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The vision tower.
    Vision,
    /// The prompt's forward pass.
    Prefill,
}

/// Time of the marked stages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// In the vision tower.
    pub vision: Duration,
    /// In prompts' forward passes.
    pub prefill: Duration,
}

thread_local! {
    static SPENT: Cell<Spent> = const { Cell::new(Spent { vision: Duration::ZERO, prefill: Duration::ZERO }) };
    /// Time of whole tasks that ran on this thread, inside others or alone.
    static TASKS: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Runs `work` and tells the time it took, without that of tasks run meanwhile.
pub fn own<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let (tasks, begun) = (TASKS.get(), Instant::now());
    let result = work();
    (result, begun.elapsed().saturating_sub(TASKS.get().saturating_sub(tasks)))
}

/// Runs `work` as a stage.
pub fn measured<R>(phase: Phase, work: impl FnOnce() -> R) -> R {
    let (result, took) = own(work);
    let mut spent = SPENT.get();
    match phase {
        Phase::Vision => spent.vision += took,
        Phase::Prefill => spent.prefill += took,
    }
    SPENT.set(spent);
    result
}

/// Runs `work` and tells the time it took, and of that the stages'.
pub fn timed<R>(work: impl FnOnce() -> R) -> (R, Duration, Spent) {
    let before = SPENT.get();
    let (result, took) = own(work);
    let after = SPENT.get();
    let spent = Spent { vision: after.vision.saturating_sub(before.vision), prefill: after.prefill.saturating_sub(before.prefill) };
    (result, took, spent)
}

/// Runs `work` as a task of its own.
pub fn task<R>(work: impl FnOnce() -> R) -> R {
    let (spent, tasks, begun) = (SPENT.get(), TASKS.get(), Instant::now());
    let result = work();
    SPENT.set(spent);
    TASKS.set(tasks + begun.elapsed());
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAP: Duration = Duration::from_millis(20);

    fn nap() {
        std::thread::sleep(NAP);
    }

    #[test]
    fn stages_are_parts_of_the_whole() {
        let ((), whole, spent) = timed(|| {
            nap();
            measured(Phase::Vision, nap);
            measured(Phase::Prefill, || {
                nap();
                nap();
            });
        });
        assert!(spent.vision >= NAP && spent.prefill >= 2 * NAP);
        assert!(whole >= spent.vision + spent.prefill + NAP);
    }

    #[test]
    fn a_task_run_while_waiting_is_not_counted() {
        let (inner, whole, spent) = timed(|| {
            measured(Phase::Vision, || {
                task(|| {
                    let (_, took, spent) = timed(|| measured(Phase::Prefill, || (0..10).for_each(|_| nap())));
                    (took, spent.prefill)
                })
            })
        });
        assert!(inner.0 >= 10 * NAP && inner.1 >= 10 * NAP);
        assert_eq!(spent.prefill, Duration::ZERO);
        assert!(spent.vision <= whole && whole < 5 * NAP, "{whole:?}");
    }
}
