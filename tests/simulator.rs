//! The simulator: hours of crashes, lost answers and outages in a fraction of a
//! second, over the same `receive`, `claim` and `finish` that the service runs.
//!
//! Each seed is one small world: customers write, Meta delivers and redelivers,
//! an app answers, Graph accepts, refuses, throttles and loses answers, statuses
//! come early, late, twice or never, and the process dies between two steps or
//! inside one. Time and chance are simulated, so a seed always plays the same.
//! Every seed draws which faults are on and how bad they are ("swarm testing":
//! a run with all faults at once hides what two of them do to each other). Then
//! the faults stop, everything drains, and the books must agree.
//!
//! * [`luck`]: chance, and the faults of a seed
//! * [`world`]: time, and who calls whom
//! * [`process`]: the service's steps, and its crashes between them and in them
//! * [`meta`], [`graph`], [`app`]: the three outsides
//! * [`callers`]: those who post through the API, and the operator
//! * [`consumers`], [`handed`]: who gets events, and what each was handed
//! * [`hands`]: which conversations a person has taken over
//! * [`tokens`], [`halts`]: which number sends with what, and what stands still
//! * [`statuses`]: what Meta says of our messages, and how far each is by it
//! * [`files`]: customers' files, and their book
//! * [`upkeep`]: what is old goes, and people are forgotten, in the middle of it
//! * [`windows`]: silences of days, customer service windows, the order after files
//! * [`book`], [`entries`], [`lanes`]: what must have happened, written down independently of the store
//! * [`turns`]: replies before bulk
//! * [`rest`]: what must be true in the end
//!
//! # What must hold
//!
//! At every step ([`book`], [`entries`], [`halts`]):
//!
//! * an event is stored once, and its lane's deliveries run in order, one at a
//!   time, none after it ended
//! * a lane's messages go out in order, one at a time, at the pair's and the
//!   number's rate, none while Graph wants a pause
//! * an attempt is on disk before it is made, and counts as many as were made;
//!   a halt costs none
//! * under a halt of a token, a number, an account or the app no number in it
//!   calls Graph, but for one probe at a time for the whole halt and none within half
//!   a minute of another; all others go on
//! * what is halted is what was told, by an answer or by the status of a message that
//!   Graph had taken: the one ends when a probe is taken, the other when one goes out,
//!   and a status of before that brings it back no more
//! * a message that may have gone out waits a whole window before it goes again,
//!   and is Graph's twice only if an answer was lost or an operator asked for it
//! * what an operator holds or takes back is not sent; what he sends again is
//! * a message's state never goes back, but by an operator
//! * who has something to do is awake or has an alarm set, deliveries also while
//!   all sending is halted; nothing waits longer than an hour, even when the clock
//!   is set back by many
//! * only what is old and done with is pruned; of who is forgotten everything goes,
//!   and nothing of others; no thread has a hole ([`upkeep`])
//!
//! In the end ([`rest`], [`files`]): nothing waits, each event is stored once and
//! dealt with, each reply is in the outbox once and in order, and each message is
//! where its statuses say, or was given up with reason. Then all of it may go, and
//! whatever Meta delivers again is known for eight days, and in the end no more.
//!
//! `cargo test --test simulator` plays 200 fixed seeds, and one made from the
//! text in `SIM_COMMIT` (a commit's hash), so that each commit tries a world
//! nobody tried before. `SIM_SEED=n` replays one seed and prints what happens;
//! `SIM_SEEDS=n` plays that many. A bug found here becomes a small test with a
//! name in `src/gateway/tests.rs`.

#[path = "simulator/app.rs"]
mod app;
#[path = "simulator/book.rs"]
mod book;
#[path = "simulator/callers.rs"]
mod callers;
#[path = "simulator/consumers.rs"]
mod consumers;
#[path = "simulator/entries.rs"]
mod entries;
#[path = "simulator/files.rs"]
mod files;
#[path = "simulator/graph.rs"]
mod graph;
#[path = "simulator/halts.rs"]
mod halts;
#[path = "simulator/handed.rs"]
mod handed;
#[path = "simulator/hands.rs"]
mod hands;
#[path = "simulator/lanes.rs"]
mod lanes;
#[path = "simulator/luck.rs"]
mod luck;
#[path = "simulator/meta.rs"]
mod meta;
#[path = "simulator/process.rs"]
mod process;
#[path = "simulator/rest.rs"]
mod rest;
#[path = "simulator/statuses.rs"]
mod statuses;
#[path = "simulator/tally.rs"]
mod tally;
#[path = "simulator/tokens.rs"]
mod tokens;
#[path = "simulator/turns.rs"]
mod turns;
#[path = "simulator/upkeep.rs"]
mod upkeep;
#[path = "simulator/windows.rs"]
mod windows;
#[path = "simulator/world.rs"]
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tally::Tally;
use world::{Broken, World};

/// Seeds played by a plain `cargo test`.
const SEEDS: u64 = 200;

#[test]
fn nothing_is_lost_doubled_or_reordered_whatever_crashes() {
    if let Some(seed) = number_from("SIM_SEED") {
        return report(&[seed], &play(&[seed], true));
    }
    let mut seeds: Vec<u64> = (0..number_from("SIM_SEEDS").unwrap_or(SEEDS)).collect();
    if let Ok(commit) = std::env::var("SIM_COMMIT") {
        seeds.extend((!commit.is_empty()).then(|| luck::seed_of(&commit)));
    }
    report(&seeds, &play(&seeds, false));
}

/// Two runs of one seed must not differ, or a failure could not be replayed.
#[test]
fn a_seed_always_plays_the_same() {
    let tally = |seed| World::new(seed, false).play().map_err(|b| b.what);
    for seed in [3, 14, 159] {
        assert_eq!(tally(seed), tally(seed), "seed {seed}");
    }
}

fn number_from(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("SIM_SEED and SIM_SEEDS are numbers"))
}

/// One world a thread: each is single-threaded and knows nothing of the others.
fn play(seeds: &[u64], aloud: bool) -> Vec<Result<Tally, Broken>> {
    let next = AtomicU64::new(0);
    let outcomes = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let outcome = World::new(*seed, aloud).play();
                    let mut outcomes = outcomes.lock().expect("no thread panics holding it");
                    outcomes.push((*seed, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().expect("as above");
    outcomes.sort_by_key(|(seed, _)| *seed);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn report(seeds: &[u64], outcomes: &[Result<Tally, Broken>]) {
    let broken: Vec<&Broken> = outcomes.iter().filter_map(|o| o.as_ref().err()).collect();
    let Some(first) = broken.first() else {
        let tallies = outcomes.iter().flatten();
        let all = tallies.fold(Tally::default(), |sum, one| sum.plus(one));
        return println!("{} seeds: {all}", seeds.len());
    };
    for other in &broken[1..] {
        println!("seed {}: {}", other.seed, other.what);
    }
    println!("\nseed {}, the last steps:", first.seed);
    first.trace.iter().for_each(|line| println!("{line}"));
    panic!(
        "{} of {} seeds broke an invariant; the first, SIM_SEED={}: {}",
        broken.len(),
        seeds.len(),
        first.seed,
        first.what
    );
}
