//! Who shows what lets nobody in is slowed, and more so each time: no token can be guessed, and nobody shall try for long.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Mistakes that anybody makes.
const FREE: u32 = 5;

/// The longest that one is kept waiting.
const LONGEST: Duration = Duration::from_mins(5);

/// Mistakes are forgotten after so long.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(15);

/// Addresses that are remembered at once.
const MOST_ADDRESSES: usize = 10_000;

/// Addresses from which somebody showed what lets nobody in.
#[derive(Debug, Default)]
pub(super) struct Slowed(Mutex<HashMap<IpAddr, Mistakes>>);

#[derive(Debug, Clone, Copy)]
struct Mistakes {
    count: u32,
    last: Instant,
}

impl Mistakes {
    /// One second, then two, four and so on.
    fn wait(self) -> Duration {
        let doublings = self.count.checked_sub(FREE);
        doublings.map_or(Duration::ZERO, |doublings| {
            Duration::from_secs(1 << doublings.min(16)).min(LONGEST)
        })
    }
}

impl Slowed {
    /// For how long nothing is looked at that comes from there.
    pub(super) fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let mistakes = *self.locked().get(&one_owner(address))?;
        let wait = (mistakes.last + mistakes.wait()).saturating_duration_since(now);
        Some(wait).filter(|wait| !wait.is_zero())
    }

    /// Counts a mistake.
    pub(super) fn count(&self, address: IpAddr, now: Instant) {
        let mut all = self.locked();
        let address = one_owner(address);
        if all.len() >= MOST_ADDRESSES && !all.contains_key(&address) {
            all.retain(|_, mistakes| now.duration_since(mistakes.last) < FORGOTTEN_AFTER);
            let oldest = all.iter().min_by_key(|(_, mistakes)| mistakes.last);
            let oldest = oldest.map(|(address, _)| *address);
            if let Some(oldest) = oldest.filter(|_| all.len() >= MOST_ADDRESSES) {
                all.remove(&oldest);
            }
        }
        let before = all
            .get(&address)
            .filter(|mistakes| now.duration_since(mistakes.last) < FORGOTTEN_AFTER);
        let count = before.map_or(0, |mistakes| mistakes.count) + 1;
        all.insert(address, Mistakes { count, last: now });
    }

    /// Who was let in is not slowed any more.
    pub(super) fn forgive(&self, address: IpAddr) {
        self.locked().remove(&one_owner(address));
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<IpAddr, Mistakes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of IPv6, whoever has one address has all of its network.
fn one_owner(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(network).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_is_wrong_again_and_again_waits_longer_and_nobody_else_does() {
        let (slowed, start) = (Slowed::default(), Instant::now());
        let wrong = address("203.0.113.9");
        let mut waits = Vec::new();
        for _ in 0..16 {
            waits.push(slowed.wait(wrong, start).map_or(0, |wait| wait.as_secs()));
            slowed.count(wrong, start);
        }
        assert_eq!(
            waits,
            [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
        );
        assert!(slowed.wait(address("203.0.113.8"), start).is_none());
        assert!(slowed.wait(wrong, start + LONGEST).is_none());
        slowed.count(wrong, start + 2 * FORGOTTEN_AFTER);
        assert!(slowed.wait(wrong, start + 2 * FORGOTTEN_AFTER).is_none());
        for _ in 0..=FREE {
            slowed.count(wrong, start + 2 * FORGOTTEN_AFTER);
        }
        slowed.forgive(wrong);
        assert!(slowed.wait(wrong, start + 2 * FORGOTTEN_AFTER).is_none());
    }

    #[test]
    fn a_network_of_addresses_is_one_and_many_take_no_more_memory() {
        let (slowed, start) = (Slowed::default(), Instant::now());
        for last in 0..=FREE {
            slowed.count(address(&format!("2001:db8::{last}")), start);
        }
        assert!(slowed.wait(address("2001:db8::ffff"), start).is_some());
        for count in 0..MOST_ADDRESSES as u32 + 5 {
            slowed.count(IpAddr::from(count.to_be_bytes()), start);
        }
        assert_eq!(slowed.locked().len(), MOST_ADDRESSES);
    }
}
