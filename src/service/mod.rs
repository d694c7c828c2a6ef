//! The service as a library: settings and handlers go in, [`Service::run`] does
//! the rest. `wabridge serve` is this without handlers of its own.
//!
//! * here: building it, running it, reading it all anew at SIGHUP
//! * [`answer`]: what a handler returns
//! * [`context`]: what it sees; [`past`]: what was said before
//! * [`handler`]: the trait, and closures as handlers

pub mod answer;
pub mod context;
pub mod handler;
pub mod past;

pub use answer::{Answer, Failure, Result, Wish};
pub use context::Context;
pub use handler::Handler;
pub use past::{Conversation, Entry};

use crate::config::{self, Config, Problem, Sources};
use crate::edge::serve::{Running, StartError, listen_for_signals, run_until_signal};
use crate::edge::{log as log_lines, systemd};
use crate::handler as chain;
use crate::handler::command::CommandHandler;
use crate::handler::forward::ForwardHandler;
use crate::handler::rules::Rules;
use crate::store::Reader;
use crate::wire::event::Event;
use crate::wire::message::Message;
use crate::wire::status::Status;
use handler::{OnEvent, OnMessage, OnStatus, Own};
use std::any::type_name;
use std::fmt;
use std::io;
use std::sync::Arc;

/// wabridge with your own logic in it: all that `wabridge serve` does, and your
/// handlers are asked what to answer.
///
/// ```no_run
/// use wabridge::{Message, Service};
///
/// fn main() -> Result<(), wabridge::Error> {
///     Service::from_env()?
///         .on_message(|message, _| Some(Message::text(format!("You said: {}", message.text()?))))
///         .run()
/// }
/// ```
///
/// # Who is asked when
///
/// For each event, one after the other until one answers:
///
/// 1. the rules of `RULES_FILE`, if it is set;
/// 2. your handlers, in the order in which they were added;
/// 3. the program of `HANDLER_COMMAND` or the app at `FORWARD_URL`, if one of
///    them is set.
///
/// A handler that has nothing to say to an event, and wants nobody else to be
/// asked, returns `()`; one that leaves it to the next returns [`Answer::Pass`].
/// When nobody answers, the event is done.
///
/// # What is certain
///
/// Each conversation's events come in order and one at a time; different
/// conversations are handled at the same time, on up to `FORWARD_CONCURRENCY`
/// threads. A handler may run again for the same event, when it failed or when
/// the process ended while it ran. Its answers go out once all the same: they
/// are stored in the commit that marks the event as done. What *else* it does,
/// it may do twice: key that by [`Context::webhook_id`], which is the same each
/// time.
///
/// A handler that panics has failed, as if it had returned an error: the event
/// comes again, with growing waits, until `FORWARD_MAX_AGE`. Of the panic only
/// the place is logged, since its words may be a customer's.
#[must_use = "it does nothing until `run`"]
pub struct Service {
    settings: Settings,
    own: Own,
}

/// Where settings come from, at the start and at each SIGHUP.
#[derive(Clone)]
enum Settings {
    Process,
    Given(Sources),
}

impl Settings {
    fn read(&self, own: &Own) -> Sources {
        let sources = match self {
            Settings::Process => Sources::of_this_process(),
            Settings::Given(sources) => sources.clone(),
        };
        match own.is_empty() {
            true => sources,
            false => sources.answered(),
        }
    }
}

impl Service {
    /// By the settings of `wabridge serve`: the environment, then `.env` in the
    /// working folder, and for secrets their files. `.env.example` lists them.
    ///
    /// # Errors
    /// Everything that is wrong with the settings and the rules, each with its
    /// mend.
    pub fn from_env() -> Result<Service, Error> {
        Service::of(Settings::Process)
    }

