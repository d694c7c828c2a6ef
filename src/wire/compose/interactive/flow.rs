//! Forms, which Meta calls flows.

use serde_json::{Value, json};

use super::super::{Message, kind};
use crate::wire::event::lenient::hide;

/// Which form is opened, and how.
#[derive(Clone, PartialEq)]
pub struct Flow(Value);

hide!(Flow);

impl Message<kind::Form> {
    /// A form behind a button that says `cta`.
    ///
    /// ```
    /// use serde_json::json;
    /// use wabridge::compose::{Flow, Message};
    ///
    /// let form = Flow::id("1200").token("visit-7").screen("DATE", json!({"party": 2}));
    /// let message = Message::flow("Book a table here.", "Book", form);
    /// let action = &message.to_value()["interactive"]["action"];
    /// assert_eq!(action["parameters"]["flow_action_payload"]["screen"], "DATE");
    /// ```
    pub fn flow(body: impl Into<String>, cta: impl Into<String>, flow: Flow) -> Self {
        let mut parameters = flow.0;
        parameters["flow_cta"] = cta.into().into();
        let action = json!({"name": "flow", "parameters": parameters});
        Message::interactive("flow", Some(body.into()), action)
    }
}

impl Flow {
    /// The form with this id.
    pub fn id(id: impl Into<String>) -> Flow {
        // The only version there is (Meta: Flows, sending a flow).
        Flow(json!({"flow_message_version": "3", "flow_id": id.into()}))
    }

    /// The form with this name.
    pub fn name(name: impl Into<String>) -> Flow {
        Flow(json!({"flow_message_version": "3", "flow_name": name.into()}))
    }

    /// A word of your own that comes back with the answers.
    pub fn token(self, token: impl Into<String>) -> Flow {
        self.set("flow_token", token.into().into())
    }

    /// As it is being edited, rather than as published.
    pub fn draft(self) -> Flow {
        self.set("mode", "draft".into())
    }

    /// Opens on this screen and gives it this data.
    pub fn screen(self, screen: impl Into<String>, data: Value) -> Flow {
        self.set("flow_action", "navigate".into()).set(
            "flow_action_payload",
            json!({"screen": screen.into(), "data": data}),
        )
    }

    /// Asks the form's endpoint for the first screen.
    pub fn data_exchange(self) -> Flow {
        self.set("flow_action", "data_exchange".into())
    }

    fn set(mut self, key: &str, value: Value) -> Flow {
        self.0[key] = value;
        self
    }
}
