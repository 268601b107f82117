//! The memory that all decoding in flight may take together, and the turns that are taken for it.
//!
//! Whoever reads a file or decodes a picture first says how much memory that takes at most, and waits until so much is
//! free. Turns are given in the order in which they are asked for: a large picture waits for the small ones before it, but
//! never for those that come later. A file's bytes are held while its picture waits for its turn, so both have a part of
//! their own: who waits for pixels holds nothing that another decoder needs.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{PictureError, machine};

/// Of the machine's memory, decoding takes at most one part in so many: the model, the index and all else need theirs.
const SHARE: u64 = 2;

/// What is taken for the machine's memory where it tells nothing.
const UNKNOWN: u64 = 4 << 30;

/// Of the budget, one part in so many is for the files' bytes.
const FILES: u64 = 4;

/// The longest that a turn is waited for. A decoder that never ends keeps its memory, so the turn may never come.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// A budget of memory. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    files: Turns,
    pixels: Turns,
    total: u64,
}

/// How the budget stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetReport {
    /// All of it, in bytes.
    pub memory_bytes: u64,
    /// What files and decoders that are at work have taken of it.
    pub in_use_bytes: u64,
    /// Pictures that wait for memory.
    pub waiting: usize,
}

impl Budget {
    /// Of so many bytes; 0 for a share of the machine's memory.
    pub(super) fn new(wanted: u64) -> Budget {
        let total = match wanted {
            0 => machine::memory_bytes().unwrap_or(UNKNOWN) / SHARE,
            wanted => wanted,
        };
        Budget {
            files: Turns::new(total / FILES),
            pixels: Turns::new(total - total / FILES),
            total,
        }
    }

    /// Waits until a file of so many bytes may be read.
    pub(super) fn file(&self, bytes: u64) -> Result<Turn, PictureError> {
        self.files.take(bytes)
    }

    /// Waits until so many bytes may be taken to decode a picture. Who holds a turn must not ask for a second one.
    pub(super) fn pixels(&self, bytes: u64) -> Result<Turn, PictureError> {
        self.pixels.take(bytes)
    }

    pub(super) fn report(&self) -> BudgetReport {
        let (files, pixels) = (self.files.state(), self.pixels.state());
        BudgetReport {
            memory_bytes: self.total,
            in_use_bytes: self.total - files.free - pixels.free,
            waiting: files.queue.len() + pixels.queue.len(),
        }
    }
}

/// A part of the budget.
#[derive(Debug, Clone)]
struct Turns {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    bytes: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    free: u64,
    /// Given to who asks next.
    next_number: u64,
    /// Who asked and neither got anything nor gave up, in order.
    queue: VecDeque<u64>,
}