    /// By these settings alone, under the names they have in the environment:
    /// for tests, and for programs with settings of their own.
    ///
    /// ```
    /// use wabridge::Service;
    ///
    /// let service = Service::with([("VERIFY_TOKEN", "any text"), ("APP_SECRET", "of the app")]);
    /// assert!(service.is_ok());
    /// let problems = Service::with([("LISTEN", "here")]).err().unwrap().to_string();
    /// assert!(problems.contains("APP_SECRET is not set: "), "{problems}");
    /// ```
    ///
    /// # Errors
    /// As of [`Service::from_env`].
    pub fn with<'s>(
        settings: impl IntoIterator<Item = (&'s str, &'s str)>,
    ) -> Result<Service, Error> {
        let mut sources = Sources::from_pairs(settings);
        sources.read_secret_files();
        Service::of(Settings::Given(sources))
    }

    fn of(settings: Settings) -> Result<Service, Error> {
        let own = Own::default();
        in_full(&settings.read(&own), &own)?;
        Ok(Service { settings, own })
    }

    /// Asked for each message that a customer sent to the business: text, files,
    /// taps, reactions, and all other kinds ([`events::Content`]). Not for what
    /// the business itself wrote on its phone, and not for old messages of a
    /// synchronised history: see [`Service::on_event`] for these.
    ///
    /// Whatever the closure returns becomes an [`Answer`]: nothing, a message or
    /// several, or a `Result` of those.
    ///
    /// With `DEBOUNCE` it is asked once for all that a person wrote in one go:
    /// `message` is the last of it, [`Context::messages`] has the others too.
    ///
    /// [`events::Content`]: crate::events::Content
    pub fn on_message<F, A>(self, answer: F) -> Service
    where
        F: Fn(&Message, &Context) -> A + Send + Sync + 'static,
        A: Into<Answer>,
    {
        self.adding(Arc::new(OnMessage(answer)), type_name::<F>())
    }

    /// Asked for each status: what became of something that the business sent.
    pub fn on_status<F, A>(self, answer: F) -> Service
    where
        F: Fn(&Status, &Context) -> A + Send + Sync + 'static,
        A: Into<Answer>,
    {
        self.adding(Arc::new(OnStatus(answer)), type_name::<F>())
    }

    /// Asked for each event, whatever it is, that no handler before it has
    /// answered: add it last, or have it return [`Answer::Pass`].
    pub fn on_event<F, A>(self, answer: F) -> Service
    where
        F: Fn(&Event, &Context) -> A + Send + Sync + 'static,
        A: Into<Answer>,
    {
        self.adding(Arc::new(OnEvent(answer)), type_name::<F>())
    }

    /// Asked for each event that no handler before it has answered.
    pub fn handler<H: Handler>(self, handler: H) -> Service {
        self.adding(Arc::new(handler), type_name::<H>())
    }

    fn adding(mut self, handler: Arc<dyn Handler>, named: &'static str) -> Service {
        self.own.add(handler, named);
        self
    }

    /// Runs until SIGTERM or Ctrl-C, then stops in order; a second signal ends at
    /// once. SIGHUP reads the settings and the rules anew. systemd is told what
    /// it likes to hear.
    ///
    /// Logs to standard error at `LOG_LEVEL`, your handlers' lines too, unless
    /// the program has set up a logger of its own before.
    ///
    /// # Errors
    /// When it cannot start. What happens later is logged, and it goes on. Only a panic
    /// in one of its own threads, without which nothing would go on, ends the process,
    /// with 1.
    pub fn run(self) -> Result<(), Error> {
        let Service { settings, own } = self;
        let mut sources = settings.read(&own);
        let (config, handlers) = in_full(&sources, &own)?;
        log_lines::start(config.log_levels.clone(), config.log_format, own.crates());
        log_lines::hide_panics();
        for warning in &config.warnings {
            log::warn!("msg=\"{warning}\"");
        }
        let running = Running::start(&config, handlers)?;
        let signals = listen_for_signals()?;
        log::info!(
            "msg=\"serving\" version={} listen={} path={} database={}",
            env!("CARGO_PKG_VERSION"),
            running.address(),
            config.webhook_path,
            config.database.display()
        );
        if let Some(operator) = running.operator_address() {
            if config.api.is_some() {
                log::info!("msg=\"serving the API\" listen={operator}");
            }
            if config.console.is_some() {
                log::info!("msg=\"serving the console\" listen={operator} path=/console");
            }
            if !config.metrics_keys.is_empty() {
                log::info!("msg=\"serving figures\" listen={operator} path=/metrics");
            }
        }
        systemd::notify("READY=1");
        run_until_signal(running, signals, |running| {
            systemd::notify_reloading();
            reread(running, &mut sources, settings.read(&own), &own);
            systemd::notify("READY=1");
        })?;
        Ok(())
    }
}

