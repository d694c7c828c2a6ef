//! A Bloom filter over `seen`: nearly every event is new, and the filter tells so
//! without reading the index, of which a page lies elsewhere for each event.
//!
//! It learns each digest that is stored, when it is stored, and those that are in
//! the index already by reading it in order, some with each event that comes. What
//! it has not read yet may be there.

use crate::store::Result;
use rusqlite::{Connection, params};

/// A digest as `seen` has it.
type Digest = [u8; 16];

/// 2 MB. With a million digests it errs once in two hundred times, with eight
/// million nearly every second time; then the index is read as if it were not there.
const BITS: usize = 1 << 24;

/// Bits that a digest sets. Digests are evenly spread: parts of one say which.
const PLACES: usize = 3;

/// With more digests it is of no use.
const DIGESTS_MAX: usize = 8_000_000;

/// Digests that are read with each event until all are.
const READ_FOR_ONE: usize = 32;

const NEXT: &str = "SELECT digest FROM seen WHERE digest > ?1 ORDER BY digest LIMIT ?2";

/// Which digests are not in `seen`.
pub(in crate::store) struct Filter {
    /// Empty until a digest is learned.
    bits: Vec<u64>,
    digests: usize,
    read: Read,
}

/// How much of the index has been read.
enum Read {
    /// All up to this digest.
    UpTo(Digest),
    All,
    /// It is too much.
    GivenUp,
}

impl Filter {
    /// Knows nothing.
    pub(super) fn new() -> Filter {
        Filter {
            bits: Vec::new(),
            digests: 0,
            // No digest of an event is all zeros.
            read: Read::UpTo([0; 16]),
        }
    }

    /// Whether a digest may be in the index, now or once what is in memory is filed.
    pub(in crate::store) fn may_have(&self, digest: &Digest) -> bool {
        let is_known = match &self.read {
            Read::UpTo(last) => digest <= last,
            Read::All => true,
            Read::GivenUp => false,
        };
        !is_known || self.has(digest)
    }

    fn has(&self, digest: &Digest) -> bool {
        !self.bits.is_empty()
            && places(digest).all(|place| self.bits[place / 64] & (1 << (place % 64)) != 0)
    }

    /// An event was stored.
    pub(in crate::store) fn learn(&mut self, digest: &Digest) {
        if matches!(self.read, Read::GivenUp) {
            return;
        }
        self.digests += 1;
        if self.digests > DIGESTS_MAX {
            // Not begun anew: what is in memory would be missing.
            self.bits = Vec::new();
            self.read = Read::GivenUp;
            return;
        }
        if self.bits.is_empty() {
            self.bits = vec![0; BITS / 64];
        }
        for place in places(digest) {
            self.bits[place / 64] |= 1 << (place % 64);
        }
    }

    /// Reads some more of the index. What the process before this one left unfiled
    /// is there already.
    pub(in crate::store) fn read_some(&mut self, connection: &Connection) -> Result<()> {
        let Read::UpTo(last) = self.read else {
            return Ok(());
        };
        let mut statement = connection.prepare_cached(NEXT)?;
        let mut rows = statement.query(params![last, READ_FOR_ONE as i64])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let digest = row.get(0)?;
            self.learn(&digest);
            if let Read::UpTo(last) = &mut self.read {
                *last = digest;
            }
            count += 1;
        }
        if count < READ_FOR_ONE && matches!(self.read, Read::UpTo(_)) {
            self.read = Read::All;
        }
        Ok(())
    }
}

fn places(digest: &Digest) -> impl Iterator<Item = usize> + '_ {
    let words = digest.chunks_exact(4).take(PLACES);
    words.map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]) as usize % BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::notification::key_digest;

    fn digest(n: usize) -> Digest {
        key_digest(&n.to_string())
    }

    fn index(count: usize) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        let table =
            "CREATE TABLE seen(digest BLOB PRIMARY KEY, event INTEGER NOT NULL) WITHOUT ROWID";
        connection.execute_batch(table).unwrap();
        for n in 0..count {
            let row = params![digest(n), n as i64];
            connection
                .execute("INSERT INTO seen VALUES(?1, ?2)", row)
                .unwrap();
        }
        connection
    }

    #[test]
    fn what_is_there_is_never_denied_and_what_is_not_mostly_is() {
        let count = 10 * READ_FOR_ONE + 5;
        let connection = index(count);
        let mut filter = Filter::new();
        let mut denied = 0;
        for round in 0..20 {
            let new = count + round;
            filter.learn(&digest(new));
            for n in (0..count).chain(count..=new) {
                assert!(filter.may_have(&digest(n)), "{n} in round {round}");
            }
            denied = (10_000..11_000)
                .filter(|n| !filter.may_have(&digest(*n)))
                .count();
            filter.read_some(&connection).unwrap();
        }
        assert!(matches!(filter.read, Read::All));
        assert!(denied > 990, "{denied} of 1000");
    }

    #[test]
    fn of_too_many_it_denies_none() {
        let mut filter = Filter::new();
        filter.read = Read::All;
        assert!(!filter.may_have(&digest(1)));
        filter.digests = DIGESTS_MAX;
        filter.learn(&digest(2));
        assert!(filter.may_have(&digest(1)));
        filter.learn(&digest(3));
        assert!(filter.may_have(&digest(1)) && filter.bits.is_empty());
    }
}
