//! Readers that more than one dialect needs.

use meshscope_model::{AttributeValue, Attributes, CostSource, Span, Tokens, Usage};

/// The first non-empty text under any of `names`, as an owned string.
pub(super) fn text(attributes: &Attributes, names: &[&str]) -> Option<String> {
    names
        .iter()
        .find_map(|name| attributes.text(name))
        .map(str::to_owned)
}

/// The first integer under any of `names`; negative counts are no counts.
pub(super) fn count(attributes: &Attributes, names: &[&str]) -> Option<i64> {
    names
        .iter()
        .find_map(|name| attributes.i64(name))
        .filter(|n| *n >= 0)
}

/// An integer that its dialect sends as a string.
pub(super) fn count_in_string(attributes: &Attributes, name: &str) -> Option<i64> {
    attributes
        .text(name)?
        .trim()
        .parse()
        .ok()
        .filter(|n: &i64| *n >= 0)
}

/// Milliseconds as a number, or as a string where the dialect sends strings, in ns.
pub(super) fn milliseconds(attributes: &Attributes, name: &str) -> Option<i64> {
    let value = attributes.get(name)?;
    let ms = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    scaled(ms, 1.0e6)
}

/// Seconds in ns.
pub(super) fn seconds(attributes: &Attributes, name: &str) -> Option<i64> {
    scaled(attributes.f64(name)?, 1.0e9)
}

fn scaled(x: f64, factor: f64) -> Option<i64> {
    let ns = x * factor;
    (ns.is_finite() && (0.0..9.0e18).contains(&ns)).then(|| ns.round() as i64)
}

/// Dollars in pico-dollars, exactly as the shortest decimal that is this double says.
pub(super) fn pico_usd(value: &AttributeValue) -> Option<i64> {
    let dollars = value.as_f64().filter(|x| x.is_finite() && *x >= 0.0)?;
    let text = dollars.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(12).collect();
    let round_up = fraction.as_bytes().get(12).is_some_and(|digit| *digit >= b'5');
    let pico: i64 = digits.parse().ok()?;
    whole
        .parse::<i64>()
        .ok()?
        .checked_mul(1_000_000_000_000)?
        .checked_add(pico + i64::from(round_up))
}

/// Grams in micrograms.
pub(super) fn micrograms(attributes: &Attributes, names: &[&str]) -> Option<i64> {
    scaled(names.iter().find_map(|name| attributes.f64(name))?, 1.0e6)
}

/// Usage with a reported cost, when there is anything to say.
pub(super) fn usage(tokens: Tokens, cost: Option<i64>, carbon_ug: Option<i64>) -> Option<Usage> {
    if tokens.is_empty() && cost.is_none() && carbon_ug.is_none() {
        return None;
    }
    Some(Usage {
        tokens: tokens.with_total(),
        cost_pico_usd: cost,
        cost_source: cost.map(|_| CostSource::Reported),
        carbon_ug,
        ..Usage::default()
    })
}

/// The text of a failed span: status message, else the exception's, else `error.type`.
pub(super) fn error_text(span: &Span) -> String {
    if !span.status.message.is_empty() {
        return span.status.message.clone();
    }
    let exception = span.events.iter().find(|event| event.name == "exception");
    exception
        .and_then(|event| text(&event.attributes, &["exception.message", "exception.type"]))
        .or_else(|| text(&span.attributes, &["error.message", "error.type"]))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_become_pico_dollars_exactly() {
        let pico = |x: f64| pico_usd(&AttributeValue::Double(x));
        assert_eq!(pico(0.0012), Some(1_200_000_000));
        assert_eq!(pico(1_234_567.89), Some(1_234_567_890_000_000_000));
        assert_eq!(pico(0.1 + 0.2), Some(300_000_000_000));
        assert_eq!(pico(1e-12), Some(1));
        assert_eq!(pico(0.0), Some(0));
        assert_eq!(pico(f64::NAN), None);
        assert_eq!(pico(-1.0), None);
        assert_eq!(pico(1e300), None);
        assert_eq!(pico_usd(&AttributeValue::Int(2)), Some(2_000_000_000_000));
    }
}
