use super::*;
use meshscope_model::columns::{ColumnsBuilder, SpanRow};
use meshscope_model::{Operation, SpanColumns, SpanId, SpanKind, StatusCode, TraceId};
use proptest::prelude::*;

/// What a made span varies in.
type Made = (u64, i64, i64, String, Option<i64>, Vec<i64>);

fn push(builder: &mut ColumnsBuilder, (id, start, duration, name, tokens, events): &Made) {
    builder.push(&SpanRow {
        span_id: SpanId::from_u64(*id),
        parent_span_id: id.checked_sub(1).map(SpanId::from_u64),
        start_time: *start,
        duration: *duration,
        name,
        service: "s",
        kind: SpanKind::Client,
        status: StatusCode::Error,
        operation: Operation::Chat,
        flags: 1,
        total_tokens: *tokens,
        links: events.len() as u32 / 2,
        ..SpanRow::default()
    });
    for time in events {
        builder.push_event(*time, &format!("event {}", time % 3));
    }
}

fn example(rows: &[Made]) -> SpanColumns {
    let mut builder = ColumnsBuilder::new(TraceId::from_u128(7));
    rows.iter().for_each(|row| push(&mut builder, row));
    builder.finish()
}

/// The stream of rows that come in runs of `sizes`, over and over.
fn streamed(rows: &[Made], sizes: &[usize], expected: Option<u64>) -> Vec<u8> {
    let mut builder = ColumnsBuilder::new(TraceId::from_u128(7));
    let mut out = header(TraceId::from_u128(7), expected);
    let (mut totals, mut rest) = (Totals::default(), rows);
    for size in sizes.iter().cycle() {
        let (run, after) = rest.split_at(rest.len().min(*size));
        run.iter().for_each(|row| push(&mut builder, row));
        let piece = builder.take();
        totals.add(&piece);
        out.extend(chunk(&piece));
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    out.extend(end(totals));
    out
}

fn any_rows() -> impl Strategy<Value = Vec<Made>> {
    let tokens = prop::option::of(0..i64::MAX);
    let events = prop::collection::vec(any::<i64>(), 0..4);
    let row = (any::<u64>(), any::<i64>(), 0..i64::MAX, ".{0,8}", tokens, events);
    prop::collection::vec(row, 0..20)
}

fn uneven(c: &SpanColumns) -> bool {
    let spans = [
        c.parent_span_id.len(),
        c.start_time.len(),
        c.duration.len(),
        c.name.len(),
        c.service.len(),
        c.agent.len(),
        c.model.len(),
        c.tool.len(),
        c.message.len(),
        c.kind.len(),
        c.status.len(),
        c.operation.len(),
        c.flags.len(),
        c.time_to_first_token.len(),
        c.input_tokens.len(),
        c.output_tokens.len(),
        c.total_tokens.len(),
        c.cost.len(),
    ];
    let events = [c.event_time.len(), c.event_name.len(), c.event_kind.len()];
    spans.iter().any(|length| *length != c.len())
        || events.iter().any(|length| *length != c.event_row.len())
        || c.link_row.len() != c.link_count.len()
}

proptest! {
    #[test]
    fn columns_survive_in_any_chunking_and_any_packets(
        rows in any_rows(), sizes in prop::collection::vec(1_usize..6, 1..4), packet in 1_usize..200, known: bool,
    ) {
        let columns = example(&rows);
        prop_assert_eq!(decode(&encode(&columns)).unwrap().span_id, columns.span_id.clone());
        let bytes = streamed(&rows, &sizes, known.then_some(rows.len() as u64));
        let mut decoder = Decoder::default();
        let mut came = 0;
        for packet in bytes.chunks(packet) {
            let more = decoder.push(packet).unwrap();
            prop_assert_eq!(more, decoder.columns().len() > came);
            came = decoder.columns().len();
            prop_assert!(!uneven(decoder.columns()));
        }
        prop_assert!(decoder.is_complete());
        prop_assert_eq!(decoder.expected(), known.then_some(rows.len() as u64));
        prop_assert_eq!(decoder.finish().unwrap(), columns);
    }

    #[test]
    fn a_whole_survives(rows in any_rows()) {
        let columns = example(&rows);
        prop_assert_eq!(decode(&encode(&columns)).unwrap(), columns);
    }

    #[test]
    fn a_cut_stream_is_noticed_and_keeps_whole_chunks(rows in any_rows(), cut in any::<prop::sample::Index>()) {
        let bytes = streamed(&rows, &[3, 1], Some(rows.len() as u64));
        let mut decoder = Decoder::default();
        decoder.push(&bytes[..cut.index(bytes.len())]).unwrap();
        let came = decoder.columns().clone();
        prop_assert!(!decoder.is_complete() && !uneven(&came));
        prop_assert_eq!(&came.span_id[..], &example(&rows).span_id[..came.len()]);
        prop_assert!(matches!(decoder.finish(), Err(ColumnsError::Cut(n)) if n == came.len())
            || came == SpanColumns::default());
    }

    #[test]
    fn no_damage_panics_or_leaves_half_a_chunk(
        rows in any_rows(), flip in any::<prop::sample::Index>(), to: u8, noise: Vec<u8>,
    ) {
        let mut bytes = streamed(&rows, &[4], None);
        let at = flip.index(bytes.len());
        bytes[at] = to;
        for bytes in [&bytes, &noise] {
            let mut decoder = Decoder::default();
            let first = decoder.push(bytes);
            prop_assert!(!uneven(decoder.columns()));
            if let Err(error) = first {
                prop_assert_eq!(decoder.push(b"more"), Err(error.clone()));
                prop_assert_eq!(decoder.finish(), Err(error));
            }
        }
    }
}

/// The rows of a session of three runs, in pieces of these sizes; as they came, and their stream.
fn session(rows: &[Made], size: usize) -> (SpanColumns, Vec<u8>) {
    let runs: Vec<TraceId> = (1..=3).map(TraceId::from_u128).collect();
    let made = |builder: &mut ColumnsBuilder, place: usize, row: &Made| {
        builder.push(&SpanRow {
            span_id: SpanId::from_u64(row.0),
            start_time: row.1,
            name: &row.3,
            run: place as u32 % 3,
            ..SpanRow::default()
        });
    };
    let (mut whole, mut builder) = (
        ColumnsBuilder::of_runs(runs.clone()),
        ColumnsBuilder::of_runs(runs),
    );
    let (mut out, mut totals) = (header(TraceId::default(), None), Totals::default());
    for (place, row) in rows.iter().enumerate() {
        made(&mut whole, place, row);
        made(&mut builder, place, row);
        if (place + 1) % size == 0 || place + 1 == rows.len() {
            let piece = builder.take();
            totals.add(&piece);
            out.extend(chunk(&piece));
        }
    }
    out.extend(end(totals));
    (whole.finish(), out)
}

proptest! {
    #[test]
    fn each_span_of_a_session_keeps_its_run(rows in any_rows(), size in 1_usize..6, packet in 1_usize..90, cut in any::<prop::sample::Index>()) {
        let (whole, bytes) = session(&rows, size);
        let mut decoder = Decoder::default();
        for packet in bytes.chunks(packet) {
            decoder.push(packet).unwrap();
        }
        let came = decoder.finish().unwrap();
        prop_assert_eq!(&came.run, &whole.run);
        for row in 0..came.len() {
            prop_assert_eq!(came.trace_of(row), TraceId::from_u128(row as u128 % 3 + 1));
        }
        if !whole.is_empty() {
            prop_assert_eq!(decode(&encode(&whole)).unwrap(), whole);
        }
        // Runs without their chunk, and a run that was not named, are no columns.
        let mut decoder = Decoder::default();
        decoder.push(&bytes[..cut.index(bytes.len())]).unwrap();
        prop_assert!(decoder.columns().run.len() >= decoder.columns().len());
        prop_assert!(decoder.finish().is_err());
    }
}

#[test]
fn runs_that_do_not_fit_their_chunk_are_refused() {
    let (whole, _) = session(&[(1, 5, 0, "a".to_owned(), None, vec![])], 1);
    let mut wrong = whole.clone();
    wrong.run = vec![7];
    assert_eq!(decode(&encode(&wrong)), Err(ColumnsError::Invalid("the runs")));
    let mut short = whole;
    short.runs.clear();
    assert_eq!(decode(&encode(&short)), Err(ColumnsError::Invalid("the runs")));
}

#[test]
fn an_empty_trace_is_whole_and_long_ones_come_in_growing_chunks() {
    let none = example(&[]);
    assert_eq!(decode(&encode(&none)).unwrap(), none);
    let rows: Vec<Made> = (0..20_000)
        .map(|n| (n, n as i64, 5, format!("name {}", n % 50), Some(1), Vec::new()))
        .collect();
    let columns = example(&rows);
    let bytes = encode(&columns);
    let mut decoder = Decoder::default();
    let mut grew = vec![0];
    for packet in bytes.chunks(1_000) {
        if decoder.push(packet).unwrap() {
            grew.push(decoder.columns().len());
        }
    }
    assert_eq!(grew, [0, 2_000, 6_000, 14_000, 20_000]);
    assert_eq!(
        decoder.columns().cost.capacity(),
        20_000,
        "no more than will come"
    );
    assert_eq!(decoder.finish().unwrap(), columns);
}

#[test]
fn foreign_bytes_are_refused_at_once() {
    assert_eq!(decode(b"{}"), Err(ColumnsError::Magic));
    assert_eq!(decode(b"<html></html>"), Err(ColumnsError::Magic));
    assert_eq!(decode(b"MSC1"), Err(ColumnsError::Magic));
    assert_eq!(decode(b""), Err(ColumnsError::Truncated("the header")));
    assert_eq!(decode(b"MSC2\0"), Err(ColumnsError::Truncated("the header")));
    let mut bytes = header(TraceId::from_u128(7), None);
    bytes.extend([9, 0]);
    assert_eq!(decode(&bytes), Err(ColumnsError::Invalid("a frame's tag")));
}

#[test]
fn a_server_that_breaks_off_says_why_and_totals_are_checked() {
    let rows = [(1, 2, 3, "a".to_owned(), None, Vec::new())];
    let whole = streamed(&rows, &[1], None);
    let without_end = &whole[..whole.len() - 6];
    let mut broken = without_end.to_vec();
    broken.extend(refusal("the disk is gone"));
    let refused = Err(ColumnsError::Refused("the disk is gone".to_owned()));
    assert_eq!(decode(&broken), refused);
    let mut wrong = without_end.to_vec();
    wrong.extend(end(Totals {
        spans: 2,
        ..Totals::default()
    }));
    assert_eq!(decode(&wrong), Err(ColumnsError::Invalid("the end")));
    let mut twice = whole.clone();
    twice.extend(end(Totals::default()));
    assert_eq!(decode(&twice), Err(ColumnsError::Invalid("what follows the end")));
}

#[test]
fn what_is_said_to_come_reserves_nothing() {
    let mut bytes = header(TraceId::from_u128(7), Some(u64::MAX - 1));
    let rows = [(1, 2, 3, "a".to_owned(), None, Vec::new())];
    let tail = streamed(&rows, &[1], None);
    bytes.extend_from_slice(&tail[header(TraceId::from_u128(7), None).len()..]);
    let columns = decode(&bytes).unwrap();
    assert!(columns.span_id.capacity() < 100);
}
