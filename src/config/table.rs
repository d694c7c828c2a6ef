//! The one table of settings.

use super::observers;

/// One setting.
pub struct Setting {
    /// Its name in the environment.
    pub name: &'static str,
    /// The value when it is not set; `None` when there is none.
    pub default: Option<&'static str>,
    /// What it is for.
    pub help: &'static str,
    /// Where a value comes from, for a setting that has to be looked up.
    pub mend: &'static str,
    /// Never shown; may also come from `NAME_FILE` or systemd's credentials.
    pub secret: bool,
    /// Read at the start only: a change takes a restart.
    pub fixed: bool,
}

const fn setting(name: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting {
        name,
        default: Some(default),
        help,
        mend: "",
        secret: false,
        fixed: false,
    }
}

const fn secret(name: &'static str, help: &'static str, mend: &'static str) -> Setting {
    Setting {
        name,
        default: None,
        help,
        mend,
        secret: true,
        fixed: false,
    }
}

const fn fixed(setting: Setting) -> Setting {
    Setting {
        fixed: true,
        ..setting
    }
}

/// Every setting under its heading, in the order in which they are shown.
pub const GROUPS: &[(&str, &[Setting])] = &[
    ("Meta", META),
    ("Your logic", LOGIC),
    ("Sending", SENDING),
    ("The API for sending", API),
    ("The operator's console", CONSOLE),
    ("Customers' files", MEDIA),
    ("Alarms", ALARMS),
    ("The service", SERVICE),
];

const META: &[Setting] = &[
    secret(
        "VERIFY_TOKEN",
        "Any text of your own; the same is entered in Meta's webhook form. Several, separated by commas, are all accepted.",
        "choose any random text and enter the same in the App Dashboard → WhatsApp → Configuration",
    ),
    secret(
        "APP_SECRET",
        "Meta signs notifications with it. Several, separated by commas, are all accepted; the first signs what is forwarded and proves our calls to Graph.",
        "copy it from the App Dashboard → App settings → Basic, or put it in the file named by APP_SECRET_FILE",
    ),
    secret(
        "WHATSAPP_TOKEN",
        "The access token for sending. WHATSAPP_TOKEN_<phone_number_id> sets one number's own.",
        "copy it from the App Dashboard → WhatsApp → API Setup, better a system user's",
    ),
    setting(
        "GRAPH_API_URL",
        "https://graph.facebook.com",
        "Where the Graph API is.",
    ),
    setting(
        "GRAPH_API_VERSION",
        "v26.0",
        "The Graph API version to call.",
    ),
    setting(
        "SSL_CERT_FILE",
        "",
        "A PEM file of the authorities to trust instead of the built-in ones (Mozilla's), for a private authority or the system's store.",
    ),
];

const LOGIC: &[Setting] = &[
    setting(
        "RULES_FILE",
        "",
        "A TOML file of patterns and replies. Tried first.",
    ),
    setting(
        "FORWARD_URL",
        "",
        "Your app: receives each event as Meta would send it, and may answer with replies.",
    ),
    secret(
        "FORWARD_SECRET",
        "Signs forwarded events by the Standard Webhooks specification (whsec_…).",
        "make one with: echo \"whsec_$(openssl rand -base64 32)\"",
    ),
    setting(
        "FORWARD_TIMEOUT",
        "10s",
        "How long your app may take for one event.",
    ),
    fixed(setting(
        "FORWARD_CONCURRENCY",
        "8",
        "How many events your app gets at once, from different conversations.",
    )),
    setting(
        "FORWARD_MAX_AGE",
        "24h",
        "Events that could not be delivered for this long become dead letters.",
    ),
    setting(
        "OBSERVERS",
        "",
        "Names of apps that get a copy of events and answer nothing, separated by commas, such as crm,archive. For each, such as crm: OBSERVER_CRM_URL, and if you like OBSERVER_CRM_SECRET (whsec_…), OBSERVER_CRM_KINDS (all, or some of message, status, call, other, field:NAME), OBSERVER_CRM_TIMEOUT, OBSERVER_CRM_CONCURRENCY and OBSERVER_CRM_MAX_AGE, which default to what FORWARD_… says.",
    ),
    setting(
        "HANDOVER_FOR",
        "1h",
        "How long your logic is silent in a conversation that a person took over, after the person's last answer from the phone.",
    ),
    setting(
        "ALLOW_PRIVATE_TARGETS",
        "false",
        "Lets public names in FORWARD_URL, OBSERVER_…_URL and ALERT_URL lead into a private network. Addresses themselves, localhost, names without a dot, and .internal, .local and .home.arpa always may.",
    ),
    setting(
        "HANDLER_COMMAND",
        "",
        "A program instead of an app: run for each event, with the event on standard input, and replies on standard output. No shell runs it: blanks part its arguments, quotes keep them together.",
    ),
    setting(
        "HANDLER_KINDS",
        "message",
        "For which events it is run: all, or some of message, status, call, other, separated by commas.",
    ),
    setting(
        "HANDLER_TIMEOUT",
        "30s",
        "How long it may take for one event, before it is ended and the event is tried again.",
    ),
    fixed(setting(
        "HANDLER_CONCURRENCY",
        "4",
        "How many of it may run at once, for different conversations.",
    )),
    setting(
        "STALE_AFTER",
        "1h",
        "A message that reaches us so long after it was written is stale: Meta delivers for days what it could not deliver before.",
    ),
    setting(
        "ON_STALE",
        "mark",
        "What becomes of it: mark (handed over, with a note how old it is), deliver (handed over as any other) or skip (kept, and nobody answers).",
    ),
    setting(
        "DEBOUNCE",
        "",
        "Messages of one conversation that come within this time of each other, such as 3s, are handed over together: people write in pieces. Empty: each by itself.",
    ),
];

