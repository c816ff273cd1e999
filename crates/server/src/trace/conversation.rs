//! The conversation of a trace.

use super::missing;
use crate::api::{Answer, params, trace_id};
use crate::app::App;
use crate::pour::pour_json;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use meshscope_analysis::conversation::{Spoken, conversation as told};
use meshscope_api::{Conversation, ConversationQuery, Problem};
use meshscope_model::{Message, Part};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Messages of no more bytes than this are read for one conversation.
const MOST_BYTES: usize = 64 << 20;
/// Of no more spans than this.
const MOST_SPANS: usize = 20_000;

/// What was said in a trace, by whom, in the order of time.
///
/// Messages are read off the spans of every dialect. A message that later calls repeat as their history stands once, tool
/// calls stand with what came of them. With `span` it is all that one span carries.
#[utoipa::path(get, path = "/api/v1/traces/{trace_id}/conversation",
    params(
        ("trace_id" = String, Path, description = "32 hexadecimal digits"),
        ("span" = Option<String>, Query, description = "Only what this span carries, 16 hexadecimal digits"),
        ("preview" = Option<u32>, Query, description = "Cut texts of more bytes than this, at least 16; absent is none"),
    ),
    responses((status = 200, body = Conversation), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn conversation(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let id = trace_id(&id)?;
    let query = ConversationQuery::read(&params(query))?;
    let conversation = app.ask(move |store| {
        let mut heard = Heard::default();
        let found = store.spoken(id, query.span, Heard::LIMIT, &mut |spoken| heard.hear(spoken))?;
        Ok(found.then(|| {
            let mut conversation = told(Some(id), &heard.spans, heard.more);
            if let Some(limit) = query.preview {
                conversation.cut(limit);
            }
            conversation
        }))
    });
    let conversation = conversation.await?.ok_or_else(|| missing(id))?;
    pour_json(conversation, &headers).await
}

/// Spans as they are read, as many as there is room for.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) spans: Vec<Spoken>,
    bytes: usize,
    pub(crate) more: bool,
}

impl Heard {
    /// One more than there is room for tells that there are more.
    pub(crate) const LIMIT: usize = MOST_SPANS + 1;

    pub(crate) fn hear(&mut self, spoken: Spoken) -> ControlFlow<()> {
        self.bytes += spoken.messages.iter().map(bytes_of).sum::<usize>();
        self.more = self.spans.len() >= MOST_SPANS || (self.bytes > MOST_BYTES && !self.spans.is_empty());
        if self.more {
            return ControlFlow::Break(());
        }
        self.spans.push(spoken);
        ControlFlow::Continue(())
    }
}

fn bytes_of(message: &Message) -> usize {
    let part = |part: &Part| match part {
        Part::Text { content }
        | Part::Reasoning { content }
        | Part::ToolResult { content, .. }
        | Part::Other { content, .. } => content.len(),
        Part::ToolCall { arguments, .. } => arguments.len(),
        Part::Blob { data, .. } => data.len(),
        Part::Uri { uri, .. } => uri.len(),
    };
    message.parts.iter().map(part).sum()
}
