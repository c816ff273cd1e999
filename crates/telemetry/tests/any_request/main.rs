//! Requests of any content, written by an independent encoder, decode to what was written; and
//! damage within one record never reaches another.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod dice;
mod expected;

use dice::Dice;
use meshscope_telemetry::{Decoded, Encoding, Signal, decode};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use proptest::prelude::*;
use prost::Message;

/// Every record with everything it carries. As text, because NaN is not equal to itself.
fn shown(decoded: &Decoded) -> Vec<String> {
    let batch = &decoded.batch;
    let spans = batch.spans.iter().map(|entry| format!("{:?}", entry.span));
    let logs = batch.logs.iter().map(|entry| format!("{:?}", entry.record));
    let points = batch.points.iter().map(|entry| format!("{:?}", entry.point));
    spans.chain(logs).chain(points).collect()
}

fn read(signal: Signal, encoding: Encoding, body: &[u8]) -> Decoded {
    decode(signal, encoding, body).expect("the frame is whole")
}

/// A message as a length-delimited field.
fn framed(number: u8, message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    prost::encoding::encode_varint(message.len() as u64, &mut bytes);
    bytes.extend_from_slice(message);
    bytes
}

/// Flips bits of the `victim`th record, frames all of them by `frame` and decodes: what comes
/// of the others must be what came of them before.
fn damage(
    signal: Signal,
    records: &mut [Vec<u8>],
    victim: usize,
    flips: &[(prop::sample::Index, u8)],
    frame: impl Fn(&[Vec<u8>]) -> Vec<u8>,
) -> Result<(), TestCaseError> {
    let whole = shown(&read(signal, Encoding::Protobuf, &frame(records)));
    prop_assert_eq!(whole.len(), records.len());
    for (at, bits) in flips {
        let at = at.index(records[victim].len());
        records[victim][at] ^= bits;
    }
    let damaged = read(signal, Encoding::Protobuf, &frame(records));
    let mut left = shown(&damaged);
    if damaged.rejected.records == 0 {
        left.remove(victim);
    } else {
        prop_assert_eq!(damaged.rejected.records, 1);
        prop_assert!(!damaged.rejected.messages.is_empty());
    }
    let mut others = whole;
    others.remove(victim);
    prop_assert_eq!(left, others);
    Ok(())
}

fn flips() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..6)
}

proptest! {
    #[test]
    fn traces_decode_to_what_was_written(mut dice: Dice) {
        let bytes = dice.traces().encode_to_vec();
        let decoded = read(Signal::Traces, Encoding::Protobuf, &bytes);
        prop_assert_eq!(shown(&decoded), expected::traces(&bytes));
        prop_assert_eq!(decoded.rejected.records, 0);
    }

    #[test]
    fn logs_decode_to_what_was_written(mut dice: Dice) {
        let bytes = dice.logs().encode_to_vec();
        let decoded = read(Signal::Logs, Encoding::Protobuf, &bytes);
        prop_assert_eq!(shown(&decoded), expected::logs(&bytes));
        prop_assert_eq!(decoded.rejected.records, 0);
    }

    #[test]
    fn metrics_decode_to_what_was_written(mut dice: Dice) {
        let bytes = dice.metrics().encode_to_vec();
        let decoded = read(Signal::Metrics, Encoding::Protobuf, &bytes);
        prop_assert_eq!(shown(&decoded), expected::metrics(&bytes));
        prop_assert_eq!(decoded.rejected.records, 0);
    }

    #[test]
    fn json_says_the_same_as_protobuf(mut dice: Dice) {
        dice.finite = true;
        for (signal, json, protobuf) in [
            { let r = dice.traces(); (Signal::Traces, serde_json::to_vec(&r).unwrap(), r.encode_to_vec()) },
            { let r = dice.logs(); (Signal::Logs, serde_json::to_vec(&r).unwrap(), r.encode_to_vec()) },
            { let r = dice.metrics(); (Signal::Metrics, serde_json::to_vec(&r).unwrap(), r.encode_to_vec()) },
        ] {
            prop_assert_eq!(
                shown(&read(signal, Encoding::Json, &json)),
                shown(&read(signal, Encoding::Protobuf, &protobuf))
            );
        }
    }

    #[test]
    fn a_damaged_span_costs_only_itself(mut dice: Dice, flips in flips()) {
        let mut spans: Vec<Vec<u8>> = (0..4).map(|_| dice.span().encode_to_vec()).collect();
        let victim = dice.below(4);
        damage(Signal::Traces, &mut spans, victim, &flips, |spans| {
            let scope: Vec<u8> = spans.iter().flat_map(|span| framed(2, span)).collect();
            framed(1, &framed(2, &scope))
        })?;
    }

    #[test]
    fn a_damaged_log_record_costs_only_itself(mut dice: Dice, flips in flips()) {
        // A record of no bytes has nothing to damage.
        let mut records: Vec<Vec<u8>> = (0..4)
            .map(|_| { let mut record = dice.log_record(); record.time_unix_nano |= 1; record.encode_to_vec() })
            .collect();
        let victim = dice.below(4);
        damage(Signal::Logs, &mut records, victim, &flips, |records| {
            let scope: Vec<u8> = records.iter().flat_map(|record| framed(2, record)).collect();
            framed(1, &framed(2, &scope))
        })?;
    }

    #[test]
    fn a_damaged_data_point_costs_only_itself(mut dice: Dice, flips in flips()) {
        let mut points: Vec<Vec<u8>> = (0..4)
            .map(|_| { let mut point = dice.histogram_point(); point.time_unix_nano |= 1; point.encode_to_vec() })
            .collect();
        let victim = dice.below(4);
        damage(Signal::Metrics, &mut points, victim, &flips, |points| {
            let data: Vec<u8> = points.iter().flat_map(|point| framed(1, point)).collect();
            framed(1, &framed(2, &framed(2, &framed(9, &data))))
        })?;
    }
}

/// The dice reach every kind of metric and of value; without that the tests above prove little.
#[test]
fn the_dice_have_all_faces() {
    let mut kinds = [0_usize; 5];
    let mut nested = 0;
    for seed in 0..400_u64 {
        let mut dice = Dice::new(seed);
        for metric in dice
            .metrics()
            .resource_metrics
            .iter()
            .flat_map(|r| &r.scope_metrics)
            .flat_map(|s| &s.metrics)
        {
            match metric.data {
                Some(Data::Gauge(_)) => kinds[0] += 1,
                Some(Data::Sum(_)) => kinds[1] += 1,
                Some(Data::Histogram(_)) => kinds[2] += 1,
                Some(Data::ExponentialHistogram(_)) => kinds[3] += 1,
                Some(Data::Summary(_)) => kinds[4] += 1,
                None => {}
            }
        }
        nested += usize::from(
            format!("{:?}", dice.log_record().body)
                .matches("ArrayValue")
                .count()
                > 1,
        );
    }
    assert!(
        kinds.iter().all(|count| *count > 20) && nested > 5,
        "{kinds:?} {nested}"
    );
}
