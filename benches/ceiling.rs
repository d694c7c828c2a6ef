//! The ceiling: the least a tiny_http service can do with a webhook, which is to read the body and
//! answer 200. It checks nothing and keeps nothing; `tests/bench` holds wabridge against it.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::{env, thread};

use tiny_http::{Response, Server};

/// More threads bring nothing on the two cores this is meant for, and raise the slowest answers.
const WORKERS: usize = 4;
const BODY_BYTES_MAX: u64 = 3 << 20;

fn main() {
    let Some(address) = env::args().nth(1) else {
        eprintln!("usage: ceiling HOST:PORT|unix:PATH");
        std::process::exit(2);
    };
    let server = match address.strip_prefix("unix:") {
        Some(path) => Server::http_unix(Path::new(path)),
        None => Server::http(&address),
    };
    let server = match server {
        Ok(server) => Arc::new(server),
        Err(error) => {
            eprintln!("cannot listen on {address}: {error}");
            std::process::exit(1);
        }
    };
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let server = Arc::clone(&server);
            thread::spawn(move || answer_all(&server))
        })
        .collect();
    for worker in workers {
        let _ = worker.join();
    }
}

fn answer_all(server: &Server) {
    let mut body = Vec::new();
    while let Ok(mut request) = server.recv() {
        body.clear();
        let read = request
            .as_reader()
            .take(BODY_BYTES_MAX)
            .read_to_end(&mut body);
        if read.is_ok() {
            // A client that went away is its own loss.
            let _ = request.respond(Response::empty(200));
        }
    }
}