/// All that the settings name, or everything that is wrong with it.
fn in_full(sources: &Sources, own: &Own) -> Result<(Config, Handlers), Vec<Problem>> {
    let (config, mut problems) = config::survey(sources);
    let mut handlers: Handlers = Vec::new();
    if let Some(path) = &config.rules {
        match Rules::load(path) {
            Ok(rules) => handlers.push(Box::new(rules)),
            Err(error) => {
                let text = Chain(&error).to_string();
                problems.extend(text.lines().map(|line| Problem(line.to_owned())));
            }
        }
    }
    if !own.is_empty() {
        let past = Reader::of(&config.database);
        handlers.push(Box::new(own.with_past(past)));
    }
    if let Some(command) = &config.command {
        match CommandHandler::new(command) {
            Ok(command) => handlers.push(Box::new(command)),
            Err(error) => problems.push(Problem(error.to_string())),
        }
    }
    if let Some(forward) = &config.forward {
        handlers.push(Box::new(ForwardHandler::new(forward, &config.hub_keys)));
    }
    match problems.is_empty() {
        true => Ok((config, handlers)),
        false => Err(problems),
    }
}

/// In the order in which they are asked.
type Handlers = Vec<Box<dyn chain::Handler>>;

/// Takes up other settings, secrets and rules: all of it takes effect, or nothing.
fn reread(running: &Running, before: &mut Sources, mut sources: Sources, own: &Own) {
    let kept = sources.keep_fixed(before);
    let reloaded = in_full(&sources, own).and_then(|(config, handlers)| {
        let warnings = config.warnings.clone();
        let reloaded = running.reload(config, handlers).map(|()| warnings);
        reloaded.map_err(|error| vec![Problem(Chain(&error).to_string())])
    });
    match reloaded {
        Ok(warnings) => {
            *before = sources;
            log::info!("msg=\"settings and rules read anew\"");
            for warning in warnings {
                log::warn!("msg=\"{warning}\"");
            }
        }
        Err(problems) => {
            for problem in problems {
                log::error!(
                    "msg=\"settings and rules stay as they were\" problem=\"{}\"",
                    problem.0.replace('"', "'")
                );
            }
        }
    }
    for name in kept {
        log::warn!("msg=\"{name} has changed: restart for it to take effect\"");
    }
}

/// Why the service does not run.
///
/// `main` may return it: what is printed then says what is wrong and how to mend
/// it.
pub struct Error(Why);

enum Why {
    Settings(Vec<Problem>),
    Start(StartError),
    System(io::Error),
}

impl From<Vec<Problem>> for Error {
    fn from(problems: Vec<Problem>) -> Error {
        Error(Why::Settings(problems))
    }
}

impl From<StartError> for Error {
    fn from(error: StartError) -> Error {
        Error(Why::Start(error))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error(Why::System(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.0 {
            Why::Settings(problems) => {
                let s = if problems.len() == 1 { "" } else { "s" };
                write!(f, "{} problem{s} with the settings:", problems.len())?;
                problems
                    .iter()
                    .try_for_each(|problem| write!(f, "\n  - {problem}"))
            }
            Why::Start(error) => error.fmt(f),
            Why::System(_) => f.write_str("the system does not let the service run"),
        }
    }
}

/// In words, with all causes: it is what Rust prints of an error that `main`
/// returns.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(&Chain(self), f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Why::Settings(_) => None,
            Why::Start(error) => std::error::Error::source(error),
            Why::System(error) => Some(error),
        }
    }
}

/// An error and its causes, in one line.
pub(crate) struct Chain<'e>(pub &'e dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
