//! How far lists of events and messages look.

use crate::store::Result;
use crate::store::tx::Found;

/// Rows looked through for one list, at most: a rare state must not cost a walk
/// over everything that was ever stored.
const SCANNED_MAX: usize = 200_000;

/// Rows looked through in one step. It takes some hundredths of a second, and who
/// wants more asks again.
pub(super) const LOOK: usize = 20_000;

/// The newest rows that pages have, oldest of them first, `limit` at most. `page`
/// gets where to go on from, and how many more are wanted.
pub(super) fn newest<T>(
    limit: usize,
    mut page: impl FnMut(Option<i64>, usize) -> Result<Found<T>>,
) -> Result<Vec<T>> {
    let (mut rows, mut from) = (Vec::new(), None);
    for _ in 0..SCANNED_MAX / LOOK {
        let found = page(from, limit - rows.len())?;
        rows.extend(found.rows);
        from = found.older;
        if rows.len() >= limit || from.is_none() {
            break;
        }
    }
    rows.reverse();
    Ok(rows)
}
