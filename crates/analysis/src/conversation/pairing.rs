//! Tool calls and what came of them: the result may lie in the tool's own span, in the history of the
//! next call, in what the agent says at its end, or in several of them.

use super::{Said, normalised};
use meshscope_api::conversation::{Outcome, Turn};
use meshscope_model::Part;

/// A call that somebody made, and what is known of it so far.
struct Call {
    /// Where it is spoken of: the turn and the part of its message.
    turn: usize,
    part: usize,
    id: Option<String>,
    name: String,
    arguments: String,
    outcome: Outcome,
    /// The tool at work that stands for it, where it was spoken of only afterwards.
    told_by: Option<usize>,
}

/// What a tool answered.
struct Answered<'a> {
    id: Option<&'a str>,
    name: Option<&'a str>,
    content: &'a str,
}

/// The turns, with results and tools at work put to the calls that they belong to. Those that belong to
/// none stand for themselves.
pub(super) fn paired(mut said: Vec<Said>) -> Vec<Turn> {
    let mut calls = calls(&said);
    let mut gone = vec![false; said.len()];
    for (at, said) in said.iter_mut().enumerate().filter(|(_, said)| said.tool) {
        match ran(&mut calls, at, &said.turn).and_then(|found| calls.get_mut(found)) {
            Some(call) if call.told_by.is_some() => stand_for(&mut said.turn, call),
            Some(_) => gone[at] = true,
            None => alone(&mut said.turn),
        }
    }
    let mut turns = Vec::with_capacity(said.len());
    for (at, said) in said.into_iter().enumerate().filter(|(at, _)| !gone[*at]) {
        let mut turn = said.turn;
        if !said.tool {
            let before = turn.message.parts.len();
            settle(&mut calls, at, &mut turn);
            if turn.message.parts.is_empty() && before > 0 {
                continue;
            }
        }
        turns.push((at, turn));
    }
    for call in calls {
        let home = call.told_by.unwrap_or(call.turn);
        if let Ok(found) = turns.binary_search_by_key(&home, |(at, _)| *at)
            && let Some((_, turn)) = turns.get_mut(found)
        {
            turn.calls.push(call.outcome);
        }
    }
    turns.into_iter().map(|(_, turn)| turn).collect()
}

/// Every call that is spoken of, in order.
fn calls(said: &[Said]) -> Vec<Call> {
    let mut calls = Vec::new();
    for (turn, said) in said.iter().enumerate().filter(|(_, said)| !said.tool) {
        for (place, part) in said.turn.message.parts.iter().enumerate() {
            if let Part::ToolCall { id, name, arguments } = part {
                calls.push(Call {
                    turn,
                    part: place,
                    id: id.clone(),
                    name: name.clone(),
                    arguments: normalised(arguments),
                    outcome: Outcome::default(),
                    told_by: None,
                });
            }
        }
    }
    calls
}

fn as_result(part: &Part) -> Option<Answered<'_>> {
    match part {
        Part::ToolResult { id, name, content } => Some(Answered {
            id: id.as_deref(),
            name: name.as_deref(),
            content,
        }),
        _ => None,
    }
}

/// Puts a tool at work to its call, and gives the call's number.
fn ran(calls: &mut [Call], at: usize, turn: &Turn) -> Option<usize> {
    let parts = &turn.message.parts;
    let Some(Part::ToolCall { id, name, arguments }) = parts.first() else {
        return None;
    };
    let arguments = normalised(arguments);
    let free = |call: &Call| call.outcome.span_id.is_none();
    let same_id = |call: &Call| id.is_some() && call.id == *id;
    let may_be = |call: &Call| call.name == *name && (call.id.is_none() || id.is_none());
    // What is spoken of later, such as a call that still streams, must fit as far as is known.
    let exact = |call: &Call| may_be(call) && (arguments.is_empty() || call.arguments == arguments);
    let before = |call: &Call| call.turn < at;
    let find = |fits: &dyn Fn(&Call) -> bool| calls.iter().position(|call| free(call) && fits(call));
    let found = find(&same_id)
        .or_else(|| find(&|call| before(call) && exact(call)))
        .or_else(|| find(&|call| before(call) && may_be(call)))
        .or_else(|| find(&exact))?;
    let call = calls.get_mut(found)?;
    call.outcome.span_id = Some(turn.span_id);
    call.outcome.duration_ns = turn.duration_ns;
    call.outcome.error.clone_from(&turn.error);
    call.outcome.result = parts
        .iter()
        .find_map(as_result)
        .map(|result| result.content.to_owned());
    call.told_by = (call.turn > at).then_some(at);
    Some(found)
}

/// Puts the results of a turn to their calls and takes them out of it, as well as the calls that their
/// tools stand for.
fn settle(calls: &mut [Call], at: usize, turn: &mut Turn) {
    let mut kept = Vec::with_capacity(turn.message.parts.len());
    for (place, part) in std::mem::take(&mut turn.message.parts).into_iter().enumerate() {
        if as_result(&part).is_some_and(|result| came(calls, at, &result)) {
            continue;
        }
        let call = calls
            .iter_mut()
            .find(|call| call.turn == at && call.part == place);
        if let Some(call) = call {
            if call.told_by.is_some() {
                continue;
            }
            call.outcome.part = u32::try_from(kept.len()).unwrap_or(u32::MAX);
        }
        kept.push(part);
    }
    turn.message.parts = kept;
}

/// Puts a result to its call; false when there is none.
fn came(calls: &mut [Call], at: usize, result: &Answered<'_>) -> bool {
    let by_id = |call: &Call| result.id.is_some() && call.id.as_deref() == result.id;
    let may_be = |call: &Call| {
        (call.id.is_none() || result.id.is_none()) && result.name.is_none_or(|name| name == call.name)
    };
    let repeated = |call: &Call| may_be(call) && call.outcome.result.as_deref() == Some(result.content);
    let open = |call: &Call| may_be(call) && call.outcome.result.is_none();
    let said = |call: &Call| call.turn <= at;
    let found = calls.iter().rposition(|call| said(call) && by_id(call));
    let found = found.or_else(|| calls.iter().rposition(|call| said(call) && repeated(call)));
    let found = found.or_else(|| calls.iter().position(|call| said(call) && open(call)));
    let Some(call) = found.and_then(|found| calls.get_mut(found)) else {
        return false;
    };
    call.outcome
        .result
        .get_or_insert_with(|| result.content.to_owned());
    true
}

/// A tool at work that stands for a call which was spoken of only afterwards.
fn stand_for(turn: &mut Turn, call: &Call) {
    turn.error = None;
    turn.message.parts.truncate(1);
    if let Some(Part::ToolCall { id, arguments, .. }) = turn.message.parts.first_mut() {
        id.clone_from(&call.id);
        if arguments.is_empty() {
            arguments.clone_from(&call.arguments);
        }
    }
}

/// A tool at work that nobody was heard to call speaks for itself.
fn alone(turn: &mut Turn) {
    let result = turn.message.parts.iter().find_map(as_result);
    let outcome = Outcome {
        part: 0,
        span_id: Some(turn.span_id),
        result: result.map(|result| result.content.to_owned()),
        bytes: None,
        duration_ns: turn.duration_ns,
        error: turn.error.take(),
    };
    turn.message.parts.truncate(1);
    turn.calls = vec![outcome];
}
