//! Work that ends in time, or is left alone: a decoder that never returns costs its picture and its thread, no more.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::error;

use super::PictureError;
use crate::decode::DecodeError;

/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(200);

/// The time that is left for some work. It stands still while memory is waited for.
#[derive(Debug, Default)]
pub(super) struct Clock {
    running: Mutex<Option<Running>>,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    until: Instant,
    limit: Duration,
}

impl Clock {
    /// Starts with so much time.
    pub(super) fn start(&self, limit: Duration) {
        let until = Instant::now() + limit;
        *self.locked() = Some(Running { until, limit });
    }

    /// What runs is over, or waits.
    pub(super) fn stop(&self) {
        *self.locked() = None;
    }

    /// The time that there was, once it is over.
    fn ran_out(&self) -> Option<Duration> {
        let running = (*self.locked())?;
        (Instant::now() >= running.until).then_some(running.limit)
    }

    /// A panic elsewhere leaves the time sound.
    fn locked(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does `work` on a thread of its own and waits for it until its clock has run out. The thread cannot be ended: it keeps what it
/// holds, and the one who waited goes on without it.
pub(super) fn run<T: Send + 'static>(
    work: impl FnOnce(&Clock) -> Result<T, PictureError> + Send + 'static,
) -> Result<T, PictureError> {
    let clock = Arc::<Clock>::default();
    let (sender, done) = mpsc::sync_channel(1);
    let of_thread = Arc::clone(&clock);
    let thread = thread::Builder::new().name("decoder".to_owned());
    let started = thread.spawn(move || {
        // Nobody waits any more where it came too late.
        let _ = sender.send(work(&of_thread));
    });
    started.map_err(PictureError::Thread)?;
    loop {
        match done.recv_timeout(TICK) {
            Ok(done) => return done,
            Err(RecvTimeoutError::Disconnected) => return Err(DecodeError::Panicked.into()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(limit) = clock.ran_out() {
            let limit_s = limit.as_secs();
            error!(limit_s, "a decoder does not end: its thread is left alone");
            return Err(DecodeError::TooSlow(limit).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_goes_on_without_work_that_does_not_end() {
        let (release, held) = mpsc::channel::<()>();
        let work = move |clock: &Clock| {
            clock.start(Duration::from_millis(1));
            Ok(held.recv().is_ok())
        };
        let error = run(work).unwrap_err();
        assert!(
            matches!(error, PictureError::Decode(DecodeError::TooSlow(_))),
            "{error}"
        );
        drop(release);
    }

    #[test]
    fn time_that_is_waited_for_memory_does_not_count() {
        let done = run(|clock| {
            clock.start(Duration::from_millis(1));
            clock.stop();
            thread::sleep(3 * TICK);
            clock.start(Duration::from_mins(1));
            Ok(7)
        });
        assert_eq!(done.unwrap(), 7);
    }

    #[test]
    fn a_panic_is_the_pictures_fault() {
        let error = run(|_| -> Result<(), _> { panic!("on purpose") }).unwrap_err();
        assert!(matches!(error, PictureError::Decode(DecodeError::Panicked)));
    }
}
