//! Whatever is built within the limits passes; whatever is done to it, nothing breaks and nothing
//! that was said is repeated.

use serde_json::{Value, json};

use super::super::{check, check_reply};
use crate::wire::compose::{
    CarouselCard, ContactCard, Flow, Header, Media, Message, Parameter, Row, TemplateCard,
};
use crate::wire::sample::mix;

/// Numbers from a seed.
pub(crate) struct Dice(pub u64);

impl Dice {
    /// Below `n`.
    fn below(&mut self, n: usize) -> usize {
        self.0 = mix(self.0);
        (self.0 % n as u64) as usize
    }

    /// From `min` to `max`; the ends come often.
    fn between(&mut self, min: usize, max: usize) -> usize {
        match self.below(4) {
            0 => min,
            1 => max,
            _ => min + self.below(max - min + 1),
        }
    }

    /// A text of 1 to `max` code points of all sizes, that starts with `mark`.
    fn marked(&mut self, mark: usize, max: usize) -> String {
        let length = self.between(2, max);
        let mut text = char::from_digit(mark as u32, 36)
            .expect("a digit")
            .to_string();
        text.extend((1..length).map(|_| ['a', 'é', '語', '😀', '"', '\\'][self.below(6)]));
        text
    }

    fn text(&mut self, max: usize) -> String {
        self.marked(0, max)
    }

    fn media(&mut self) -> Media {
        match self.below(2) {
            0 => Media::id(self.text(20)),
            _ => Media::link(format!("https://example.com/{}", self.text(50))),
        }
    }

    fn header(&mut self) -> Header {
        match self.below(4) {
            0 => Header::text(self.text(60)),
            1 => Header::image(self.media()),
            2 => Header::video(self.media()),
            _ => Header::document(self.media()),
        }
    }

    /// Named or not, as all of one template are.
    fn parameter(&mut self, named: bool) -> Parameter {
        match self.below(5) {
            0 | 1 if named => Parameter::text(self.text(100)).named(self.text(20)),
            0 | 1 => Parameter::text(self.text(100)),
            2 => Parameter::currency(self.text(9), "EUR", self.below(9_000) as i64),
            3 => Parameter::date_time(self.text(30)),
            _ => Parameter::image(self.media()),
        }
    }

    /// The ids differ by their first character.
    fn rows(&mut self, ids: std::ops::Range<usize>) -> Vec<Row> {
        let row = |id| {
            let row = Row::new(self.marked(id, 200), self.text(24));
            match self.below(2) {
                0 => row,
                _ => row.description(self.text(72)),
            }
        };
        ids.map(row).collect()
    }

    pub fn message(&mut self) -> Message {
        match self.below(24) {
            0 => Message::text(self.text(4096)).any(),
            1 => Message::image(self.media()).caption(self.text(1024)).any(),
            2 => Message::video(self.media()).any(),
            3 => Message::audio(self.media()).any(),
            4 => Message::document(self.media())
                .filename(self.text(50))
                .any(),
            5 => Message::sticker(self.media()).any(),
            6 => {
                let (north, east) = (self.between(0, 180), self.between(0, 360));
                Message::location(north as f64 - 90.0, east as f64 - 180.0).any()
            }
            7 => {
                let cards = (0..self.between(1, 257)).map(|_| ContactCard::new(self.text(30)));
                Message::contacts(cards.collect::<Vec<_>>()).any()
            }
            8 => Message::reaction(self.text(60), "😀").any(),
            9 => Message::pin(self.text(60), self.between(1, 30) as u8).any(),
            10 => self.template(),
            11 => self.buttons(),
            12 => {
                let (body, button) = (self.text(4096), self.text(20));
                let rows = self.between(1, 10);
                Message::list(body, button).rows(self.rows(0..rows)).any()
            }
            13 => self.sections(),
            14 => Message::cta_url(self.text(1024), self.text(20), self.text(200))
                .header(self.header())
                .any(),
            15 => {
                let flow = Flow::id(self.text(20)).token(self.text(50));
                Message::flow(self.text(1024), self.text(30), flow).any()
            }
            16 => Message::product(self.text(20), self.text(20)).any(),
            17 => {
                let message = Message::product_list(self.text(60), self.text(1024), "194");
                let products: Vec<_> = (0..self.between(1, 30)).map(|_| self.text(20)).collect();
                message.section(self.text(24), products).any()
            }
            18 => Message::catalog(self.text(1024))
                .footer(self.text(60))
                .any(),
            19 => Message::location_request(self.text(1024)).any(),
            20 => Message::contact_request(self.text(1024)).any(),
            21 => Message::call_permission_request(self.text(1024)).any(),
            22 => Message::voice_call(self.text(1024), self.text(20))
                .ttl_minutes(self.between(1, 43_200) as u32)
                .any(),
            _ => self.carousel(),
        }
    }

