//! Uploads that are cut off and go on, that are refused, and that the disk or the store fails.

use crate::client::{Api, described, files, wav};
use crate::common::Server;
use crate::common::process::serve;
use meshscope_server::config::ServeArgs;
use serde_json::Value;
use std::time::Duration;

#[tokio::test]
async fn an_upload_that_was_cut_off_goes_on_where_it_was() {
    let server = Server::start().await;
    let (api, file) = (Api::of(&server.api), wav(60));
    let path = api.describe("s", &described(file.len())).await;
    assert_eq!(api.get(&path, &[]).await.status().as_u16(), 409, "not whole yet");
    // The connection breaks.
    drop(api.begin(&path, 0, file.len(), &file[..300_000]));
    api.received("s", 300_000).await;
    assert_eq!(api.offset(&path).await, 300_000);
    // Another breaks without the server's knowing: what the client asks for next takes over.
    let silent = api.begin(&path, 300_000, file.len() - 300_000, &file[300_000..400_000]);
    api.received("s", 400_000).await;
    assert_eq!(api.offset(&path).await, 400_000);
    drop(silent);
    let wrong = api
        .ask(
            "PATCH",
            &path,
            &[("upload-offset", "300000")],
            file[300_000..].to_vec(),
        )
        .await;
    assert_eq!(wrong.status().as_u16(), 409);
    assert_eq!(wrong.headers()["upload-offset"], "400000");
    assert_eq!(api.ask("PATCH", &path, &[], vec![1]).await.status().as_u16(), 400);
    // In several requests.
    let part = api
        .ask(
            "PATCH",
            &path,
            &[("upload-offset", "400000")],
            file[400_000..450_000].to_vec(),
        )
        .await;
    assert_eq!(part.headers()["upload-offset"], "450000");
    assert_eq!(part.json::<Value>().await.unwrap()["state"], "uploading");
    assert_eq!(api.go_on(&path, &file).await.status().as_u16(), 200);
    assert_eq!(api.list("s").await[0]["state"], "ready");
    assert!(api.bytes(&path).await == file);
}

#[tokio::test]
async fn of_a_request_with_too_many_bytes_nothing_is_kept() {
    let server = Server::start().await;
    let (api, file) = (Api::of(&server.api), wav(1));
    let path = api.describe("s", &described(file.len())).await;
    let there = file.len() - 100;
    let first = api
        .ask("PATCH", &path, &[("upload-offset", "0")], file[..there].to_vec())
        .await;
    assert_eq!(first.status().as_u16(), 200);
    let more = [&file[there..], b"more"].concat();
    let offset = there.to_string();
    let refused = api
        .ask(
            "PATCH",
            &path,
            &[("upload-offset", offset.as_str())],
            more.clone(),
        )
        .await;
    assert_eq!(refused.status().as_u16(), 413);
    assert_eq!(api.offset(&path).await, there);
    // The same where the length is not said and the bytes that fit come first.
    let pieces = [more[..100].to_vec(), more[100..].to_vec()].map(Ok::<_, std::io::Error>);
    let request = api
        .client
        .patch(format!("{}/api/v1/sessions/{path}", api.base))
        .header("upload-offset", &offset);
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let refused = request.body(body).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 413);
    assert_eq!(api.offset(&path).await, there);
    assert_eq!(api.list("s").await[0]["state"], "uploading");
    assert_eq!(api.go_on(&path, &file).await.status().as_u16(), 200);
    assert!(api.bytes(&path).await == file);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_the_disk_does_not_take_is_not_ready() {
    let server = Server::start().await;
    // So few bytes that they are written at once: how that went is told when there is no more to write.
    let (api, file) = (Api::of(&server.api), wav(0));
    let path = api.describe("s", &described(file.len())).await;
    let recordings = server.dir.path().join("recordings");
    let part = recordings.join(format!("{}.part", path.rsplit('/').next().unwrap()));
    std::fs::create_dir_all(&recordings).unwrap();
    std::os::unix::fs::symlink("/dev/full", &part).unwrap();
    let full = api
        .ask("PATCH", &path, &[("upload-offset", "0")], file.clone())
        .await;
    assert_eq!(full.status().as_u16(), 503);
    assert!(full.text().await.unwrap().contains("the disk is full"));
    assert_eq!(api.list("s").await[0]["state"], "uploading");
    // With room again it goes on.
    std::fs::remove_file(&part).unwrap();
    assert_eq!(api.go_on(&path, &file).await.status().as_u16(), 200);
    assert!(api.bytes(&path).await == file);
}

/// Makes an upload known and lays its whole file there, as when the store fails after the file's last step.
async fn whole_without_its_row(server: &Server, file: &[u8]) -> String {
    let path = Api::of(&server.api).describe("s", &described(file.len())).await;
    let recordings = server.dir.path().join("recordings");
    std::fs::create_dir_all(&recordings).unwrap();
    // Under its name it is whole at once, as after the server's own rename.
    std::fs::write(recordings.join("elsewhere.tmp"), file).unwrap();
    std::fs::rename(
        recordings.join("elsewhere.tmp"),
        recordings.join(path.rsplit('/').next().unwrap()),
    )
    .unwrap();
    path
}

#[tokio::test]
async fn an_upload_that_is_whole_is_finished_though_its_row_was_not() {
    let file = wav(1);
    let server = Server::start().await;
    let path = whole_without_its_row(&server, &file).await;
    let api = Api::of(&server.api);
    assert_eq!(api.list("s").await[0]["received_bytes"], file.len().to_string());
    assert_eq!(api.offset(&path).await, file.len());
    assert!(api.bytes(&path).await == file);

    // What nobody asks for is finished now and then.
    let server = Server::with(|args| ServeArgs {
        retention_every: Some("1s".to_owned()),
        ..args
    })
    .await;
    let path = whole_without_its_row(&server, &file).await;
    let api = Api::of(&server.api);
    for _ in 0..600 {
        if api.list("s").await[0]["state"] == "ready" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(api.bytes(&path).await == file);
}

#[tokio::test]
async fn an_upload_survives_kill_9_and_what_was_left_over_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let file = wav(60);
    let (mut child, base, _) = serve(dir.path(), &[]);
    let api = Api::of(&base);
    let path = api.describe("s", &described(file.len())).await;
    let held = api.begin(&path, 0, file.len(), &file[..300_000]);
    api.received("s", 300_000).await;
    // One request that the server does not see the end of, and a file that no row tells of.
    let orphan = dir.path().join(format!("recordings/{:032x}.part", 7));
    std::fs::write(&orphan, b"left over").unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(held);

    let (mut child, base, _) = serve(dir.path(), &[]);
    let api = Api::of(&base);
    assert!(!orphan.exists());
    assert_eq!(api.go_on(&path, &file).await.status().as_u16(), 200);
    assert!(api.bytes(&path).await == file);
    child.kill().unwrap();
    child.wait().unwrap();

    // Killed between the file's last step and the store's.
    let id = path.rsplit('/').next().unwrap();
    let (mut child, base, _) = serve(dir.path(), &[]);
    let api = Api::of(&base);
    let second = api.describe("s", &described(file.len())).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let second_id = second.rsplit('/').next().unwrap();
    std::fs::copy(
        dir.path().join("recordings").join(id),
        dir.path().join("recordings").join(second_id),
    )
    .unwrap();
    let (mut child, base, _) = serve(dir.path(), &[]);
    let api = Api::of(&base);
    assert!(api.bytes(&second).await == file);
    assert_eq!(files(dir.path()), 2);
    child.kill().unwrap();
    child.wait().unwrap();
}
