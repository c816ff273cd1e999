//! Recordings in the store: found by session, on its clock, gone with it.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use meshscope_api::status::{ProjectRetention, Retention};
use meshscope_api::{NewRecording, Recording, RecordingKind, RecordingState};
use meshscope_model::{
    AttributeValue, Attributes, Batch, LogEntry, LogRecord, Origin, Resource, Scope, TraceId,
};
use meshscope_store::{AddedRecording, DuckDb, RecordingsOf, Store, StoreError};
use std::sync::Arc;

const HOUR: i64 = 3_600_000_000_000;
const NOW: i64 = 1_795_220_548_168_533_800;

/// A log record of a session, some hours before `NOW`.
fn log(project: &str, session: &str, hours_ago: i64) -> Batch {
    let record = LogRecord {
        resource: Arc::new(Resource::default()),
        scope: Arc::new(Scope::default()),
        time: NOW - hours_ago * HOUR,
        observed_time: 0,
        severity_number: 9,
        severity_text: String::new(),
        body: AttributeValue::from(format!("{project} {session}").as_str()),
        attributes: Attributes::default(),
        dropped_attributes_count: 0,
        flags: 0,
        trace_id: None,
        span_id: None,
        event_name: String::new(),
    };
    let origin = Origin {
        project: Some(project.to_owned()),
        session: Some(session.to_owned()),
        ..Origin::default()
    };
    Batch {
        logs: vec![LogEntry {
            record,
            origin,
            identity: None,
        }],
        ..Batch::default()
    }
}

fn sound(session: &str) -> AddedRecording {
    AddedRecording {
        session_id: session.to_owned(),
        project: None,
        started_at: None,
        recording: NewRecording {
            kind: RecordingKind::Audio,
            participant: None,
            name: None,
            content_type: Some("audio/wav".to_owned()),
            started_at: None,
            offset_ns: Some(7),
            duration_ns: None,
            size_bytes: Some(1_000_000),
            url: None,
        },
        now: NOW,
    }
}

fn of(store: &DuckDb, session: &str) -> Vec<Recording> {
    let of = RecordingsOf {
        session_id: Some(session.to_owned()),
        ..RecordingsOf::default()
    };
    store.recordings(&of).unwrap()
}

#[test]
fn a_recording_stands_on_the_clock_of_its_session_as_known_now() {
    let store = DuckDb::in_memory().unwrap();
    store.add_recording(&sound("s")).unwrap();
    let before = of(&store, "s").remove(0);
    assert_eq!((before.started_at, before.offset_ns), (None, None));
    assert_eq!(before.project, "default");
    for hours_ago in [2, 3] {
        store.write(&[log("default", "s", hours_ago)]).unwrap();
        let start = NOW - hours_ago * HOUR;
        let known = of(&store, "s").remove(0);
        assert_eq!((known.started_at, known.offset_ns), (Some(start + 7), Some(7)));
    }
    let by_moment = AddedRecording {
        started_at: Some(NOW - 4 * HOUR),
        ..sound("s")
    };
    store.add_recording(&by_moment).unwrap();
    let both = of(&store, "s");
    assert_eq!(both[0].started_at, Some(NOW - 4 * HOUR));
    assert_eq!(both[0].offset_ns, Some(-HOUR));
    assert_eq!(both[1].recording_id, before.recording_id);
}