    fn buttons(&mut self) -> Message {
        let buttons: Vec<_> = (0..self.between(1, 3))
            .map(|n| (self.marked(n, 256), self.marked(n, 20)))
            .collect();
        Message::buttons(self.text(1024), buttons)
            .header(self.header())
            .footer(self.text(60))
            .any()
    }

    fn sections(&mut self) -> Message {
        let cut = self.between(1, 9);
        let mut list = Message::list(self.text(4096), self.text(20)).header(self.text(60));
        for ids in [0..cut, cut..10] {
            list = list.section(self.text(24), self.rows(ids));
        }
        list.any()
    }

    fn template(&mut self) -> Message {
        let named = self.below(2) == 0;
        let parameters: Vec<_> = (0..self.below(9)).map(|_| self.parameter(named)).collect();
        let name: String = (0..self.between(1, 512))
            .map(|_| ['a', 'z', '0', '_'][self.below(4)])
            .collect();
        let header = match self.below(2) {
            0 => Parameter::text(self.text(60)),
            _ => Parameter::image(self.media()),
        };
        let (url, code) = (self.below(5) as u8, 5 + self.below(5) as u8);
        let template = Message::template(name, "pt_BR")
            .header(header)
            .body(parameters)
            .button_url(url, self.text(99))
            .button_copy_code(code, self.text(20));
        let count = self.between(1, 10);
        let card = |_| TemplateCard::new().body([self.parameter(named)]);
        let cards: Vec<_> = (0..count).map(card).collect();
        template.cards(cards).any()
    }

    fn carousel(&mut self) -> Message {
        let (kind, count) = (self.below(3), self.between(2, 10));
        let card = |_| match kind {
            0 => CarouselCard::product(self.text(20), self.text(20)),
            1 => {
                let header = Header::image(self.media());
                CarouselCard::cta_url(header, self.text(20), self.text(99)).body(self.text(160))
            }
            _ => {
                let buttons = [(self.text(256), self.text(20))];
                CarouselCard::replies(Header::video(self.media()), buttons)
            }
        };
        let cards: Vec<_> = (0..count).map(card).collect();
        Message::carousel(self.text(1024), cards).any()
    }
}

/// Enough for each kind to come some twenty times.
const SEEDS: u64 = 500;

#[test]
fn what_is_built_within_the_limits_passes() {
    for seed in 0..SEEDS {
        let mut dice = Dice(seed);
        let message = dice.message().reply_to(dice.text(60));
        let json = message.to_json();
        assert_eq!(check_reply(&json), Ok(()), "seed {seed}");
        let message = message.to("15550107001").callback_data(dice.text(512));
        assert_eq!(check(&message.to_json()), Ok(()), "seed {seed}");
    }
}

#[test]
fn keys_we_do_not_know_change_nothing() {
    for seed in 0..SEEDS {
        let mut value = Dice(seed).message().to_value();
        add_unknown_keys(&mut value);
        assert_eq!(check_reply(&value.to_string()), Ok(()), "seed {seed}");
    }
}

fn add_unknown_keys(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(add_unknown_keys);
            members.insert("x_new".into(), json!([{"type": 7}]));
        }
        Value::Array(items) => items.iter_mut().for_each(add_unknown_keys),
        _ => {}
    }
}

#[test]
fn nothing_breaks_and_nothing_said_is_repeated() {
    let mut refused = 0;
    for seed in 0..SEEDS {
        let mut dice = Dice(seed);
        let mut value = dice.message().to_value();
        for _ in 0..3 {
            spoil(&mut value, &mut dice);
        }
        if let Err(invalid) = check_reply(&value.to_string()) {
            refused += 1;
            // All that is said has a character beyond ASCII or the word, all we say has neither.
            let said = format!("{invalid} {}", invalid.envelope());
            assert!(
                said.is_ascii() && !said.contains("spoilt"),
                "seed {seed}: {said}"
            );
            assert!([100, 131_008, 131_009].contains(&invalid.code));
            assert!(invalid.details.contains(&invalid.path));
        }
    }
    assert!(refused > SEEDS / 2, "only {refused} were refused");
}

/// Something, somewhere, becomes something else.
pub(crate) fn spoil(value: &mut Value, dice: &mut Dice) {
    let stays = dice.below(5) > 0;
    match value {
        Value::Object(members) if stays && !members.is_empty() => {
            let index = dice.below(members.len());
            if let Some(member) = members.values_mut().nth(index) {
                spoil(member, dice);
            }
        }
        Value::Array(items) if stays && !items.is_empty() => {
            let index = dice.below(items.len());
            spoil(&mut items[index], dice);
        }
        _ => {
            let spoilt = ["spoilt", "spoilt語"][dice.below(2)];
            *value = match dice.below(7) {
                0 => Value::Null,
                1 => json!(spoilt.repeat(800)),
                2 => json!(-1e300),
                3 => json!([]),
                4 => json!({"type": spoilt}),
                5 => json!(true),
                _ => json!(spoilt),
            };
        }
    }
}
