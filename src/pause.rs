//! How long to wait before what failed is tried again.

use std::time::Duration;

/// The pause after so many attempts in a row: `first` after the first, then each twice as long as the one before, up to `longest`.
pub(crate) fn doubling(first: Duration, longest: Duration, attempts: u32) -> Duration {
    let factor = 1_u32.checked_shl(attempts.saturating_sub(1));
    let pause = factor.and_then(|factor| first.checked_mul(factor));
    pause.map_or(longest, |pause| pause.min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let (first, longest) = (Duration::from_millis(500), Duration::from_mins(5));
        let pause = |attempts| doubling(first, longest, attempts).as_millis();
        assert_eq!(
            [0, 1, 2, 3, 10, 11, 33, u32::MAX].map(pause),
            [500, 500, 1000, 2000, 256_000, 300_000, 300_000, 300_000]
        );
    }
}
