//! Requests: for a location, an address, contact details, a call.

use serde_json::{Value, json};

use super::super::{Message, kind};

impl Message<kind::LocationRequest> {
    /// A button to share where one is. The answer is a location that quotes this message.
    pub fn location_request(body: impl Into<String>) -> Self {
        let action = json!({"name": "send_location"});
        Message::interactive("location_request_message", Some(body.into()), action)
    }
}

impl Message<kind::AddressRequest> {
    /// A form for a postal address; for users in India (`IN`) only.
    pub fn address_request(body: impl Into<String>, country: impl Into<String>) -> Self {
        let parameters = json!({"country": country.into()});
        let action = json!({"name": "address_message", "parameters": parameters});
        Message::interactive("address_message", Some(body.into()), action)
    }

    /// What the form shows: `values`, `saved_addresses` or `validation_errors`, as Meta writes it.
    pub fn parameter(mut self, key: &str, value: Value) -> Self {
        self.action()["parameters"][key] = value;
        self
    }
}

impl Message<kind::ContactRequest> {
    /// A button to share one's contact details.
    pub fn contact_request(body: impl Into<String>) -> Self {
        let action = json!({"name": "request_contact_info"});
        Message::interactive("contact_request", Some(body.into()), action)
    }
}

impl Message<kind::CallPermission> {
    /// Asks whether the business may call.
    pub fn call_permission_request(body: impl Into<String>) -> Self {
        let action = json!({"name": "call_permission_request"});
        Message::interactive("call_permission_request", Some(body.into()), action)
    }
}

impl Message<kind::VoiceCall> {
    /// A button that calls the business.
    ///
    /// ```
    /// use wabridge::compose::Message;
    ///
    /// let call = Message::voice_call("Talk to us", "Call now").ttl_minutes(60).payload("visit-7");
    /// let parameters = &call.to_value()["interactive"]["action"]["parameters"];
    /// assert_eq!(parameters["ttl_minutes"], 60);
    /// ```
    pub fn voice_call(body: impl Into<String>, display_text: impl Into<String>) -> Self {
        let parameters = json!({"display_text": display_text.into()});
        let action = json!({"name": "voice_call", "parameters": parameters});
        Message::interactive("voice_call", Some(body.into()), action)
    }

    /// How long the button works; seven days otherwise.
    pub fn ttl_minutes(mut self, minutes: u32) -> Self {
        self.action()["parameters"]["ttl_minutes"] = minutes.into();
        self
    }

    /// A word of your own that comes with the call.
    pub fn payload(mut self, payload: impl Into<String>) -> Self {
        self.action()["parameters"]["payload"] = payload.into().into();
        self
    }
}
