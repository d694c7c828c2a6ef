//! The API for sending, asked as a program asks it.

use super::{Wabridge, request};
use serde_json::Value;
use std::net::SocketAddr;

pub const API_KEY: &str = "test-api-key";

/// The settings that open it.
pub const API: [(&str, &str); 2] = [("API_KEY", API_KEY), ("OPERATOR_LISTEN", "127.0.0.1:0")];

/// The API of a service.
#[derive(Clone, Copy)]
pub struct Api {
    pub address: SocketAddr,
}

impl Wabridge {
    /// The API, which the settings must open.
    pub fn api(&mut self) -> Api {
        let line = self.wait_for_log("msg=\"serving the API\"");
        let address = line.split("listen=").nth(1).unwrap().parse().unwrap();
        Api { address }
    }
}

impl Api {
    /// One call with the key: the status, and the answer if it is JSON.
    pub fn call(self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.call_with(method, path, &[], body)
    }

    /// The same, with further headers.
    pub fn call_with(
        self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, Value) {
        let bearer = format!("Bearer {API_KEY}");
        let mut all = vec![("Authorization", bearer.as_str())];
        all.extend(headers);
        let answer = request(self.address, method, path, &all, body.as_bytes()).unwrap();
        let body = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        (answer.status, body)
    }
}
