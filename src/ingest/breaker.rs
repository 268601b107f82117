//! What stands in the way of all files at once: a full disk, no descriptors left, a model that has ended.
//!
//! It is one trouble and not one for each file: it is told once, the pipeline pauses, tries a single file after a while, and goes
//! on when one gets through.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::{error, info};

use crate::pause;

/// The pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// A part of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Folders are compared with the library.
    Look,
    /// Files are opened and read.
    Read,
    /// Pictures are embedded.
    Embed,
    /// What was found is written into the library.
    Write,
}

/// What stands in the way of all files, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trouble {
    /// Where.
    pub stage: Stage,
    /// What, for people.
    pub reason: String,
    /// Attempts so far.
    pub attempts: u32,
    /// Since when, seconds since 1970.
    pub since: u64,
    /// Time until the next attempt, in milliseconds; 0 while it is under way.
    pub next_try_in_ms: u64,
}

/// Closed while all is well. Every clone is the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Breaker {
    open: Arc<Mutex<Option<Open>>>,
}

#[derive(Debug)]
struct Open {
    stage: Stage,
    reason: String,
    attempts: u32,
    since: SystemTime,
    next_try: Instant,
}

impl Breaker {
    /// Something failed that is no single file's fault. What was under way meanwhile and fails too is the same failure.
    pub(super) fn trip(&self, stage: Stage, reason: String) {
        let now = Instant::now();
        let mut open = self.locked();
        let earlier = open.as_ref();
        if earlier.is_some_and(|earlier| now < earlier.next_try) {
            return;
        }
        let attempts = earlier.map_or(0, |earlier| earlier.attempts) + 1;
        let pause = pause::doubling(FIRST_PAUSE, LONGEST_PAUSE, attempts);
        if earlier.is_none_or(|earlier| earlier.reason != reason) {
            let pause_s = pause.as_secs();
            error!(?stage, reason, pause_s, "indexing pauses: all files wait");
        }
        *open = Some(Open {
            stage,
            reason,
            attempts,
            since: earlier.map_or_else(SystemTime::now, |earlier| earlier.since),
            next_try: now + pause,
        });
    }

    /// Nothing is under way or in line: what stood in the way of files stands in nobody's way any more.
    pub(super) fn rest(&self) {
        let mut open = self.locked();
        if open.as_ref().is_some_and(|open| open.stage != Stage::Look) {
            *open = None;
        }
    }

    /// A file, or for [`Stage::Look`] all folders, got through a stage.
    pub(super) fn succeed(&self, stage: Stage) {
        let mut open = self.locked();
        if open.as_ref().is_some_and(|open| open.stage == stage) {
            *open = None;
            info!(?stage, "indexing goes on");
        }
    }

    /// For how long nothing goes into the pipeline; none where all is well, and zero where one file is to be tried.
    pub(super) fn pause(&self) -> Option<Duration> {
        let open = self.locked();
        let left = |open: &Open| open.next_try.saturating_duration_since(Instant::now());
        open.as_ref().map(left)
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.locked().as_ref().map(|open| Trouble {
            stage: open.stage,
            reason: open.reason.clone(),
            attempts: open.attempts,
            since: open
                .since
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            next_try_in_ms: open
                .next_try
                .saturating_duration_since(Instant::now())
                .as_millis() as u64,
        })
    }

    fn locked(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_stage_that_failed_ends_a_pause() {
        let breaker = Breaker::default();
        assert_eq!(breaker.pause(), None);
        breaker.trip(Stage::Write, "no room".to_owned());
        breaker.trip(Stage::Write, "no room".to_owned());
        let trouble = breaker.trouble().unwrap();
        assert_eq!((trouble.attempts, &*trouble.reason), (1, "no room"));
        assert!(breaker.pause().unwrap() > Duration::ZERO);
        breaker.succeed(Stage::Read);
        assert!(
            breaker.trouble().is_some(),
            "reading says nothing of writing"
        );
        breaker.succeed(Stage::Write);
        assert_eq!(breaker.trouble(), None);
    }

    #[test]
    fn what_waits_for_nothing_is_no_trouble_but_for_folders() {
        let breaker = Breaker::default();
        breaker.trip(Stage::Read, "no descriptors".to_owned());
        breaker.rest();
        assert_eq!(breaker.trouble(), None);
        breaker.trip(Stage::Look, "no database".to_owned());
        breaker.rest();
        assert!(breaker.trouble().is_some());
    }
}
