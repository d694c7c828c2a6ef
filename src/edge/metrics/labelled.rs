//! The same thing counted apart by labels.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sets of labels that are counted apart. Whoever stores the figures pays for each set, and the
/// labels come from settings and from Meta: more than these are counted under none.
const SETS_MAX: usize = 1_000;

/// One `M` for each set of labels `K`.
pub struct Labelled<K, M> {
    sets: Mutex<BTreeMap<K, Arc<M>>>,
}

impl<K, M> Default for Labelled<K, M> {
    fn default() -> Labelled<K, M> {
        Labelled {
            sets: Mutex::default(),
        }
    }
}

impl<K: Ord + Clone, M> Labelled<K, M> {
    /// The one of these labels, made when there is none.
    pub fn of(&self, labels: K, make: impl FnOnce() -> M) -> Arc<M> {
        let mut sets = self.sets();
        if let Some(found) = sets.get(&labels) {
            return Arc::clone(found);
        }
        let made = Arc::new(make());
        if sets.len() < SETS_MAX {
            sets.insert(labels, Arc::clone(&made));
        }
        made
    }

    /// All there are, in order.
    pub fn all(&self) -> Vec<(K, Arc<M>)> {
        let sets = self.sets();
        sets.iter()
            .map(|(k, m)| (k.clone(), Arc::clone(m)))
            .collect()
    }

    fn sets(&self) -> MutexGuard<'_, BTreeMap<K, Arc<M>>> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn each_set_is_counted_apart_and_there_is_an_end_to_them() {
        let counted = Labelled::default();
        for round in 0..2 {
            for label in 0..SETS_MAX + 5 {
                let counter = counted.of(label, AtomicU64::default);
                counter.fetch_add(round + 1, Ordering::Relaxed);
            }
        }
        let all = counted.all();
        assert_eq!(all.len(), SETS_MAX);
        assert!(all.iter().all(|(_, n)| n.load(Ordering::Relaxed) == 3));
    }
}
