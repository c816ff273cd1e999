//! Asking spans for an attribute, in its slot and in the lists.

use super::read::Filter;
use super::slots::Slots;
use duckdb::types::Value;
use meshscope_api::{AttributeFilter, Comparison};

/// Conditions on a span `s`; what meets any of them is asked for. Rows that hold the keys in
/// their slots are asked apart from those of before: a plain condition on a column costs a hundredth of
/// a look into lists.
pub(super) fn spans(slots: &Slots, asked: &[AttributeFilter]) -> Vec<Filter> {
    let mut slotted = Filter::default();
    let mut before = Filter::default();
    let mut since: Option<i64> = None;
    for one in asked {
        let listed = listed(one);
        let Some(slot) = slots.of(&one.key) else {
            slotted.add(&listed.0, listed.1.clone());
            before.add(&listed.0, listed.1);
            continue;
        };
        since = since.max(Some(slot.since));
        let (condition, values) = compare(&format!("s.a{}", slot.index), one);
        slotted.add(&condition, values.clone());
        before.add(
            &format!("{condition} OR {}", listed.0),
            values.into_iter().chain(listed.1),
        );
    }
    match since {
        Some(since) if since > 0 => {
            before.add(&format!("s.sequence <= {since}"), []);
            vec![slotted, before]
        }
        _ => vec![slotted],
    }
}

/// The question asked of a span's list.
fn listed(one: &AttributeFilter) -> (String, Vec<Value>) {
    let (condition, values) = compare("x.v", one);
    let sql = format!("len(list_filter(s.attributes, lambda x: x.k = ? AND {condition})) > 0");
    (
        sql,
        [Value::Text(one.key.clone())].into_iter().chain(values).collect(),
    )
}

/// SQL of one comparison of a value as [`super::value`] writes it, with its parameters.
pub(super) fn compare(column: &str, filter: &AttributeFilter) -> (String, Vec<Value>) {
    let text = |text: String| Value::Text(text);
    let number = |sign: &str| {
        let n = filter.value.parse().unwrap_or(f64::NAN);
        let sql = format!(
            "((prefix({column}, 'i') OR prefix({column}, 'd')) AND try_cast(substr({column}, 2) AS DOUBLE) {sign} ?)"
        );
        (sql, vec![Value::Double(n)])
    };
    match filter.comparison {
        Comparison::Exists => (format!("{column} IS NOT NULL"), Vec::new()),
        Comparison::Contains => (
            format!("contains(lower(substr({column}, 2)), lower(?))"),
            vec![text(filter.value.clone())],
        ),
        Comparison::Equal | Comparison::NotEqual => {
            let same = written(&filter.value);
            let places = vec!["?"; same.len()].join(", ");
            let not = if filter.comparison == Comparison::Equal {
                ""
            } else {
                "NOT "
            };
            (
                format!("{column} {not}IN ({places})"),
                same.into_iter().map(text).collect(),
            )
        }
        Comparison::Less => number("<"),
        Comparison::AtMost => number("<="),
        Comparison::Greater => number(">"),
        Comparison::AtLeast => number(">="),
    }
}

/// Every way in which a value that reads as `text` is written.
fn written(text: &str) -> Vec<String> {
    let mut ways = vec![format!("s{text}")];
    if let Ok(n) = text.parse::<i64>() {
        ways.push(format!("i{n}"));
    }
    if let Ok(x) = text.parse::<f64>() {
        ways.push(format!("d{x:?}"));
    }
    match text {
        "true" => ways.push("t".to_owned()),
        "false" => ways.push("f".to_owned()),
        _ => {}
    }
    ways
}
