//! `wabridge serve`

use super::{Failure, Outcome, problems_said};
use crate::config::{self, Config, Sources};
use crate::edge::serve::{Service, listen_for_signals, run_until_signal};
use crate::edge::{log as log_lines, systemd};
use crate::handler::Handler;
use crate::handler::forward::ForwardHandler;
use crate::handler::rules::Rules;
use lexopt::Parser;

pub const HELP: &str = "\
Runs the service: takes Meta's notifications, stores them, hands them to your logic, sends the
replies.

Usage: wabridge serve

It listens on LISTEN (127.0.0.1:8080) for nginx, and stores in DATABASE_URL. Settings come from
the environment and from .env in the working folder; `wabridge --help` lists them, and
`wabridge check` tells what is missing. At least VERIFY_TOKEN and APP_SECRET are needed.

SIGTERM or Ctrl-C stops it in order; a second signal ends it at once.
";

pub fn run(mut parser: Parser) -> Outcome {
    if let Some(arg) = parser.next()? {
        return Err(arg.unexpected().into());
    }
    let config = config::load(&Sources::of_this_process()).map_err(|all| problems_said(&all))?;
    let handlers = handlers(&config)?;
    log_lines::start(config.log_level);
    hide_panics();
    for warning in &config.warnings {
        log::warn!("msg=\"{warning}\"");
    }
    let service = Service::start(&config, handlers).map_err(Failure::because)?;
    let signals = listen_for_signals()?;
    log::info!(
        "msg=\"serving\" version={} listen={} path={} database={}",
        env!("CARGO_PKG_VERSION"),
        service.address(),
        config.webhook_path,
        config.database.display()
    );
    if let Some(api) = service.api_address() {
        log::info!("msg=\"serving the API\" listen={api}");
    }
    systemd::notify("READY=1");
    run_until_signal(service, signals)?;
    Ok(())
}

/// The handlers the settings name, in the order in which they are asked.
pub fn handlers(config: &Config) -> Result<Vec<Box<dyn Handler>>, Failure> {
    let mut handlers: Vec<Box<dyn Handler>> = Vec::new();
    if let Some(path) = &config.rules {
        handlers.push(Box::new(Rules::load(path).map_err(Failure::because)?));
    }
    if let Some(forward) = &config.forward {
        handlers.push(Box::new(ForwardHandler::new(forward, &config.hub_keys)));
    }
    Ok(handlers)
}

/// A panic's own words may hold a customer's: only its place is logged.
fn hide_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        log::error!("msg=\"panic\" at={}", place.unwrap_or_default());
    }));
}
