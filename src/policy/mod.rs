//! What to do, decided from facts and the time: (facts, now) → decision. Pure:
//! no clock, no I/O, no logging. Times are Unix milliseconds unless their name
//! says otherwise; luck comes in as a number in `0.0..1.0`.
//!
//! * [`verdict`]: what a Graph answer means for the message and its lane
//! * [`retry`]: when to try again
//! * [`pacing`]: how fast Meta lets us send
//! * [`priority`]: whose message goes first
//! * [`share`]: how many workers a queue may hold
//! * [`throttle`]: the pause and the slower pace after "too fast"
//! * [`breaker`]: when to stop trying for everybody
//! * [`clock`]: whether the time can be believed
//! * [`burst`]: which messages are one delivery
//! * [`alarm`]: what needs a person, and when it is told
//! * [`doctor`]: what is wrong between Meta and us
//! * [`registration`]: what is to be changed at Meta to be sent notifications
//! * [`fetch`]: what becomes of a customer's file that is fetched
//! * [`upload`]: what Graph says to a file of ours, and how long it keeps it
//! * [`stale`]: which messages come too late
//! * [`handover`]: whether a person has taken a conversation over
//! * [`ladder`]: what a status does to a message's state
//! * [`password`]: whether a password is the operator's
//! * [`search`]: what is typed to find a person
//! * [`attempts`]: how often one may be tried
//! * [`standing`]: what Meta thinks of a number
//! * [`session`]: who is logged in, and until when
//! * [`upkeep`]: what goes by its age, and how fast
//! * [`talk`]: what the events of a conversation leave behind
//! * [`window`]: whether anything but a template may be sent

pub mod alarm;
pub mod attempts;
pub mod breaker;
pub mod burst;
pub mod clock;
pub mod codes;
pub mod doctor;
pub mod fetch;
pub mod handover;
pub mod ladder;
pub mod pacing;
pub mod password;
pub mod priority;
pub mod registration;
pub mod retry;
pub mod search;
pub mod session;
pub mod share;
pub mod stale;
pub mod standing;
pub mod talk;
pub mod throttle;
pub mod upkeep;
pub mod upload;
pub mod verdict;
pub mod window;