#[test]
fn a_clock_that_is_far_out_makes_no_list_fail() {
    let store = DuckDb::in_memory().unwrap();
    let mut late = log("default", "late", 0);
    late.logs[0].record.time = i64::MAX - 5;
    store.write(&[late, log("default", "s", 1)]).unwrap();
    let add = |session: &str, started_at: Option<i64>, offset: i64| {
        let mut added = sound(session);
        added.started_at = started_at;
        added.recording.offset_ns = Some(offset);
        store.add_recording(&added).unwrap()
    };
    let ids = [
        add("s", None, i64::MAX),
        add("s", None, i64::MIN),
        add("s", Some(i64::MIN), 0),
        add("late", None, 7),
        add("late", Some(i64::MIN), 0),
        add("unknown", None, i64::MAX),
    ];
    let session = NOW - HOUR;
    let all = store.recordings(&RecordingsOf::default()).unwrap();
    let of = |n: usize| {
        let one = all.iter().find(|one| one.recording_id == ids[n]).unwrap();
        (one.started_at, one.offset_ns)
    };
    assert_eq!(of(0), (Some(i64::MAX), Some(i64::MAX - session)));
    assert_eq!(of(1), (Some(session.saturating_add(i64::MIN)), Some(i64::MIN)));
    assert_eq!(of(2), (Some(i64::MIN), Some(i64::MIN)));
    assert_eq!(of(3), (Some(i64::MAX), Some(5)));
    assert_eq!(of(4), (Some(i64::MIN), Some(i64::MIN)));
    assert_eq!(of(5), (None, None));
    // The earliest first, and last what has no place yet.
    let starts: Vec<Option<i64>> = all.iter().map(|one| one.started_at).collect();
    assert!(starts[..5].is_sorted() && starts[5].is_none(), "{starts:?}");
    for id in ids {
        assert!(store.remove_recording(id.parse().unwrap()).unwrap());
    }
}

#[test]
fn one_that_comes_before_its_session_follows_it_into_its_project() {
    let store = DuckDb::in_memory().unwrap();
    store.add_recording(&sound("s")).unwrap();
    let named = AddedRecording {
        project: Some("default".to_owned()),
        ..sound("s")
    };
    store.add_recording(&named).unwrap();
    let of_project = |project: &str| {
        let of = RecordingsOf {
            project: Some(project.to_owned()),
            ..RecordingsOf::default()
        };
        store.recordings(&of).unwrap()
    };
    assert_eq!([of_project("default").len(), of_project("p").len()], [2, 0]);
    store.write(&[log("p", "s", 3)]).unwrap();
    // A project that was named stays.
    assert_eq!([of_project("default").len(), of_project("p").len()], [1, 1]);
    assert_eq!(of_project("p")[0].started_at, Some(NOW - 3 * HOUR + 7));
    // Another project's session of the same name does not take it away.
    store.write(&[log("a", "s", 2)]).unwrap();
    assert_eq!([of_project("a").len(), of_project("p").len()], [0, 1]);
    let rules = Retention {
        projects: vec![ProjectRetention {
            project: "p".to_owned(),
            age_ns: Some(HOUR),
            size_bytes: None,
        }],
        ..Retention::default()
    };
    // It goes with its session, and is not passed on.
    let removed = store.retain(&rules, NOW, &|| true).unwrap().unwrap();
    assert_eq!((removed.logs, removed.recordings), (1, 1));
    assert_eq!([of_project("default").len(), of_project("a").len()], [1, 0]);
}

#[test]
fn the_project_is_that_of_the_session_and_asked_for_where_several_have_it() {
    let store = DuckDb::in_memory().unwrap();
    store
        .write(&[log("one", "s", 1), log("one", "t", 1), log("two", "t", 1)])
        .unwrap();
    store.add_recording(&sound("s")).unwrap();
    assert_eq!(of(&store, "s")[0].project, "one");
    let error = store.add_recording(&sound("t")).unwrap_err();
    assert!(matches!(&error, StoreError::Project(_)), "{error}");
    assert!(error.to_string().contains("one, two"), "{error}");
    let named = AddedRecording {
        project: Some("two".to_owned()),
        ..sound("t")
    };
    store.add_recording(&named).unwrap();
    assert_eq!(of(&store, "t")[0].project, "two");
}

