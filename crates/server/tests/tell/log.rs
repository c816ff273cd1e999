//! Developer logs by the command line, and text that would control a terminal.

use crate::common::Server;
use crate::{command, found, run, tell};
use serde_json::Value;
use std::io::Write as _;
use std::process::Stdio;

#[tokio::test]
async fn a_message_is_logged_with_all_that_is_said_of_it() {
    let server = Server::start().await;
    let args = [
        "log",
        "--level",
        "warn",
        "--session",
        "s1",
        "--room",
        "r1",
        "--project",
        "p1",
        "--attr",
        "step=plan",
        "--attr",
        "tries:=3",
        "the disk",
        "is full",
    ];
    let told = run(command(&server.api, &args)).await;
    assert_eq!((told.code, told.out.as_str(), told.err.as_str()), (0, "", ""));
    let log: Value = serde_json::from_str(&found(&server, "session logs s1 --json").await).unwrap();
    for (name, value) in [
        ("project", "p1"),
        ("room", "r1"),
        ("session_id", "s1"),
        ("service", "meshscope-log"),
    ] {
        assert_eq!(log[name], value, "{log}");
    }
    let line = found(&server, "session logs s1").await;
    let (_, line) = line.trim_end().split_at("2026-11-21 00:00:00.000 ".len());
    assert_eq!(line, "WARN  meshscope-log the disk is full step=plan tries=3");
    let wrong = tell(&server, "log --attr step text").await;
    assert!(wrong.code == 2 && wrong.err.contains("KEY=VALUE"), "{wrong:?}");
    let wrong = tell(&server, "log --trace 12 text").await;
    assert!(wrong.code == 2 && wrong.err.contains("trace_id"), "{wrong:?}");
}

#[tokio::test]
async fn each_line_of_a_pipe_is_a_record() {
    let server = Server::start().await;
    let mut pipe = command(&server.api, &["log", "--session", "s1", "--attr", "from=pipe"]);
    let mut child = pipe.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let ended = tokio::task::spawn_blocking(move || {
        let lines = "plain words\n\n2026-11-21T00:03:17Z ERROR no disk\n\
                     {\"msg\":\"structured\",\"lvl\":\"debug\",\"session_id\":\"s2\",\"from\":\"itself\"}\n";
        stdin.write_all(lines.as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    });
    let ended = ended.await.unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let read = |text: String| -> Vec<Value> {
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let first = read(found(&server, "session logs s1 --json").await);
    let said: Vec<_> = first
        .iter()
        .map(|log| {
            (
                log["body"]["stringValue"].as_str().unwrap(),
                log["severity_number"].as_u64(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            ("2026-11-21T00:03:17Z ERROR no disk", Some(17)),
            ("plain words", Some(9))
        ]
    );
    assert_eq!(first[0]["time"], "1795219397000000000");
    let second = read(found(&server, "session logs s2 --json").await);
    assert_eq!(
        (second.len(), &second[0]["severity_number"]),
        (1, &Value::from(5))
    );
    assert_eq!(second[0]["attributes"][0]["value"]["stringValue"], "itself");
    let none = run(command(&server.api, &["log"])).await;
    assert_eq!(none.code, 1, "{none:?}");
}

#[tokio::test]
async fn text_of_telemetry_does_not_control_the_terminal() {
    let server = Server::start().await;
    let hostile = "first \u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7} \u{9b}2J \u{202e}back\n2026-11-21 00:00:00.000 ERROR forged\rline";
    let args = [
        "log",
        "--session",
        "s\u{1b}[2J",
        "--service",
        "a\u{1b}c",
        "--attr",
        "k\u{1b}=v\u{1b}",
        hostile,
    ];
    assert_eq!(run(command(&server.api, &args)).await.code, 0);
    let pages: [&[&str]; 4] = [
        &["session", "list", "--color", "always"],
        &["session", "list", "--json"],
        &["session", "logs", "s\u{1b}[2J"],
        &["tail", "--since", "0", "--no-follow"],
    ];
    for page in pages {
        let told = run(command(&server.api, page)).await;
        assert_eq!(told.code, 0, "{told:?}");
        // Our own colours are the only escapes.
        let styles = [
            "\u{1b}[0m",
            "\u{1b}[1m",
            "\u{1b}[2m",
            "\u{1b}[31m",
            "\u{1b}[32m",
            "\u{1b}[33m",
        ];
        let text = styles
            .iter()
            .fold(told.out.clone(), |text, style| text.replace(style, ""));
        let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(acts), "{page:?}: {:?}", told.out);
    }
    let lines = found(&server, "tail --since 0 --no-follow").await;
    let lines: Vec<&str> = lines.lines().collect();
    assert!(
        lines[0].contains("first red \\u{1b}]0;title\\u{7} \\u{9b}2J \\u{202e}back"),
        "{lines:?}"
    );
    // A second line of a record cannot pass for a record.
    assert_eq!(lines[1], "    2026-11-21 00:00:00.000 ERROR forged\\rline");
}
