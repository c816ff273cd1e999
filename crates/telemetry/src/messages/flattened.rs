//! Lists that are spread over many attributes: `llm.input_messages.0.message.role`, as
//! OpenInference and others write them.

use meshscope_model::Attributes;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How many steps a key may have below its prefix; real ones have eight at most.
const MAX_STEPS: usize = 16;

/// The list or map under `prefix` (which ends in a dot); `None` when no attribute lies there.
pub(super) fn gather(attributes: &Attributes, prefix: &str) -> Option<Value> {
    let mut root = Node::Branch(BTreeMap::new());
    let mut any = false;
    for entry in attributes.iter() {
        let Some(path) = entry.key.strip_prefix(prefix) else {
            continue;
        };
        let steps: Vec<&str> = path.split('.').take(MAX_STEPS + 1).collect();
        if steps.len() <= MAX_STEPS {
            root.insert(&steps, entry.value.to_json());
            any = true;
        }
    }
    any.then(|| root.into_json())
}

/// A step of a key; indices are ordered as numbers.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Index(u64),
    Name(String),
}

enum Node {
    Leaf(Value),
    Branch(BTreeMap<Step, Node>),
}

impl Node {
    /// Where a key is both a value and a prefix of others, the first to come stays.
    fn insert(&mut self, steps: &[&str], value: Value) {
        let (Self::Branch(children), Some((step, rest))) = (self, steps.split_first()) else {
            return;
        };
        let key = step
            .parse()
            .map_or_else(|_| Step::Name((*step).to_owned()), Step::Index);
        if rest.is_empty() {
            children.entry(key).or_insert(Self::Leaf(value));
        } else {
            let child = children
                .entry(key)
                .or_insert_with(|| Self::Branch(BTreeMap::new()));
            child.insert(rest, value);
        }
    }

    fn into_json(self) -> Value {
        let children = match self {
            Self::Leaf(value) => return value,
            Self::Branch(children) => children,
        };
        if children.keys().all(|step| matches!(step, Step::Index(_))) {
            return children.into_values().map(Self::into_json).collect();
        }
        let entries = children.into_iter().map(|(step, node)| {
            let key = match step {
                Step::Index(n) => n.to_string(),
                Step::Name(name) => name,
            };
            (key, node.into_json())
        });
        Value::Object(entries.collect::<Map<_, _>>())
    }
}
