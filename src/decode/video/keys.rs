//! The key frames of a video: those that can be decoded without any other.

/// So many are kept of a video, at least half of it where there are more: enough to choose some from that lie evenly.
const MOST: usize = 4096;

/// A key frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// When it is seen, in milliseconds from the start.
    pub(super) time_ms: u64,
    pub(super) place: Place,
}

/// Where its bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// There, so many.
    At { offset: u64, len: u64 },
    /// In the cluster that begins there, at this time in the cluster's units.
    Cluster { offset: u64, time: i64 },
}

/// Key frames as they are met. Of many, every second is kept, then every fourth, and so on.
#[derive(Debug)]
pub(super) struct Keys {
    kept: Vec<Key>,
    step: usize,
    met: usize,
}

impl Keys {
    pub(super) fn new() -> Keys {
        Keys {
            kept: Vec::new(),
            step: 1,
            met: 0,
        }
    }

    /// Takes one in; it is made only where it is kept.
    pub(super) fn meet(&mut self, key: impl FnOnce() -> Option<Key>) {
        if self.met.is_multiple_of(self.step) {
            if self.kept.len() == MOST {
                let mut place = 0;
                self.kept.retain(|_| {
                    place += 1;
                    place % 2 == 1
                });
                self.step *= 2;
            }
            if self.met.is_multiple_of(self.step) {
                self.kept.extend(key());
            }
        }
        self.met += 1;
    }

    /// All that were kept, in order of time.
    pub(super) fn in_order(mut self) -> Vec<Key> {
        self.kept.sort_unstable_by_key(|key| key.time_ms);
        self.kept.dedup_by_key(|key| key.time_ms);
        self.kept
    }
}

/// Length of video for each frame that is looked at, and the fewest frames, of a video that has so many.
const MS_PER_FRAME: u64 = 5_000;
const FEWEST: u64 = 3;

/// Those of these key frames that are nearest to the middles of equal parts of the video: `most` at most, and fewer of a short one.
pub(super) fn spread(keys: &[Key], duration_ms: u64, most: usize) -> Vec<Key> {
    let wanted = duration_ms.div_ceil(MS_PER_FRAME).max(FEWEST);
    let parts = wanted.min(most as u64).max(1);
    let mut chosen: Vec<Key> = Vec::new();
    for part in 0..parts {
        let middle = duration_ms.saturating_mul(2 * part + 1) / (2 * parts);
        let nearest = keys.iter().min_by_key(|key| key.time_ms.abs_diff(middle));
        chosen.extend(nearest.filter(|key| chosen.last() != Some(*key)));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(time_ms: u64) -> Key {
        let place = Place::At { offset: 0, len: 1 };
        Key { time_ms, place }
    }

    fn times(keys: &[Key]) -> Vec<u64> {
        keys.iter().map(|key| key.time_ms).collect()
    }

    #[test]
    fn frames_lie_evenly_and_none_is_taken_twice() {
        let every_second: Vec<Key> = (0..60).map(|second| key(1000 * second)).collect();
        let chosen = |keys: &[Key], duration_ms, most| times(&spread(keys, duration_ms, most));
        assert_eq!(
            chosen(&every_second, 60_000, 4),
            [7000, 22_000, 37_000, 52_000]
        );
        assert_eq!(chosen(&every_second, 60_000, 99).len(), 12);
        assert_eq!(chosen(&every_second[..6], 6_000, 16), [1000, 3000, 5000]);
        assert_eq!(chosen(&[key(0)], 60_000, 16), [0]);
        assert!(chosen(&[], 60_000, 16).is_empty());
        assert_eq!(chosen(&every_second, 0, 16), [0]);
        assert_eq!(chosen(&every_second, u64::MAX, 2), [59_000]);
    }

    #[test]
    fn of_very_many_enough_are_kept_evenly() {
        let mut keys = Keys::new();
        let count = 3 * MOST as u64 + 5;
        (0..count).for_each(|at| keys.meet(|| Some(key(at))));
        let kept = keys.in_order();
        assert!((MOST / 2..=MOST).contains(&kept.len()), "{}", kept.len());
        let steps: Vec<u64> = kept
            .windows(2)
            .map(|two| two[1].time_ms - two[0].time_ms)
            .collect();
        assert!(steps.iter().all(|step| *step == steps[0]), "{steps:?}");
    }
}
