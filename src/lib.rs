//! wabridge stands between Meta's WhatsApp Cloud API and a business's own
//! logic. Meta delivers a webhook; wabridge verifies it, stores it durably, and
//! only then answers 200. Each conversation's events reach the logic in order,
//! once each, however often anything crashed; what the logic answers goes out
//! through the Graph API once and in order; what became of it comes back and is
//! kept.
//!
//! # The code, from the outside in
//!
//! * [`cli`]: the command line, one file a verb
//! * [`edge`]: what touches the world: HTTP, Graph, threads, clock, log
//! * [`handler`]: the business's logic: rules, an HTTP app
//! * [`gateway`]: the queue: `receive`, `claim`, `finish`
//! * [`store`]: the only SQL, and the thread that commits for everybody
//! * [`policy`]: decisions about time and failure, pure
//! * [`wire`]: Meta's formats, pure
//! * [`config`]: the settings
//!
//! Each may use those below it, never those above; `wire` and `policy` know no
//! clock, no log and no I/O.
//!
//! # The one idea
//!
//! Everything that can be lost is a *job* in a *lane*. A lane is strictly
//! ordered and has at most one job running; different lanes run in parallel.
//! [`gateway`]'s three steps take the time as an argument and make one commit
//! each; between `claim` and `finish`, and only there, the outside world is
//! touched, and what came of it returns as a value. So a simulator can run days
//! of crashes in a second.
//!
//! # What always holds
//!
//! 1. 200 only after the commit that holds the notification's events.
//! 2. An event is recorded once, and delivered until it is done or a dead letter.
//! 3. A lane's jobs run in order, one at a time.
//! 4. "Delivered" and the replies it led to are one commit.
//! 5. The attempt is on disk before the call.
//! 6. A message goes out twice only if Graph's answer was lost and no status
//!    came within the window.
//! 7. A status never goes back; one that comes early is kept and applied.
//! 8. What is not understood is kept, shown and forwarded.
//! 9. No secret, text, name or phone number in a log line at `info`; tokens
//!    never at any level.
//! 10. The webhook listener serves the webhook and nothing else.
//! 11. Every queue, body, wait and list has a limit, and meeting it is a clear
//!     answer.

pub mod cli;
pub mod config;
pub mod edge;
pub mod gateway;
pub mod handler;
pub mod policy;
pub mod store;
pub mod wire;
