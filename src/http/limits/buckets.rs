//! Buckets that are emptied by requests and fill up with time. Called by `limits`; it knows nobody's name and no clock.

use std::{
    collections::HashMap,
    hash::Hash,
    mem,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// So many are remembered since the last time that they were too many, and as many from before.
const GENERATION: usize = 16_384;

/// An address as it is counted. Whoever has an IPv6 address has 2^64 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Network(u128);

impl Network {
    pub(super) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits() >> 64 | 1 << 127,
        })
    }
}

/// What is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Budget {
    /// Requests that a full bucket takes.
    pub(super) limit: u32,
    /// Requests that it takes now.
    pub(super) remaining: u32,
    /// Until it is full.
    pub(super) full_in_seconds: u32,
    /// Until it takes one.
    pub(super) wait_seconds: u32,
}

#[derive(Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

/// Buckets of one size, each full at first.
pub(super) struct Buckets<K> {
    per_minute: u32,
    known: Mutex<Generations<K>>,
}

struct Generations<K> {
    young: HashMap<K, Bucket>,
    old: HashMap<K, Bucket>,
}

impl<K: Eq + Hash + Copy> Generations<K> {
    fn get(&self, key: &K) -> Option<Bucket> {
        self.young.get(key).or_else(|| self.old.get(key)).copied()
    }

    /// Those that nobody asked for while as many others came are forgotten: then they are full again.
    fn put(&mut self, key: K, bucket: Bucket) {
        if self.young.len() >= GENERATION && !self.young.contains_key(&key) {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, bucket);
    }
}

impl<K: Eq + Hash + Copy> Buckets<K> {
    /// Each takes so many at once, and fills up within a minute. 0: no limit.
    pub(super) fn new(per_minute: u32) -> Self {
        Self { per_minute, known: Mutex::new(Generations { young: HashMap::new(), old: HashMap::new() }) }
    }

    fn filled(&self, bucket: Option<Bucket>, now: Instant) -> f64 {
        let full = f64::from(self.per_minute);
        let Some(Bucket { left, at }) = bucket else { return full };
        (left + now.saturating_duration_since(at).as_secs_f64() * full / 60.0).min(full)
    }

    fn budget(&self, left: f64) -> Budget {
        let limit = f64::from(self.per_minute);
        let seconds = |missing: f64| (missing.max(0.0) * 60.0 / limit).ceil() as u32;
        Budget {
            limit: self.per_minute,
            remaining: left.floor() as u32,
            full_in_seconds: seconds(limit - left),
            wait_seconds: seconds(1.0 - left).max(1),
        }
    }

    /// Takes one out; what is left, or that there was none. Nothing without a limit.
    pub(super) fn take(&self, key: K, now: Instant) -> Result<Option<Budget>, Budget> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if self.per_minute == 0 {
            // Who was here is known all the same.
            known.put(key, Bucket { left: 0.0, at: now });
            return Ok(None);
        }
        let left = self.filled(known.get(&key), now);
        if left < 1.0 {
            // Asking again does not put it off, and keeps it from being forgotten.
            known.put(key, Bucket { left, at: now });
            return Err(self.budget(left));
        }
        known.put(key, Bucket { left: left - 1.0, at: now });
        Ok(Some(self.budget(left - 1.0)))
    }

    /// What is left, without taking any. Nothing without a limit.
    pub(super) fn look(&self, key: &K, now: Instant) -> Option<Budget> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        (self.per_minute > 0).then(|| self.budget(self.filled(known.get(key), now)))
    }

    /// Whether it was here lately.
    pub(super) fn knows(&self, key: &K) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(key).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_takes_what_it_holds_and_fills_up_with_time() {
        let (buckets, now) = (Buckets::new(3), Instant::now());
        for left in [2, 1, 0] {
            assert_eq!(buckets.take("a", now).expect("some are left").expect("a limit").remaining, left);
        }
        let empty = buckets.take("a", now).expect_err("it is empty");
        assert_eq!((empty.limit, empty.remaining, empty.wait_seconds, empty.full_in_seconds), (3, 0, 20, 60));
        assert_eq!(buckets.take("b", now).expect("another one is full").expect("a limit").remaining, 2);
        assert!(buckets.take("a", now + Duration::from_secs(19)).is_err());
        assert!(buckets.take("a", now + Duration::from_secs(21)).is_ok());
        let later = now + Duration::from_secs(3600);
        assert_eq!(buckets.look(&"a", later).expect("a limit").remaining, 3);
        // A clock that seems to run back takes nothing away.
        assert!(buckets.take("c", later).is_ok() && buckets.take("c", now).is_ok());
    }

    #[test]
    fn without_a_limit_nothing_is_counted_but_who_was_here_is_known() {
        let buckets = Buckets::new(0);
        for _ in 0..10 {
            assert_eq!(buckets.take(1, Instant::now()), Ok(None));
        }
        assert!(buckets.knows(&1) && !buckets.knows(&2) && buckets.look(&1, Instant::now()).is_none());
    }

    #[test]
    fn many_strangers_take_bounded_memory_and_do_not_refresh_who_goes_on_asking() {
        let (buckets, now) = (Buckets::new(1), Instant::now());
        assert!(buckets.take(u32::MAX, now).is_ok());
        for stranger in 0..200_000 {
            assert!(buckets.take(stranger, now).is_ok());
            if stranger % 1_000 == 0 {
                assert!(buckets.take(u32::MAX, now).is_err());
            }
        }
        let known = buckets.known.lock().expect("nobody holds it");
        assert!(known.young.len() + known.old.len() <= 2 * GENERATION);
    }

    #[test]
    fn addresses_of_one_host_are_one() {
        let of = |text: &str| Network::of(text.parse().expect("an address"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        for (one, other) in [("2001:db8::1", "2001:db8:0:1::1"), ("192.0.2.1", "192.0.2.2"), ("::1", "0.0.0.0")] {
            assert_ne!(of(one), of(other));
        }
    }
}
