//! How many of the workers one queue may hold: so that a number whose calls
//! hang does not take them all.

/// How many more jobs a queue may start that has `held` under way while `free`
/// workers have nothing to do and others may need them: it holds at most twice
/// as many as stay free ("dynamic threshold"). Alone it gets two thirds of the
/// workers, the next one half of the rest or more, and there is one left for a
/// third.
pub fn more(held: usize, free: usize) -> usize {
    (2 * free).saturating_sub(held).div_ceil(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_that_hang_one_after_the_other_leave_some_for_the_next() {
        for workers in [16, 32, 256] {
            let mut free = workers;
            let taken = [(); 3].map(|()| {
                let taken = more(0, free);
                free -= taken;
                taken
            });
            assert!(taken.iter().all(|taken| *taken > 0), "{workers}: {taken:?}");
            assert!(taken[0] <= workers * 2 / 3 + 1, "{workers}: {taken:?}");
        }
    }

    #[test]
    fn who_holds_its_part_gets_no_more() {
        assert_eq!(more(11, 5), 0);
        assert_eq!(more(9, 5), 1);
        assert_eq!(more(0, 0), 0);
        assert_eq!(more(0, 1), 1);
    }
}
