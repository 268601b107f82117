//! Tells those whom the owner named that an image gained a label: at least once, each in order, none held up by another.
//!
//! The store writes an event with the tag that it tells about, and keeps it until its hook has taken it. Each hook has a
//! thread of its own, which takes the oldest event, tries until it is taken or given up, and goes on to the next.

mod attempt;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crossbeam_channel::{Receiver, select};
use tracing::{error, info, warn};

use crate::config::HookConfig;
use crate::library::Library;
use crate::pause;
use crate::stop::Stop;
use crate::store::{HookId, QueuedEvent, Store, StoreError};
use attempt::{Failure, Target};

/// The pause after a first failed attempt; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_mins(5);

/// So often may a hook answer and not take an event before it is taken to be the event's fault: about an hour.
const MAX_REFUSALS: i64 = 20;

/// Starts the threads that deliver what waits for each configured hook, and what comes.
pub(crate) fn start(config: &BTreeMap<String, HookConfig>, library: &Library) -> io::Result<()> {
    for ((name, config), &id) in config.iter().zip(&library.hooks) {
        let worker = Worker {
            name: name.clone(),
            id,
            target: Target::new(config),
            give_up_after_s: config.give_up_after_s,
            store: library.store.clone(),
            filled: library.store.feed().outbox_filled(),
            stop: library.stop.clone(),
        };
        library
            .threads
            .spawn(format!("hook {name}"), move || worker.run())?;
    }
    Ok(())
}

/// One hook's thread.
struct Worker {
    name: String,
    id: HookId,
    target: Target,
    give_up_after_s: i64,
    store: Store,
    filled: Receiver<()>,
    stop: Stop,
}

impl Worker {
    fn run(self) {
        let mut failures = 0;
        while !self.stop.is_asked() {
            match self.deliver_next() {
                Ok(Some(true)) => failures = 0,
                Ok(None) => self.wait_for_events(),
                Ok(Some(false)) => {
                    failures += 1;
                    let pause = pause::doubling(FIRST_PAUSE, LAST_PAUSE, failures);
                    self.stop.is_asked_within(pause);
                }
                // A full disk, say. What was taken and could not be written off is delivered again.
                Err(error) => {
                    error!(hook = self.name, %error, "failed to read or write what waits for a hook");
                    self.stop.is_asked_within(LAST_PAUSE);
                }
            }
        }
    }

    fn wait_for_events(&self) {
        select! {
            recv(self.stop.closed()) -> _ => {}
            recv(self.filled) -> _ => {}
        }
    }

    /// Tries to deliver the oldest event: whether that went well; none where nothing waits.
    fn deliver_next(&self) -> Result<Option<bool>, StoreError> {
        let Some(waiting) = self.store.next_queued(self.id)? else {
            return Ok(None);
        };
        // Written off only now that it was taken: a process that is killed in between delivers it again.
        match self.target.attempt(&waiting.event) {
            Ok(()) => self.store.delivered(self.id, &waiting)?,
            Err(failure) => {
                self.fail(&waiting, &failure)?;
                return Ok(Some(false));
            }
        }
        info!(hook = self.name, "event delivered");
        Ok(Some(true))
    }

    fn fail(&self, waiting: &QueuedEvent, failure: &Failure) -> Result<(), StoreError> {
        let (hook, reason) = (&self.name, failure.reason());
        let is_refused = matches!(failure, Failure::Refused(_));
        let refusals = waiting.refusals + i64::from(is_refused);
        if is_hopeless(refusals, waiting.age_s, self.give_up_after_s) {
            error!(hook, reason, event = waiting.event, "event given up");
            return self.store.give_up(self.id, waiting, reason);
        }
        warn!(
            hook,
            reason, "event not delivered, it waits for another attempt"
        );
        self.store
            .not_delivered(self.id, waiting, is_refused, reason)
    }
}

/// Whether another attempt is not worth it: too old, or refused again and again by a hook that is there.
fn is_hopeless(refusals: i64, age_s: i64, give_up_after_s: i64) -> bool {
    refusals >= MAX_REFUSALS || age_s >= give_up_after_s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_given_up_when_it_is_old_or_refused_again_and_again() {
        assert!(!is_hopeless(MAX_REFUSALS - 1, 59, 60));
        assert!(is_hopeless(MAX_REFUSALS, 59, 60));
        assert!(is_hopeless(0, 60, 60));
    }
}
