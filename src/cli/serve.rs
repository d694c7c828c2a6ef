//! `wabridge serve`: the service.

use super::{Failure, Outcome};
use crate::service::Service;
use lexopt::Parser;

pub const HELP: &str = "\
Runs the service: takes Meta's notifications, stores them, hands them to your logic, sends the
replies.

Usage: wabridge serve

It listens on LISTEN (127.0.0.1:8080) for nginx, and stores in DATABASE_URL. Settings come from
the environment and from .env in the working folder; `wabridge --help` lists them, and
`wabridge check` tells what is missing. At least VERIFY_TOKEN and APP_SECRET are needed.

SIGTERM or Ctrl-C stops it in order; a second signal ends it at once. SIGHUP reads .env, the files
of secrets and RULES_FILE anew, without losing a request; when anything in them is wrong, all stays
as it was, and the log says what to mend. What only a restart changes is named in the log.
";

pub fn run(mut parser: Parser) -> Outcome {
    if let Some(arg) = parser.next()? {
        return Err(arg.unexpected().into());
    }
    let served = Service::from_env().and_then(Service::run);
    served.map_err(Failure::because)
}