const SENDING: &[Setting] = &[
    setting(
        "RATE_PER_NUMBER",
        "80",
        "Messages a second and business number; Meta allows 80, some numbers 1000, those shared with the app 20. RATE_PER_NUMBER_<phone_number_id> sets one number's own.",
    ),
    fixed(setting(
        "SEND_CONCURRENCY",
        "32",
        "How many calls to Graph may run at once. 1,000 messages a second need 256 or more.",
    )),
    setting(
        "RECONCILE_WINDOW",
        "2m",
        "How long a message whose answer was lost waits for a status that proves it went out.",
    ),
    setting(
        "ON_UNKNOWN",
        "resend",
        "What happens then: resend (may arrive twice) or hold (for you to decide).",
    ),
    setting(
        "SEND_MAX_AGE",
        "24h",
        "Messages that could not be sent for this long have failed.",
    ),
    setting(
        "WINDOW_TEMPLATE",
        "",
        "A template that goes out when more than 24 hours have passed since a person wrote: NAME/LANGUAGE, or NAME/LANGUAGE/text when its one gap takes the message's text. Without it such messages fail with 131047.",
    ),
    setting(
        "KEEP_MEDIA_ORDER",
        "false",
        "After a file the next message to the same person waits for Meta's status of the file, 5 s at most, so that it does not overtake it.",
    ),
    setting(
        "SERVICE_TEMPLATES",
        "",
        "Names of templates that are no marketing, separated by commas: they also go to people who want none. Others are taken for marketing until Meta has priced one otherwise.",
    ),
];

const API: &[Setting] = &[
    secret(
        "API_KEY",
        "What callers of the Graph-compatible API bear instead of Meta's token. Several, separated by commas. Without one there is no API.",
        "make one with: openssl rand -hex 32",
    ),
    fixed(setting(
        "OPERATOR_LISTEN",
        "127.0.0.1:8081",
        "Where the API, the operator's console and /metrics are: IP:PORT or unix:/path. Never shown to the internet as it is.",
    )),
    setting(
        "API_WAIT",
        "10s",
        "How long a caller waits for Graph's answer before it gets 202 and an id to ask by.",
    ),
];

const CONSOLE: &[Setting] = &[
    secret(
        "CONSOLE_PASSWORD_HASH",
        "The hash of the password to the operator's console, on OPERATOR_LISTEN. Without it there is no console.",
        "make one with: wabridge hash-password",
    ),
    secret(
        "SESSION_SECRET",
        "Signs the console's login sessions; at least 32 characters. Several, separated by commas, of which the first signs: for exchanging it without logging anybody out.",
        "make one with: openssl rand -hex 32",
    ),
];

