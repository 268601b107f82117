//! One way to stop: whoever works in the background is told with [`Stop`], and is waited for with [`Threads`].

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tracing::error;

/// The longest that a process goes on once it is told to stop. Work that is not done then is done after the next start.
const LONGEST: Duration = Duration::from_secs(3);

/// The word to stop: one tells it, and all clones hear it.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Closed when the word is given; nothing is ever sent.
    closed: Receiver<Infallible>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Until when there is time, once the word is given.
    deadline: OnceLock<Instant>,
    open: Mutex<Option<Sender<Infallible>>>,
    token: CancellationToken,
    /// Those who hear the word with this one.
    parts: Mutex<Vec<Weak<Shared>>>,
}

impl Default for Stop {
    fn default() -> Stop {
        let (open, closed) = bounded(0);
        Stop {
            closed,
            shared: Arc::new(Shared {
                deadline: OnceLock::new(),
                open: Mutex::new(Some(open)),
                token: CancellationToken::new(),
                parts: Mutex::default(),
            }),
        }
    }
}

impl Shared {
    fn ask(&self) {
        self.deadline.get_or_init(|| Instant::now() + LONGEST);
        drop(locked(&self.open).take());
        self.token.cancel();
        let parts = std::mem::take(&mut *locked(&self.parts));
        parts
            .iter()
            .filter_map(Weak::upgrade)
            .for_each(|part| part.ask());
    }
}

impl Stop {
    /// Gives the word. The time that is left counts from the first time.
    pub fn ask(&self) {
        self.shared.ask();
    }

    /// A word of its own for a part of the whole: who hears it hears this one too, and not the other way round.
    #[must_use]
    pub fn part(&self) -> Stop {
        let part = Stop::default();
        locked(&self.shared.parts).push(Arc::downgrade(&part.shared));
        // Given before that, or while it was done: then nobody else passes it on.
        if self.is_asked() {
            part.ask();
        }
        part
    }

    /// Whether the word was given: for loops, as cheap as reading a number.
    pub fn is_asked(&self) -> bool {
        self.shared.deadline.get().is_some()
    }

    /// A channel that closes when the word is given: for threads that wait for several things with `select!`.
    pub fn closed(&self) -> &Receiver<Infallible> {
        &self.closed
    }

    /// Waits for as long, or until the word is given: whether that is so.
    pub fn is_asked_within(&self, longest: Duration) -> bool {
        self.closed.recv_timeout(longest) == Err(RecvTimeoutError::Disconnected)
    }

    /// Waits until the word is given: for async code.
    pub fn asked(&self) -> WaitForCancellationFuture<'_> {
        self.shared.token.cancelled()
    }

    /// Until when whoever was told may go on; from now on where nobody was told yet.
    pub fn deadline(&self) -> Instant {
        let deadline = self.shared.deadline.get().copied();
        deadline.unwrap_or_else(|| Instant::now() + LONGEST)
    }
}

/// Threads that run until they are told to stop, and that somebody waits for. Every clone holds the same threads.
#[derive(Debug, Clone, Default)]
pub struct Threads {
    running: Arc<Running>,
}

#[derive(Debug, Default)]
struct Running {
    names: Mutex<Vec<String>>,
    one_ended: Condvar,
}

impl Threads {
    /// Starts a thread.
    pub fn spawn(
        &self,
        name: impl Into<String>,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let name = name.into();
        locked(&self.running.names).push(name.clone());
        let entry = Entry {
            name: name.clone(),
            running: Arc::clone(&self.running),
        };
        // Where no thread can be had, the closure is dropped, and the entry with it.
        thread::Builder::new().name(name).spawn(move || {
            let _entry = entry;
            work();
        })?;
        Ok(())
    }

    /// Waits until all have ended, but not beyond the deadline: the names of those that have not.
    pub fn join(&self, deadline: Instant) -> Vec<String> {
        let names = locked(&self.running.names);
        let left = deadline.saturating_duration_since(Instant::now());
        let some_run = |names: &mut Vec<String>| !names.is_empty();
        let waited = self
            .running
            .one_ended
            .wait_timeout_while(names, left, some_run);
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

/// A thread's place among those that run, until it ends in one way or the other.
struct Entry {
    name: String,
    running: Arc<Running>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        if thread::panicking() {
            error!(thread = self.name, "a thread panicked");
        }
        let mut names = locked(&self.running.names);
        if let Some(place) = names.iter().position(|name| *name == self.name) {
            names.swap_remove(place);
        }
        self.running.one_ended.notify_all();
    }
}

/// A panic elsewhere leaves what is locked here sound.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_a_minute() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    #[tokio::test]
    async fn the_word_is_heard_by_loops_threads_and_tasks() {
        let stop = Stop::default();
        let heard = stop.clone();
        assert!(!heard.is_asked() && !heard.is_asked_within(Duration::ZERO));
        stop.ask();
        let deadline = heard.deadline();
        stop.ask();
        assert!(heard.is_asked() && heard.is_asked_within(Duration::from_mins(1)));
        assert!(heard.closed().recv().is_err());
        heard.asked().await;
        assert_eq!(
            heard.deadline(),
            deadline,
            "the time counts from the first word"
        );
    }

    #[test]
    fn a_part_stops_alone_or_with_the_whole() {
        let whole = Stop::default();
        let [first, second] = [whole.part(), whole.part()];
        first.ask();
        assert!(first.is_asked() && !whole.is_asked() && !second.is_asked());
        whole.ask();
        assert!(second.closed().recv().is_err() && second.is_asked());
        assert!(whole.part().is_asked(), "the word was given before");
    }

    #[test]
    fn threads_that_hear_the_word_are_waited_for() {
        let (stop, threads) = (Stop::default(), Threads::default());
        for name in ["one", "another"] {
            let stop = stop.clone();
            let wait = move || assert!(stop.is_asked_within(Duration::from_mins(1)));
            threads.spawn(name, wait).unwrap();
        }
        assert_eq!(threads.join(Instant::now()), ["one", "another"]);
        stop.ask();
        assert!(threads.join(in_a_minute()).is_empty());
    }

    #[test]
    fn a_thread_that_does_not_end_is_named_and_one_that_panics_has_ended() {
        let threads = Threads::default();
        let (release, held) = bounded::<Infallible>(0);
        threads
            .spawn("deaf", move || assert!(held.recv().is_err()))
            .unwrap();
        threads.spawn("panics", || panic!("on purpose")).unwrap();
        while threads.join(Instant::now()).len() > 1 {
            thread::yield_now();
        }
        assert_eq!(threads.join(Instant::now()), ["deaf"]);
        drop(release);
        assert!(threads.join(in_a_minute()).is_empty());
    }
}
