//! What touches the world, kept thin: sockets, clocks, threads, signals.
//! Decisions are made in `gateway` and `policy`.
//!
//! * [`http`]: the webhook listener around tiny_http
//! * [`graph`]: one call to Graph
//! * [`alarms`]: looks for what needs a person, and tells
//! * [`callback`]: what answers at the webhook's public address
//! * [`doctor`]: how things are set up at Meta, asked and changed
//! * [`media`]: fetching customers' files
//! * [`upload`]: a file of this machine on its way to Graph
//! * [`serve`]: the service: threads, signals, drain
//! * [`live`]: the settings in force, exchanged as one whole
//! * [`dispatch`]: jobs from the queue to worker threads and back
//! * [`names`]: what people are called, learned behind the events
//! * [`gate`]: calls that come late do not come at once
//! * [`threads`]: those that the service cannot do without
//! * [`waiting`]: callers who wait for Graph's answer
//! * [`ready`]: whether all parts do their work
//! * [`metrics`]: what the service counts about itself
//! * [`clock`], [`log`], [`systemd`]: time, log lines, the service manager
//! * [`standin`]: a stand-in for Graph, for the demo and for tests

pub mod alarms;
pub mod callback;
pub mod clock;
pub mod dispatch;
pub mod doctor;
pub mod gate;
pub mod graph;
pub mod http;
pub mod live;
pub mod log;
pub mod media;
pub mod metrics;
pub mod names;
pub mod ready;
pub mod serve;
pub mod standin;
pub mod systemd;
pub mod threads;
pub mod upkeep;
pub mod upload;
pub mod waiting;