const MEDIA: &[Setting] = &[
    fixed(setting(
        "MEDIA_DIR",
        "",
        "A folder for the pictures, films, voice notes and documents that customers send: fetched before Meta forgets them. Below $STATE_DIRECTORY unless it begins with /. Empty: nothing is fetched.",
    )),
    setting(
        "MEDIA_KINDS",
        "all",
        "What is fetched: all, or some of image, video, audio, document, sticker, separated by commas.",
    ),
    setting(
        "MEDIA_BYTES_MAX",
        "100MB",
        "Larger files are not fetched; Meta takes no more than 100 MB from a customer.",
    ),
];

const ALARMS: &[Setting] = &[
    setting(
        "ALERT_URL",
        "",
        "Who is told, besides the log, `wabridge status` and the console, when something needs a person: gets JSON, once for each cause and again when it is over.",
    ),
    secret(
        "ALERT_SECRET",
        "Signs these alerts by the Standard Webhooks specification (whsec_…).",
        "make one with: echo \"whsec_$(openssl rand -base64 32)\"",
    ),
    setting(
        "ALERT_WAITING",
        "30m",
        "An event or a message that waits longer than this is an alarm.",
    ),
    setting(
        "QUIET_AFTER",
        "",
        "It is an alarm when nothing at all has come in for so long, such as 1h, at a time of day at which something came yesterday or a week ago. Empty: never.",
    ),
];

const SERVICE: &[Setting] = &[
    fixed(setting(
        "LISTEN",
        "127.0.0.1:8080",
        "Where nginx reaches the webhook: IP:PORT or unix:/path.",
    )),
    setting("WEBHOOK_PATH", "/webhook", "The webhook's path."),
    fixed(setting(
        "DATABASE_URL",
        "",
        "sqlite:PATH. Default: wabridge.db in $STATE_DIRECTORY (set by systemd) or the working folder.",
    )),
    setting(
        "LOG_LEVEL",
        "info",
        "error, warn, info, debug, trace or off; for single modules besides, such as info,wabridge::edge::http=debug.",
    ),
    fixed(setting(
        "LOG_FORMAT",
        "text",
        "text, or json: one object a line, for programs that collect logs.",
    )),
    secret(
        "METRICS_KEY",
        "What Prometheus bears to read /metrics on OPERATOR_LISTEN, and may do nothing else with. Several, separated by commas. API_KEY opens it too.",
        "make one with: openssl rand -hex 32",
    ),
    setting(
        "RETENTION_DAYS",
        "90",
        "Events and messages that are done with go after so many days, at least 2, with their files; what is still to be delivered or sent stays. 0 keeps everything.",
    ),
    fixed(setting(
        "ALLOW_PUBLIC_LISTEN",
        "false",
        "Lets LISTEN be an address that other machines reach. Without a proxy in front, slow clients can block the service.",
    )),
    fixed(setting(
        "ALLOW_UNSIGNED",
        "false",
        "Takes notifications without a signature: for trying with curl on this machine only.",
    )),
];

/// Every setting, in that order.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    GROUPS.iter().flat_map(|(_, settings)| *settings)
}

/// The setting called `name`.
///
/// # Panics
/// When there is none: names are written in the source.
pub fn find(name: &str) -> &'static Setting {
    let found = settings().find(|setting| setting.name == name);
    found.unwrap_or_else(|| panic!("no setting is called {name}"))
}

/// The default of the setting called `name`; empty for a number's or an
/// observer's own.
pub fn default(name: &str) -> &'static str {
    match is_rate_of_number(name) || observers::is_own(name) {
        true => "",
        false => find(name).default.unwrap_or_default(),
    }
}

/// Whether `name` is a secret, a number's own token and an observer's included.
pub fn is_secret(name: &str) -> bool {
    let listed = settings().any(|s| s.secret && s.name == name);
    listed
        || name.strip_prefix("WHATSAPP_TOKEN_").is_some_and(is_number)
        || observers::is_own_secret(name)
}

/// Whether `name` is a setting, or names the file of one.
pub fn is_known(name: &str) -> bool {
    let secret_file = || name.strip_suffix("_FILE").is_some_and(is_secret);
    settings().any(|s| s.name == name)
        || is_secret(name)
        || secret_file()
        || is_rate_of_number(name)
        || observers::is_own(name)
}

fn is_rate_of_number(name: &str) -> bool {
    name.strip_prefix("RATE_PER_NUMBER_").is_some_and(is_number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}
