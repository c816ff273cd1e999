//! One span out of two that were sent under the same identity.

use meshscope_model::{KeyValue, SpanEntry, Usage};
use meshscope_telemetry::mcp_mesh;

/// Where another name of a span stays searchable when two senders named it differently.
const ALSO_NAMED: &str = "meshscope.also_named";

/// One span out of two that were sent under the same identity; `None` when `b` says nothing
/// that `a` does not. The result does not depend on which came first.
pub(super) fn merge(a: &SpanEntry, b: &SpanEntry) -> Option<SpanEntry> {
    let (key_a, key_b) = (fingerprint(a), fingerprint(b));
    if key_a == key_b {
        return None;
    }
    // The one at first hand leads, then the ended one, then the one that says more, then the one
    // that ended later, then the one that sorts first.
    let rank = |entry: &SpanEntry, key: &str| {
        (
            mcp_mesh::standing(&entry.span),
            entry.span.end_time.is_some(),
            entry.span.attributes.len(),
            entry.span.end_time,
            std::cmp::Reverse(key.to_owned()),
        )
    };
    let (lead, other) = if rank(a, &key_a) >= rank(b, &key_b) {
        (a, b)
    } else {
        (b, a)
    };
    let mut merged = lead.clone();
    let attributes = &mut merged.span.attributes;
    for kv in other.span.attributes.iter() {
        if attributes.get(&kv.key).is_none() {
            attributes.0.push(kv.clone());
        }
    }
    let named = KeyValue::new(ALSO_NAMED, other.span.name.as_str());
    if other.span.name != lead.span.name && !other.span.name.is_empty() && !attributes.0.contains(&named) {
        attributes.0.push(named);
    }
    for event in &other.span.events {
        if !merged.span.events.contains(event) {
            merged.span.events.push(event.clone());
        }
    }
    for link in &other.span.links {
        if !merged.span.links.contains(link) {
            merged.span.links.push(link.clone());
        }
    }
    merged.span.parent_span_id = lead.span.parent_span_id.or(other.span.parent_span_id);
    let (facts, more) = (&mut merged.facts, &other.facts);
    let fill = |into: &mut Option<String>, from: &Option<String>| {
        if into.is_none() {
            into.clone_from(from);
        }
    };
    for (into, from) in [
        (&mut facts.origin.project, &more.origin.project),
        (&mut facts.origin.room, &more.origin.room),
        (&mut facts.origin.session, &more.origin.session),
        (&mut facts.origin.agent, &more.origin.agent),
        (&mut facts.role, &more.role),
        (&mut facts.tool, &more.tool),
        (&mut facts.model, &more.model),
        (&mut facts.provider, &more.provider),
        (&mut facts.conversation, &more.conversation),
        (&mut facts.user, &more.user),
        (&mut facts.title, &more.title),
        (&mut facts.verdict, &more.verdict),
        (&mut facts.error, &more.error),
    ] {
        fill(into, from);
    }
    facts.blocked |= more.blocked;
    facts.time_to_first_token = facts.time_to_first_token.or(more.time_to_first_token);
    if lead.span.duration() == 0 {
        facts.reported_duration = facts.reported_duration.or(more.reported_duration);
    }
    facts.interrupted |= more.interrupted;
    facts.uncertainty = facts.uncertainty.or(more.uncertainty);
    facts.call = facts.call.or(more.call);
    facts.usage = merge_usage(facts.usage.take(), more.usage.as_ref());
    mcp_mesh::settle(&mut merged);
    (fingerprint(&merged) != key_a).then_some(merged)
}

/// Usage of one call as two senders report it: what one leaves out the other fills in.
fn merge_usage(lead: Option<Usage>, more: Option<&Usage>) -> Option<Usage> {
    let (Some(mut lead), Some(more)) = (lead.clone(), more) else {
        return lead.or_else(|| more.cloned());
    };
    let mut classes = lead.tokens.classes();
    for (class, other) in classes.iter_mut().zip(more.tokens.classes()) {
        *class = class.or(other);
    }
    lead.tokens = meshscope_model::Tokens::from_classes(classes);
    if lead.cost_pico_usd.is_none() {
        lead.cost_pico_usd = more.cost_pico_usd;
        lead.cost_source.clone_from(&more.cost_source);
    }
    lead.carbon_ug = lead.carbon_ug.or(more.carbon_ug);
    lead.characters = lead.characters.or(more.characters);
    lead.audio_ns = lead.audio_ns.or(more.audio_ns);
    lead.batch |= more.batch;
    Some(lead)
}

/// What a span says, as text to compare; order of attributes does not matter.
fn fingerprint(entry: &SpanEntry) -> String {
    let span = &entry.span;
    let mut attributes: Vec<String> = span.attributes.iter().map(|kv| format!("{kv:?}")).collect();
    attributes.sort_unstable();
    let mut events: Vec<String> = span.events.iter().map(|event| format!("{event:?}")).collect();
    events.sort_unstable();
    format!(
        "{}|{:?}|{}|{:?}|{:?}|{:?}|{attributes:?}|{events:?}|{:?}",
        span.name, span.parent_span_id, span.start_time, span.end_time, span.kind, span.status, span.links
    )
}
