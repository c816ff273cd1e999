//! Spans as columns, a chunk after the other as the store gives them.

use super::{Coding, Stopped, pour};
use crate::api::Answer;
use crate::app::App;
use crate::ask::refusal_of;
use axum::http::HeaderMap;
use meshscope_api::columns::{self, Totals};
use meshscope_api::{COLUMNS_MEDIA_TYPE, Problem};
use meshscope_model::TraceId;
use meshscope_store::stop::Stop;
use meshscope_store::{ColumnsPiece, Store, StoreError};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Takes a piece, and says whether it wants more.
pub(crate) type Take<'a> = &'a mut dyn FnMut(ColumnsPiece) -> ControlFlow<()>;

/// Answers with the columns that `read` gives piece by piece; it tells why there are none. `id` is the
/// trace, or zero of a session.
pub(crate) async fn stream(
    app: &Arc<App>,
    headers: &HeaderMap,
    id: TraceId,
    read: impl Fn(&dyn Store, Take<'_>) -> Result<Option<Problem>, StoreError> + Send + 'static,
) -> Answer {
    let store = Arc::clone(&app.store);
    pour(COLUMNS_MEDIA_TYPE, Coding::of(headers), move |out, stop| {
        write(id, out, stop, &|take| read(&*store, take))
    })
    .await
}

/// What was written so far.
#[derive(Default)]
struct Written {
    begun: bool,
    totals: Totals,
    /// The reader has gone.
    gone: bool,
}

impl Written {
    fn piece(&mut self, id: TraceId, piece: &ColumnsPiece, out: &mut dyn Write) -> io::Result<()> {
        if !self.begun {
            out.write_all(&columns::header(id, Some(piece.spans)))?;
            self.begun = true;
        }
        self.totals.add(&piece.columns);
        out.write_all(&columns::chunk(&piece.columns))?;
        out.flush()
    }
}

fn write(
    id: TraceId,
    out: &mut dyn Write,
    stop: &Arc<Stop>,
    read: &dyn Fn(Take<'_>) -> Result<Option<Problem>, StoreError>,
) -> Result<(), Stopped> {
    let mut written = Written::default();
    let mut take = |piece: ColumnsPiece| {
        if written.piece(id, &piece, out).is_ok() {
            return ControlFlow::Continue(());
        }
        written.gone = true;
        ControlFlow::Break(())
    };
    let answer = stop.run(|| read(&mut take));
    if written.gone {
        return Err(Stopped::Gone);
    }
    match answer {
        Ok(_) if written.begun => {
            out.write_all(&columns::end(written.totals))?;
            Ok(out.flush()?)
        }
        Ok(Some(problem)) => Err(problem.into()),
        // Nothing to tell of, which is not wrong.
        Ok(None) => {
            out.write_all(&columns::header(id, Some(0)))?;
            out.write_all(&columns::end(Totals::default()))?;
            Ok(out.flush()?)
        }
        // The reader has a part of it, and learns why there is no more.
        Err(error) if written.begun && !matches!(error, StoreError::Stopped) => {
            let problem = refusal_of(&error);
            out.write_all(&columns::refusal(&problem.detail))?;
            Ok(out.flush()?)
        }
        Err(error) => Err(error.into()),
    }
}
