//! When folders are looked at by the clock, whether or not anything was told about them.

use std::time::{Duration, Instant};

/// Folders whose changes are not told are looked at for a tenth of the time at most, however long a look takes.
const PAUSE: u32 = 9;

/// What is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// All folders.
    Everything,
    /// Those whose changes are not told.
    Polled,
}

/// When what is looked at again.
#[derive(Debug)]
pub(super) struct Schedule {
    scan_interval: Duration,
    poll_interval: Duration,
    next_scan: Instant,
    next_poll: Instant,
    /// The first moment at which lost events may lead to a scan again.
    may_scan: Instant,
}

impl Schedule {
    /// The first scan is due at once.
    pub(super) fn new(scan_interval: Duration, poll_interval: Duration, now: Instant) -> Schedule {
        Schedule {
            scan_interval,
            poll_interval,
            next_scan: now,
            next_poll: now + poll_interval,
            may_scan: now,
        }
    }

    /// When the next round is due.
    pub(super) fn next_due(&self) -> Instant {
        self.next_scan.min(self.next_poll)
    }

    /// The round that is due.
    pub(super) fn due(&self, now: Instant) -> Option<Round> {
        if self.next_scan <= now {
            Some(Round::Everything)
        } else {
            (self.next_poll <= now).then_some(Round::Polled)
        }
    }

    /// Events were lost: everything is looked at soon, and once for all that is lost until then. The
    /// pause before is as long as the last scan took, so that scans do not fill all time.
    pub(super) fn scan_soon(&mut self) {
        self.next_scan = self.next_scan.min(self.may_scan);
    }

    /// All folders are looked at again after this pause at the latest.
    pub(super) fn scan_within(&mut self, pause: Duration, now: Instant) {
        self.next_scan = self.next_scan.min(now + pause);
    }

    /// A round is over.
    pub(super) fn done(&mut self, round: Round, started: Instant, now: Instant) {
        let took = now.saturating_duration_since(started);
        self.next_poll = now + self.poll_interval.max(took * PAUSE);
        if round == Round::Everything {
            self.next_scan = now + self.scan_interval;
            self.may_scan = now + took;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn schedule(now: Instant) -> Schedule {
        Schedule::new(900 * SECOND, 60 * SECOND, now)
    }

    #[test]
    fn scans_and_polls_come_by_the_clock() {
        let start = Instant::now();
        let mut schedule = schedule(start);
        assert_eq!(schedule.due(start), Some(Round::Everything));
        schedule.done(Round::Everything, start, start + SECOND);
        assert_eq!(schedule.due(start + 60 * SECOND), None);
        assert_eq!(schedule.next_due(), start + 61 * SECOND);
        assert_eq!(schedule.due(start + 61 * SECOND), Some(Round::Polled));
        schedule.done(Round::Polled, start + 61 * SECOND, start + 62 * SECOND);
        assert_eq!(schedule.due(start + 121 * SECOND), None);
        assert_eq!(schedule.due(start + 122 * SECOND), Some(Round::Polled));
        assert_eq!(schedule.due(start + 901 * SECOND), Some(Round::Everything));
    }

    #[test]
    fn a_look_that_takes_long_is_followed_by_a_long_pause() {
        let start = Instant::now();
        let mut schedule = schedule(start);
        schedule.done(Round::Everything, start, start);
        schedule.done(Round::Polled, start, start + 20 * SECOND);
        assert_eq!(schedule.next_due(), start + 200 * SECOND);
    }

    #[test]
    fn all_that_is_lost_leads_to_one_scan() {
        let start = Instant::now();
        let mut schedule = schedule(start);
        schedule.done(Round::Everything, start, start + 5 * SECOND);
        schedule.scan_soon();
        assert_eq!(schedule.due(start + 9 * SECOND), None);
        schedule.scan_soon();
        assert_eq!(schedule.due(start + 10 * SECOND), Some(Round::Everything));
        schedule.done(Round::Everything, start + 10 * SECOND, start + 10 * SECOND);
        assert_eq!(schedule.due(start + 11 * SECOND), None);
        schedule.scan_soon();
        assert_eq!(schedule.due(start + 11 * SECOND), Some(Round::Everything));
    }

    #[test]
    fn a_scan_that_failed_is_made_again_after_its_pause() {
        let start = Instant::now();
        let mut schedule = schedule(start);
        schedule.done(Round::Everything, start, start);
        schedule.scan_within(2 * SECOND, start);
        schedule.scan_within(4 * SECOND, start);
        assert_eq!(schedule.due(start + SECOND), None);
        assert_eq!(schedule.due(start + 2 * SECOND), Some(Round::Everything));
    }
}
