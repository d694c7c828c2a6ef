//! Bars, drawn as SVG. Only numbers go into it; colours are the style sheet's.

use minijinja::Value;
use std::fmt::Write;

/// Of each bar with the gap behind it; the drawing is stretched to its place.
const BAR: usize = 4;
const GAP: usize = 1;
const HEIGHT: i64 = 40;

/// A drawing of counts, the oldest first, with `words` for whoever does not see
/// it. Bars are as high as the largest count allows; one that is not nothing is
/// seen.
pub fn bars(counts: &[i64], words: &str) -> Value {
    let width = (counts.len() * BAR).saturating_sub(GAP).max(1);
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        "<svg class=\"bars\" viewBox=\"0 0 {width} {HEIGHT}\" preserveAspectRatio=\"none\" \
         role=\"img\" aria-label=\"{}\">",
        super::render::escaped(words)
    );
    for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let high = (i128::from(*count) * i128::from(HEIGHT) / i128::from(most)).max(2);
        let (x, y) = (at * BAR, i128::from(HEIGHT) - high);
        let wide = BAR - GAP;
        let _ = write!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{high}\"/>"
        );
    }
    svg.push_str("</svg>");
    Value::from_safe_string(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(counts: &[i64], expected: &str) {
        let drawn = bars(counts, "x").to_string();
        let (_, inside) = drawn.split_once("aria-label=\"x\">").unwrap();
        assert_eq!(inside.strip_suffix("</svg>").unwrap(), expected);
    }

    #[test]
    fn bars_are_as_high_as_the_largest_allows() {
        check(&[], "");
        check(&[0, 0], "");
        check(
            &[1, 0, 4],
            "<rect x=\"0\" y=\"30\" width=\"3\" height=\"10\"/>\
             <rect x=\"8\" y=\"0\" width=\"3\" height=\"40\"/>",
        );
        check(
            &[1, i64::MAX],
            "<rect x=\"0\" y=\"38\" width=\"3\" height=\"2\"/>\
             <rect x=\"4\" y=\"0\" width=\"3\" height=\"40\"/>",
        );
    }

    #[test]
    fn its_words_stay_words() {
        let drawn = bars(&[], "a\"><script>").to_string();
        assert!(drawn.contains("a&quot;&gt;&lt;script&gt;"), "{drawn}");
    }
}
