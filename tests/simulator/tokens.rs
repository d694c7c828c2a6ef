//! The operator's tokens: one that numbers share, and some numbers' own.

use super::luck::Luck;
use super::meta::NUMBERS;
use std::collections::{BTreeMap, BTreeSet};
use wabridge::config;
use wabridge::config::Secret;

/// A token; no two are the same.
pub type Token = u32;

/// Which number sends with which token.
#[derive(Clone, Debug)]
pub struct Tokens {
    made: u32,
    common: Token,
    own: BTreeMap<&'static str, Token>,
}

impl Tokens {
    pub fn draw(luck: &mut Luck) -> Tokens {
        let mut tokens = Tokens {
            made: 1,
            common: 1,
            own: BTreeMap::new(),
        };
        for number in NUMBERS {
            if luck.chance(0.3) {
                let own = tokens.make();
                tokens.own.insert(number, own);
            }
        }
        tokens
    }

    fn make(&mut self) -> Token {
        self.made += 1;
        self.made
    }

    /// What a number sends with.
    pub fn of(&self, number: &str) -> Token {
        *self.own.get(number).unwrap_or(&self.common)
    }

    /// All there are.
    pub fn all(&self) -> impl Iterator<Item = Token> + '_ {
        self.own.values().copied().chain([self.common])
    }

    /// The operator changes one of them.
    pub fn change(&mut self, luck: &mut Luck) {
        let number = *luck.pick(&NUMBERS);
        match luck.below(3) {
            0 => self.common = self.make(),
            1 => {
                let own = self.make();
                self.own.insert(number, own);
            }
            _ => _ = self.own.remove(number),
        }
    }

    /// The operator makes new ones for those that are good no more.
    pub fn replace(&mut self, bad: &BTreeSet<Token>) {
        let numbers: Vec<&'static str> = self.own.keys().copied().collect();
        for number in numbers {
            if bad.contains(&self.own[number]) {
                let own = self.make();
                self.own.insert(number, own);
            }
        }
        if bad.contains(&self.common) {
            self.common = self.make();
        }
    }

    /// As the settings have them.
    pub fn settings(&self) -> config::Tokens {
        let secret = |token: &Token| Secret::new(format!("token {token}"));
        let own = self.own.iter();
        config::Tokens {
            common: Some(secret(&self.common)),
            by_number: own
                .map(|(number, token)| ((*number).to_owned(), secret(token)))
                .collect(),
        }
    }
}
