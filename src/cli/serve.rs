//! `wabridge serve`

use super::{Chain, Failure, Outcome, problems_said};
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

SIGTERM or Ctrl-C stops it in order; a second signal ends it at once. SIGHUP reads .env, the files of
secrets and RULES_FILE anew, without losing a request; when anything in them is wrong, all stays as
it was, and the log says what to mend. What only a restart changes is named in the log.
";

pub fn run(mut parser: Parser) -> Outcome {
    if let Some(arg) = parser.next()? {
        return Err(arg.unexpected().into());
    }
    let mut sources = Sources::of_this_process();
    let config = config::load(&sources).map_err(|all| problems_said(&all))?;
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
    run_until_signal(service, signals, |service| {
        systemd::notify_reloading();
        reread(service, &mut sources);
        systemd::notify("READY=1");
    })?;
    Ok(())
}

/// Reads settings, secrets and rules anew: all of it takes effect, or nothing.
fn reread(service: &Service, running: &mut Sources) {
    let mut sources = Sources::of_this_process();
    let kept = sources.keep_fixed(running);
    let reloaded = in_full(&sources).and_then(|(config, handlers)| {
        let warnings = config.warnings.clone();
        let reloaded = service.reload(config, handlers).map(|()| warnings);
        reloaded.map_err(|error| vec![Chain(&error).to_string()])
    });
    match reloaded {
        Ok(warnings) => {
            *running = sources;
            log::info!("msg=\"settings and rules read anew\"");
            for warning in warnings {
                log::warn!("msg=\"{warning}\"");
            }
        }
        Err(problems) => {
            for problem in problems {
                log::error!(
                    "msg=\"settings and rules stay as they were\" problem=\"{}\"",
                    problem.replace('"', "'")
                );
            }
        }
    }
    for name in kept {
        log::warn!("msg=\"{name} has changed: restart for it to take effect\"");
    }
}

/// All that the settings name, or everything that is wrong with it, a line each.
fn in_full(sources: &Sources) -> Result<(Config, Handlers), Vec<String>> {
    let config = config::load(sources)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let handlers = handlers(&config).map_err(|failure| {
        let text = failure.to_string();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    })?;
    Ok((config, handlers))
}

/// In the order in which they are asked.
type Handlers = Vec<Box<dyn Handler>>;

/// The handlers the settings name.
pub fn handlers(config: &Config) -> Result<Handlers, Failure> {
    let mut handlers: Handlers = Vec::new();
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
