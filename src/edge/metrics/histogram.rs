//! A histogram that is counted without a lock. prometheus-client's own takes one for each
//! observation, and whoever reads the page would hold up webhooks.

use std::sync::atomic::{AtomicU64, Ordering};

/// A microsecond, in seconds.
const MICRO: f64 = 1e-6;

/// Observations, counted by size.
#[derive(Debug)]
pub struct Histogram {
    /// The upper bounds, all but the last, which is infinite.
    bounds: &'static [f64],
    /// One more than bounds.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
    /// What one unit of the sum is worth: times are summed in microseconds.
    unit: f64,
}

/// What a histogram holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// How many were observed.
    pub count: u64,
    /// All of them together.
    pub sum: f64,
    /// Upper bounds, and how many fell below each and above the one before.
    pub buckets: Vec<(f64, u64)>,
}

impl Histogram {
    /// Of times in seconds, with these upper bounds, in ascending order.
    pub fn of_seconds(bounds: &'static [f64]) -> Histogram {
        Histogram::new(bounds, MICRO)
    }

    /// Of numbers.
    pub fn of_numbers(bounds: &'static [f64]) -> Histogram {
        Histogram::new(bounds, 1.0)
    }

    fn new(bounds: &'static [f64], unit: f64) -> Histogram {
        Histogram {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            unit,
        }
    }

    /// Counts a number, or a time in microseconds. Time that went backwards is none.
    pub fn observe(&self, amount: i64) {
        let amount = u64::try_from(amount).unwrap_or(0);
        let value = amount as f64 * self.unit;
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(amount, Ordering::Relaxed);
    }

    /// What it holds now. What is counted meanwhile may be in the sum and not yet in a bucket.
    pub fn snapshot(&self) -> Snapshot {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let counts = self
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<_> = bounds.zip(counts).collect();
        Snapshot {
            count: buckets.iter().map(|(_, count)| count).sum(),
            sum: self.sum.load(Ordering::Relaxed) as f64 * self.unit,
            buckets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(histogram: &Histogram, amounts: &[i64], sum: f64, counts: &[u64]) {
        amounts.iter().for_each(|amount| histogram.observe(*amount));
        let held = histogram.snapshot();
        assert!((held.sum - sum).abs() < 1e-9, "{held:?}");
        assert_eq!(held.count, amounts.len() as u64);
        let found: Vec<u64> = held.buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(found, counts);
        assert_eq!(held.buckets.last().unwrap().0, f64::INFINITY);
    }

    #[test]
    fn each_falls_into_the_first_bucket_that_holds_it() {
        let times = Histogram::of_seconds(&[0.001, 0.01]);
        check(
            &times,
            &[-5, 0, 999, 1_000, 1_001, 10_000, 10_001],
            0.023_001,
            &[4, 2, 1],
        );
        let numbers = Histogram::of_numbers(&[1.0, 2.0, 4.0]);
        check(&numbers, &[1, 2, 3, 4, 5], 15.0, &[1, 1, 2, 1]);
    }
}