impl Turns {
    fn new(bytes: u64) -> Turns {
        Turns {
            shared: Arc::new(Shared {
                bytes,
                state: Mutex::new(State {
                    free: bytes,
                    next_number: 0,
                    queue: VecDeque::new(),
                }),
                changed: Condvar::new(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.locked()
    }

    fn take(&self, bytes: u64) -> Result<Turn, PictureError> {
        self.take_within(bytes, LONGEST_WAIT)
    }

    fn take_within(&self, bytes: u64, longest: Duration) -> Result<Turn, PictureError> {
        let Shared {
            bytes: all,
            changed,
            ..
        } = &*self.shared;
        if bytes > *all {
            return Err(PictureError::TooMuchMemory {
                needed: Bytes(bytes),
                given: Bytes(*all),
            });
        }
        let until = Instant::now() + longest;
        let mut state = self.state();
        let number = state.next_number;
        state.next_number += 1;
        state.queue.push_back(number);
        while state.queue.front() != Some(&number) || state.free < bytes {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.queue.retain(|other| *other != number);
                changed.notify_all();
                return Err(PictureError::Busy(longest));
            }
            let waited = changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.queue.pop_front();
        state.free -= bytes;
        // The next one may have its turn as well.
        changed.notify_all();
        Ok(Turn {
            bytes,
            shared: Arc::clone(&self.shared),
        })
    }
}

impl Shared {
    /// A panic elsewhere leaves the numbers sound.
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to some memory, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    bytes: u64,
    shared: Arc<Shared>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.shared.locked().free += self.bytes;
        self.shared.changed.notify_all();
    }
}

/// An amount of memory, as people read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.0.div_ceil(1 << 20);
        match mib {
            0..10_240 => write!(f, "{mib} MiB"),
            _ => write!(f, "{} GiB", mib.div_ceil(1 << 10)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// Waits until so many wait for a turn.
    fn until_waiting(turns: &Turns, count: usize) {
        while turns.state().queue.len() < count {
            thread::yield_now();
        }
    }

    #[test]
    fn memory_is_taken_up_to_the_budget_and_given_back() {
        let turns = Turns::new(100);
        let sixty = turns.take(60).unwrap();
        let forty = turns.take(40).unwrap();
        let soon = Duration::from_millis(1);
        assert!(matches!(
            turns.take_within(1, soon),
            Err(PictureError::Busy(_))
        ));
        drop(forty);
        assert_eq!(turns.state().free, 40);
        assert!(turns.take_within(41, soon).is_err());
        turns.take(40).unwrap();
        drop(sixty);
        turns.take(100).unwrap();
        assert_eq!(turns.state().free, 100);
    }

    #[test]
    fn what_can_never_be_given_is_refused_at_once() {
        let error = Turns::new(100 << 20).take(3 << 30).unwrap_err().to_string();
        assert!(
            error.contains("3072 MiB") && error.contains("100 MiB"),
            "{error}"
        );
        assert!(error.contains("decode.memory_bytes"), "{error}");
    }

    /// A large one is not passed by the small ones behind it, however many there are.
    #[test]
    fn turns_are_given_in_order() {
        let turns = Turns::new(100);
        let held = turns.take(60).unwrap();
        let (sender, order) = mpsc::channel();
        thread::scope(|scope| {
            for (place, bytes) in [100, 40, 10].into_iter().enumerate() {
                let (turns, sender) = (&turns, sender.clone());
                scope.spawn(move || {
                    let turn = turns.take(bytes).unwrap();
                    sender.send(bytes).unwrap();
                    drop(turn);
                });
                until_waiting(turns, place + 1);
            }
            assert!(order.try_recv().is_err(), "40 bytes passed the 100");
            drop(held);
            assert_eq!(order.recv().unwrap(), 100);
        });
        drop(sender);
        assert_eq!(order.iter().sum::<u64>(), 50);
    }

    /// Who gives up must not hold up those behind him.
    #[test]
    fn who_gave_up_waiting_is_passed() {
        let turns = Turns::new(100);
        let _held = turns.take(60).unwrap();
        thread::scope(|scope| {
            let large = scope.spawn(|| turns.take_within(100, Duration::from_millis(20)));
            until_waiting(&turns, 1);
            turns.take(40).unwrap();
            assert!(large.join().unwrap().is_err());
        });
    }

    #[test]
    fn never_is_more_taken_than_there_is() {
        let turns = Turns::new(1_000);
        let taken = Mutex::new(0);
        thread::scope(|scope| {
            for seed in 1..=8_u64 {
                let (turns, taken) = (&turns, &taken);
                scope.spawn(move || {
                    for step in 0..200 {
                        let bytes = (seed * 7_919 + step * 104_729) % 1_001;
                        let turn = turns.take(bytes).unwrap();
                        let mut sum = taken.lock().unwrap();
                        *sum += bytes;
                        assert!(*sum <= 1_000, "{sum}");
                        drop(sum);
                        thread::yield_now();
                        *taken.lock().unwrap() -= bytes;
                        drop(turn);
                    }
                });
            }
        });
        assert_eq!(turns.state().free, 1_000);
    }

    #[test]
    fn a_report_tells_what_is_taken_and_who_waits() {
        let budget = Budget::new(400);
        let _file = budget.file(100).unwrap();
        let pixels = budget.pixels(299).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| budget.pixels(2).unwrap());
            until_waiting(&budget.pixels, 1);
            let report = budget.report();
            let expected = BudgetReport {
                memory_bytes: 400,
                in_use_bytes: 399,
                waiting: 1,
            };
            assert_eq!(report, expected);
            drop(pixels);
        });
        assert!(Budget::new(0).report().memory_bytes > 0);
    }
}
