//! What Graph says to a message: the 200 and the error envelopes. Pure.

use serde_json::json;

use super::check::{Message, To};
use super::http::Answer;

/// An error of Graph's.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct GraphError {
    pub http: u16,
    pub code: i64,
    subcode: Option<i64>,
    message: String,
    details: Option<String>,
    retry_after_s: Option<u32>,
}

impl GraphError {
    /// An error whose message is `(#code) title`, as Graph writes it.
    pub fn new(http: u16, code: i64, title: &str) -> Self {
        GraphError {
            http,
            code,
            subcode: None,
            message: format!("(#{code}) {title}"),
            details: None,
            retry_after_s: None,
        }
    }

    pub fn details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// The token is missing or not the one expected.
    pub fn wrong_token() -> Self {
        GraphError {
            message: "Invalid OAuth access token - Cannot parse access token".into(),
            ..GraphError::new(401, 190, "")
        }
    }

    /// The token was right once.
    pub fn expired_token() -> Self {
        GraphError {
            message: "Error validating access token: Session has expired".into(),
            subcode: Some(463),
            ..GraphError::new(401, 190, "")
        }
    }

    /// No such object, or not ours to see.
    pub fn unknown_object(id: &str) -> Self {
        let message = format!(
            "Unsupported request. Object with ID '{id}' does not exist, cannot be loaded due to \
             missing permissions, or does not support this operation"
        );
        GraphError {
            message,
            subcode: Some(33),
            ..GraphError::new(400, 100, "")
        }
    }

    /// `appsecret_proof` does not fit the token and the app's secret, or is not there.
    pub fn no_proof(given: bool) -> Self {
        let title = match given {
            true => "Invalid appsecret_proof provided in the API argument",
            false => "API calls from the server require an appsecret_proof argument",
        };
        GraphError::new(400, 100, title)
    }

    /// No such path.
    pub fn unknown_path(path: &str) -> Self {
        GraphError::new(404, 2500, &format!("Unknown path components: {path}"))
    }

    pub fn throttled() -> Self {
        GraphError::new(400, 130_429, "Rate limit hit").details(
            "Message failed to send because there were too many messages sent from this phone \
             number in a short period of time",
        )
    }

    pub fn pair_limited() -> Self {
        let title = "(Business Account, Consumer Account) pair rate limit hit";
        GraphError::new(400, 131_056, title).details(
            "Message failed to send because there were too many messages sent from this phone \
             number to the same phone number in a short period of time.",
        )
    }

    pub fn too_many_requests(retry_after_s: u32) -> Self {
        let title = "Calls to this api have exceeded the rate limit.";
        GraphError {
            retry_after_s: Some(retry_after_s),
            ..GraphError::new(429, 613, title)
        }
    }

    pub fn server_error() -> Self {
        GraphError::new(500, 131_000, "Something went wrong")
            .details("Message failed to send due to an unknown error.")
    }

    /// The stand-in's own lists are full.
    pub fn overloaded() -> Self {
        GraphError::new(503, 2, "Service temporarily unavailable")
    }

    /// The error in Graph's envelope.
    pub fn answer(&self, trace: u64) -> Answer {
        let mut error = json!({"message": self.message, "type": "OAuthException",
            "code": self.code});
        if let Some(subcode) = self.subcode {
            error["error_subcode"] = json!(subcode);
        }
        if let Some(details) = &self.details {
            error["error_data"] = json!({"messaging_product": "whatsapp", "details": details});
        }
        error["fbtrace_id"] = json!(format!("A{trace:016x}"));
        let mut answer = Answer::json(self.http, json!({"error": error}).to_string());
        if let Some(seconds) = self.retry_after_s {
            answer.headers.push(("Retry-After", seconds.to_string()));
        }
        answer
    }
}

/// The 200 for an accepted message.
pub(super) fn accepted(message: &Message, wamid: &str) -> Answer {
    let mut contact = json!({"input": message.input});
    let mut entry = json!({"id": wamid});
    match &message.to {
        To::Phone(digits) => contact["wa_id"] = json!(digits),
        To::User(user_id) => contact["user_id"] = json!(user_id),
        To::Group(group_id) => {
            contact["wa_id"] = json!(group_id);
            entry["group_id"] = json!(group_id);
        }
    }
    if message.kind == "template" {
        entry["message_status"] = json!("accepted");
    }
    let body = json!({"messaging_product": "whatsapp", "contacts": [contact], "messages": [entry]});
    Answer::json(200, body.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn an_error_is_graphs_envelope() {
        let answer = GraphError::too_many_requests(7).answer(1);
        assert_eq!(answer.status, 429);
        assert_eq!(answer.headers, [("Retry-After", "7".to_owned())]);
        let error = |error: GraphError| -> Value {
            serde_json::from_slice::<Value>(&error.answer(1).body).unwrap()["error"].take()
        };
        let throttled = error(GraphError::throttled());
        assert_eq!(throttled["code"], 130_429);
        assert_eq!(throttled["message"], "(#130429) Rate limit hit");
        assert_eq!(throttled["error_data"]["messaging_product"], "whatsapp");
        assert_eq!(error(GraphError::expired_token())["error_subcode"], 463);
    }

    #[test]
    fn an_answer_names_the_recipient_in_its_own_key() {
        let rows = [
            (
                To::Phone("15550107001".into()),
                "/contacts/0/wa_id",
                "15550107001",
            ),
            (To::User("US.42".into()), "/contacts/0/user_id", "US.42"),
            (To::Group("G".into()), "/messages/0/group_id", "G"),
        ];
        for (to, pointer, expected) in rows {
            let (input, kind) = ("as typed".into(), "template".into());
            let message = Message {
                to,
                input,
                kind,
                opaque: None,
            };
            let body: Value = serde_json::from_slice(&accepted(&message, "wamid.Z").body).unwrap();
            assert_eq!(body["messages"][0]["id"], "wamid.Z");
            assert_eq!(body["messages"][0]["message_status"], "accepted");
            assert_eq!(body["contacts"][0]["input"], "as typed");
            assert_eq!(body.pointer(pointer).unwrap(), expected);
        }
    }
}
