//! Figures in words, as every page says them.

use meshscope_layout::format;

/// Names as `a, b +2`.
pub(crate) fn some_of(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(2).map(String::as_str).collect();
    let more = names.len().saturating_sub(2);
    if more > 0 {
        format!("{} +{more}", shown.join(", "))
    } else {
        shown.join(", ")
    }
}

/// Tokens, or a dash when none are known.
pub(crate) fn tokens(total: Option<i64>) -> String {
    total.map_or_else(|| "\u{2013}".to_owned(), format::count)
}

/// What calls cost, of which the tokens are known: a dash where nothing was called, else as [`cost`].
pub(crate) fn money(tokens: Option<i64>, pico: Option<i64>, unpriced: bool) -> String {
    if tokens.is_none() && pico.is_none() && !unpriced {
        return "\u{2013}".to_owned();
    }
    cost(pico, unpriced)
}

/// Cost, "unknown" when there is none, and `≥` when some calls have no price.
pub(crate) fn cost(cost: Option<i64>, unpriced: bool) -> String {
    let lower = if unpriced && cost.is_some() {
        "\u{2265} "
    } else {
        ""
    };
    format!("{lower}{}", format::cost_or_unknown(cost))
}
