//! Asking spans for an attribute, in its slot and in the lists.

use super::read::Filter;
use super::slots::Slots;
use duckdb::types::Value;
use meshscope_api::{AttributeFilter, Comparison};

/// Adds the conditions on one span of the table named `alias`.
pub(super) fn conditions(filter: &mut Filter, alias: &str, slots: &Slots, asked: &[AttributeFilter]) {
    for one in asked {
        let in_list = |condition: &str| {
            format!("len(list_filter({alias}.attributes, lambda x: x.k = ? AND {condition})) > 0")
        };
        let key = Value::Text(one.key.clone());
        let (listed, values) = compare("x.v", one);
        let Some(slot) = slots.of(&one.key) else {
            filter.add(&in_list(&listed), [key].into_iter().chain(values));
            continue;
        };
        let (slotted, _) = compare(&format!("{alias}.a{}", slot.index), one);
        // Rows of before have it in their list; the engine leaves out all later ones.
        let both = format!(
            "{slotted} OR ({alias}.sequence <= {} AND {})",
            slot.since,
            in_list(&listed)
        );
        filter.add(&both, values.iter().cloned().chain([key]).chain(values.clone()));
    }
}

/// SQL of one comparison of a value as [`super::value`] writes it, with its parameters.
fn compare(column: &str, filter: &AttributeFilter) -> (String, Vec<Value>) {
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
