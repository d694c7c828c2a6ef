//! Phone numbers that one person is known by in two spellings.
//!
//! Brazil put a 9 before its mobile numbers, Mexico had a 1 after the country code
//! of its own. WhatsApp accounts keep the form in which they were registered, while
//! people, address books and Graph's `from` have either (Meta: phone numbers). Only
//! what is certainly one subscriber is taken for one: to take two people for one
//! would show one the other's conversation.

/// The other spelling of a number (digits alone, with country code), if its
/// country has two.
pub fn other_spelling(number: &str) -> Option<String> {
    if !is_digits(number) {
        return None;
    }
    let bytes = number.as_bytes();
    let leads = |at: usize, digits: std::ops::RangeInclusive<u8>| digits.contains(&bytes[at]);
    match (bytes, number.len()) {
        // 55, area, 9, eight digits. Only numbers that began with 6 to 9 were mobile
        // before there was the 9 (Anatel): 55 11 9 3… and 55 11 3… are two people's.
        ([b'5', b'5', ..], 13)
            if bytes[4] == b'9' && leads(2, b'1'..=b'9') && leads(5, b'6'..=b'9') =>
        {
            Some(format!("{}{}", &number[..4], &number[5..]))
        }
        ([b'5', b'5', ..], 12) if leads(2, b'1'..=b'9') && leads(4, b'6'..=b'9') => {
            Some(format!("{}9{}", &number[..4], &number[4..]))
        }
        // 52, 1, ten digits, of which the first is none of 0 and 1.
        ([b'5', b'2', b'1', ..], 13) if leads(3, b'2'..=b'9') => {
            Some(format!("52{}", &number[3..]))
        }
        ([b'5', b'2', ..], 12) if leads(2, b'2'..=b'9') => Some(format!("521{}", &number[2..])),
        _ => None,
    }
}

/// Whether one number is the other with a digit put in before its last eight.
/// Enough to tell which of a few contacts is meant, or that Graph's answer names
/// whom it was asked to write to; not to find somebody among all.
pub fn a_digit_more(a: &str, b: &str) -> bool {
    let (long, short) = if a.len() > b.len() { (a, b) } else { (b, a) };
    if long.len() != short.len() + 1 || !is_digits(long) || tail(long) != tail(short) {
        return false;
    }
    let pairs = long.bytes().zip(short.bytes());
    let alike = pairs.take_while(|(a, b)| a == b).count();
    long[alike + 1..] == short[alike..]
}

/// The last eight digits of a phone number. In Brazil, Mexico and Argentina
/// `from` and `wa_id` may differ by a digit, but before these.
pub fn tail(number: &str) -> Option<&str> {
    let start = number.len().checked_sub(8)?;
    number.get(start..).filter(|_| is_digits(number))
}

/// Whether it is digits alone; also when it is empty.
pub fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(number: &str, other: Option<&str>) {
        assert_eq!(other_spelling(number).as_deref(), other, "{number}");
        if let Some(other) = other {
            assert_eq!(other_spelling(other).as_deref(), Some(number), "{other}");
            assert!(a_digit_more(number, other), "{number} {other}");
        }
    }

    #[test]
    fn brazilian_mobile_numbers_have_a_9_or_none() {
        check("5511987654321", Some("551187654321"));
        check("5521967654321", Some("552167654321"));
        check("5585999999999", Some("558599999999"));
        check("5555901001234", None);
        // Landlines, and mobile numbers that never were without the 9.
        check("551132654321", None);
        check("5511932654321", None);
        check("5511952654321", None);
        // Too short, too long, no area.
        check("55118765432", None);
        check("55119876543210", None);
        check("5501987654321", None);
        check("550187654321", None);
        // Not the 9.
        check("5511887654321", None);
    }

    #[test]
    fn mexican_numbers_have_a_1_or_none() {
        check("5215512345678", Some("525512345678"));
        check("5219991234567", Some("529991234567"));
        check("521112345678", None);
        check("5211112345678", None);
        check("52551234567", None);
        check("52155123456789", None);
    }

    #[test]
    fn nobody_else_has_two_spellings() {
        // Argentina's 9 is no certain sign: a number without it may be a landline.
        for number in [
            "",
            "15550100001",
            "5491123456789",
            "541123456789",
            "4915112345678",
            "155501000012",
            "1555010000123",
            "US.5511987654321",
            "+5511987654321",
            "٥٥١١٩٨٧٦٥٤٣٢١",
        ] {
            check(number, None);
        }
    }
}