#[test]
fn an_upload_becomes_ready_and_is_removed_once() {
    let store = DuckDb::in_memory().unwrap();
    let id: TraceId = store.add_recording(&sound("s")).unwrap().parse().unwrap();
    assert_eq!(of(&store, "s")[0].state, RecordingState::Uploading);
    assert_eq!(store.status().unwrap().recordings, 0);
    store.finish_recording(id, 44).unwrap();
    let ready = of(&store, "s").remove(0);
    assert_eq!(
        (ready.state, ready.size_bytes, ready.received_bytes),
        (RecordingState::Ready, Some(44), Some(44))
    );
    let status = store.status().unwrap();
    assert_eq!((status.recordings, status.recordings_bytes), (1, 44));
    assert!(store.remove_recording(id).unwrap());
    assert!(!store.remove_recording(id).unwrap());
    assert!(of(&store, "s").is_empty());
}

#[test]
fn recordings_go_with_their_session_however_young_they_are() {
    let store = DuckDb::in_memory().unwrap();
    store.write(&[log("p", "old", 50), log("p", "new", 1)]).unwrap();
    for session in ["old", "new", "unknown"] {
        store.add_recording(&sound(session)).unwrap();
    }
    let lost = AddedRecording {
        now: NOW - 50 * HOUR,
        ..sound("never came")
    };
    store.add_recording(&lost).unwrap();
    let rules = Retention {
        age_ns: Some(24 * HOUR),
        ..Retention::default()
    };
    let removed = store.retain(&rules, NOW, &|| true).unwrap().unwrap();
    assert_eq!((removed.logs, removed.recordings), (1, 2));
    let left = |session: &str| of(&store, session).len();
    assert_eq!(["old", "new", "unknown", "never came"].map(left), [0, 1, 1, 0]);
}

#[test]
fn their_bytes_count_towards_the_size_that_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = DuckDb::open(dir.path(), &meshscope_store::Options::default()).unwrap();
    for n in 0..10 {
        let session = format!("s{n}");
        store.write(&[log("p", &session, 20 - n)]).unwrap();
        let mut recording = sound(&session);
        recording.recording.size_bytes = Some(100_000_000);
        let id = store.add_recording(&recording).unwrap().parse().unwrap();
        store.finish_recording(id, 100_000_000).unwrap();
    }
    let whole = |size_bytes| Retention {
        size_bytes,
        ..Retention::default()
    };
    assert_eq!(
        store.retain(&whole(Some(2_000_000_000)), NOW, &|| true).unwrap(),
        None
    );
    store
        .retain(&whole(Some(700_000_000)), NOW, &|| true)
        .unwrap()
        .unwrap();
    let status = store.status().unwrap();
    assert!(status.recordings_bytes <= 700_000_000, "{status:?}");
    assert!(status.recordings >= 3, "{status:?}");
    assert_eq!((of(&store, "s0").len(), of(&store, "s9").len()), (0, 1));
    // The same for one project.
    let rules = Retention {
        projects: vec![ProjectRetention {
            project: "p".to_owned(),
            age_ns: None,
            size_bytes: Some(250_000_000),
        }],
        ..Retention::default()
    };
    store.retain(&rules, NOW, &|| true).unwrap().unwrap();
    assert!(store.status().unwrap().recordings <= 2);
}

#[test]
fn what_an_upload_announces_is_not_there_yet() {
    let dir = tempfile::tempdir().unwrap();
    let store = DuckDb::open(dir.path(), &meshscope_store::Options::default()).unwrap();
    store.write(&[log("p", "s", 1)]).unwrap();
    for _ in 0..5 {
        let mut announced = sound("s");
        announced.recording.size_bytes = Some(4_000_000_000);
        store.add_recording(&announced).unwrap();
    }
    let limit = Some(10_000_000_000);
    let rules = Retention {
        size_bytes: limit,
        projects: vec![ProjectRetention {
            project: "p".to_owned(),
            age_ns: None,
            size_bytes: limit,
        }],
        ..Retention::default()
    };
    assert_eq!(store.retain(&rules, NOW, &|| true).unwrap(), None);
    assert_eq!(of(&store, "s").len(), 5);
}
