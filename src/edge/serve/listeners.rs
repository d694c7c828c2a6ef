//! Where the service is reached: its sockets, and what is served on each.

use super::pools::Pools;
use super::{Shared, StartError, threads};
use crate::config::{Config, Listen};
use crate::edge::http::console::Console;
use crate::edge::http::exchange::Exchange;
use crate::edge::http::graph_api::GraphApi;
use crate::edge::http::monitor::Monitor;
use crate::edge::http::operator::Operator;
use crate::edge::http::relay::Relay;
use crate::edge::http::server::{HttpServer, Lead, Socket};
use crate::edge::http::webhook::Webhook;
use crate::edge::ready::Ready;
use crate::gateway::Received;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Announced lengths up to this are read away, so that the client hears its
/// 413: nginx lets no notification of more than 3 MiB through.
const LONGEST_NOTIFICATION: usize = 64 << 20;

/// The same for files, of which 100 MB may pass: a caller that means to send a
/// whole film should hear that it is too long.
const LONGEST_FILE: usize = 4 << 30;

/// The addresses, taken before anything else begins: nothing is taken up by a
/// process that cannot serve.
pub(super) struct Sockets {
    webhook: Socket,
    pub operator: Option<Socket>,
}

impl Sockets {
    pub fn open(config: &Config) -> Result<Sockets, StartError> {
        let webhook = listen(config)?;
        let operator = config.operator.as_ref();
        let operator = operator.map(|listen| bind("OPERATOR_LISTEN", listen));
        Ok(Sockets {
            webhook,
            operator: operator.transpose()?,
        })
    }

    /// Where the webhook is reached.
    pub fn address(&self, config: &Config) -> Listen {
        self.webhook.address().unwrap_or(config.listen.clone())
    }

    /// Serves the webhook, and gives the operator's socket back.
    pub fn serve_webhook(
        self,
        shared: &Shared,
        pools: &Pools,
    ) -> Result<(Arc<HttpServer>, Option<Socket>), StartError> {
        let fetch = pools.fetch.as_ref().map(|pool| pool.waker());
        let (deliver, send) = (pools.deliver.waker(), pools.send.waker());
        let wake = move |received: &Received| {
            if received.to_deliver {
                deliver.wake();
            }
            if let Some(fetch) = fetch.as_ref().filter(|_| received.to_fetch) {
                fetch.wake();
            }
            if received.to_send {
                send.wake();
            }
        };
        let webhook = Webhook::new(
            shared.live.clone(),
            shared.committer.clone(),
            shared.responder.clone(),
            Arc::new(wake),
            Arc::clone(&shared.metrics),
        );
        let handle =
            Box::new(move |exchange: Exchange, lead: &mut Lead<'_>| webhook.handle(exchange, lead));
        let http = threads(HttpServer::start(
            self.webhook,
            LONGEST_NOTIFICATION,
            handle,
        ))?;
        Ok((Arc::new(http), self.operator))
    }
}

/// What runs on the operator's listener.
pub(super) struct OperatorSide {
    pub http: Arc<HttpServer>,
    relay: Arc<Relay>,
    console: Arc<Console>,
}

impl OperatorSide {
    /// Serves it. `webhook` is the other listener, for whoever asks whether all
    /// parts do their work.
    pub fn start(
        socket: Socket,
        shared: &Shared,
        pools: &Pools,
        webhook: &Arc<HttpServer>,
    ) -> Result<OperatorSide, StartError> {
        let (live, committer) = (&shared.live, &shared.committer);
        let relay = Arc::new(threads(Relay::start(live.clone(), committer.clone()))?);
        let send = pools.send.waker();
        let api = GraphApi::new(
            live.clone(),
            committer.clone(),
            shared.responder.clone(),
            shared.room.clone(),
            Arc::new(move || send.wake()),
            Arc::clone(&relay),
        );
        let ready = Ready {
            committer: committer.clone(),
            on_disk: on_disk(&live.now().config),
            pools: pools.iter().map(|pool| pool.pulse()).collect(),
            listener: Arc::clone(webhook),
            last: Default::default(),
        };
        let monitor = Monitor::new(live.clone(), Arc::clone(&shared.metrics), ready);
        let (deliver, send) = (pools.deliver.waker(), pools.send.waker());
        let changed = Arc::new(move || {
            deliver.wake();
            send.wake();
        });
        let console = threads(Console::start(live.clone(), committer.clone(), changed))?;
        let console = Arc::new(console);
        let operator = Operator {
            api: Arc::new(api),
            console: Arc::clone(&console),
            monitor: Arc::new(monitor),
        };
        let handle = Box::new(move |exchange: Exchange, lead: &mut Lead<'_>| {
            operator.handle(exchange, lead)
        });
        let http = threads(HttpServer::start(socket, LONGEST_FILE, handle))?;
        Ok(OperatorSide {
            http: Arc::new(http),
            relay,
            console,
        })
    }

    /// Waits until what is under way is answered; `left` is how long there is.
    pub fn wait(&self, left: impl Fn() -> Duration) {
        self.console.wait(left());
        self.relay.wait(left());
    }
}

/// What grows: each is on a disk that must have room.
fn on_disk(config: &Config) -> Vec<PathBuf> {
    let media = config.media.as_ref().map(|media| media.folder.clone());
    [config.database.clone()].into_iter().chain(media).collect()
}

fn listen(config: &Config) -> Result<Socket, StartError> {
    let failed = |source| StartError::Listen {
        setting: "LISTEN",
        address: config.listen.to_string(),
        source,
    };
    let Some(socket) = Socket::from_systemd().map_err(failed)? else {
        return bind("LISTEN", &config.listen);
    };
    // What LISTEN may not be, systemd's socket may not be either.
    let address = socket.address().map_err(failed)?;
    match &address {
        Listen::Tcp(tcp)
            if !tcp.ip().is_loopback() && (!config.allow_public || config.allow_unsigned) =>
        {
            Err(StartError::Listen {
                setting: "the socket passed by systemd",
                address: address.to_string(),
                source: io::Error::other(
                    "other machines can reach it: set ListenStream=127.0.0.1:8080, or see ALLOW_PUBLIC_LISTEN",
                ),
            })
        }
        _ => Ok(socket),
    }
}

fn bind(setting: &'static str, address: &Listen) -> Result<Socket, StartError> {
    Socket::bind(address).map_err(|source| StartError::Listen {
        setting,
        address: address.to_string(),
        source,
    })
}
