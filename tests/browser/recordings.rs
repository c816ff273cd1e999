//! Recordings in the session viewer: uploaded by hand, drawn as a waveform, in step with the playhead.

use meshscope_tests::{Browser, Server};
use serde_json::{Value, json};
use thirtyfour::prelude::*;

const SESSION: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const START: i64 = 1_795_220_548_000_000_000;

/// A tone that swells, as a WAV file: 16 bit, mono, 8,000 a second.
fn wav(seconds: u32) -> Vec<u8> {
    let count = seconds * 8_000;
    let samples = (0..count).map(|n| {
        let wave = (f64::from(n) * 440.0 * std::f64::consts::TAU / 8_000.0).sin();
        (wave * 30_000.0 * f64::from(n) / f64::from(count)) as i16
    });
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let size = data.len() as u32;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + size).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(8_000_u32.to_le_bytes());
    file.extend(16_000_u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(size.to_le_bytes());
    file.extend(data);
    file
}

/// A call of ten minutes.
async fn call(server: &Server) {
    let span = json!({"traceId": SESSION, "spanId": "00f067aa0ba902b7", "name": "call",
        "startTimeUnixNano": START.to_string(), "endTimeUnixNano": (START + 600_000_000_000).to_string()});
    let body = json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "voice"}}]},
        "scopeSpans": [{"scope": {"name": "s"}, "spans": [span]}],
    }]});
    server
        .post("/v1/traces", "application/json", body.to_string().into_bytes())
        .await;
}

async fn post_recording(server: &Server, query: &str, body: Vec<u8>) {
    let url = format!("{}/api/v1/sessions/{SESSION}/recordings?{query}", server.studio);
    let post = reqwest::Client::new()
        .post(url)
        .header("content-type", "audio/wav");
    assert_eq!(post.body(body).send().await.unwrap().status().as_u16(), 201);
}

async fn open(browser: &Browser, server: &Server, more: &str) {
    let url = format!("{}/sessions/{SESSION}?tab=recordings{more}", server.studio);
    browser.page.goto(url).await.unwrap();
}

/// How many pixels of the first waveform's columns are drawn, in quarters.
async fn quarters(browser: &Browser) -> Vec<u64> {
    let drawn = browser
        .script(
            "const canvas = document.querySelector('.recording canvas.wave'); \
             const { data, width, height } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height); \
             const sums = [0, 0, 0, 0]; \
             for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) \
               if (data[(y * width + x) * 4 + 3] > 0) sums[Math.floor(x * 4 / width)]++; \
             return sums",
        )
        .await;
    drawn
        .as_array()
        .unwrap()
        .iter()
        .map(|sum| sum.as_u64().unwrap())
        .collect()
}

async fn number(browser: &Browser, script: &str) -> f64 {
    browser.script(script).await.as_f64().unwrap()
}

#[tokio::test]
async fn a_recording_is_a_waveform_in_step_with_the_playhead() {
    let server = Server::start();
    call(&server).await;
    post_recording(&server, "participant=ada&offset_ns=10000000000", wav(20)).await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    // At 15 s of the call, so at 5 s of the recording.
    open(&browser, &server, &format!("&at={}", START + 15_000_000_000)).await;
    browser.sees("Audio \u{b7} ada").await;
    let loaded =
        "const media = document.querySelector('.recording video'); return media && media.duration === 20";
    browser.until("the recording", loaded).await;
    browser
        .until(
            "the playhead in it",
            "return document.querySelector('.wave').getAttribute('aria-valuenow') === '5'",
        )
        .await;
    browser
        .until(
            "the sound at the playhead",
            "return Math.abs(document.querySelector('.recording video').currentTime - 5) < 0.05",
        )
        .await;
    browser.sees("0:05 / 0:20").await;
    // The tone swells: each quarter of the waveform is taller than the one before.
    browser
        .until(
            "the waveform",
            "const canvas = document.querySelector('canvas.wave'), w = canvas.width - 8; \
             return canvas.getContext('2d').getImageData(w, canvas.height / 4, 6, 2).data.some(part => part > 0)",
        )
        .await;
    let drawn = quarters(&browser).await;
    assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]), "{drawn:?}");
    browser.screenshot("recordings").await;

    // A click moves the playhead, and the sound with it.
    let canvas = browser.page.find(By::Css("canvas.wave")).await.unwrap();
    canvas.click().await.unwrap();
    browser
        .until(
            "the sound in the middle",
            "return Math.abs(document.querySelector('.recording video').currentTime - 10) < 0.2",
        )
        .await;
    canvas.send_keys(Key::Right).await.unwrap();
    browser
        .until(
            "five seconds on",
            "return Math.abs(document.querySelector('.recording video').currentTime - 15) < 0.2",
        )
        .await;
    assert_eq!(
        number(
            &browser,
            "return Number(document.querySelector('.wave').getAttribute('aria-valuenow'))"
        )
        .await,
        15.0
    );

    // Played at the recording, the playhead moves with it; not as fast as the whole call would fit into ten
    // seconds, since nothing would be heard.
    let play = browser
        .page
        .find(By::Css(".recording-head button"))
        .await
        .unwrap();
    assert_eq!(play.text().await.unwrap(), "Play");
    play.click().await.unwrap();
    browser
        .until(
            "the playhead on its way, and the sound with it",
            "const media = document.querySelector('.recording video'); \
             return Number(document.querySelector('.wave').getAttribute('aria-valuenow')) >= 16 \
             && media.currentTime > 15.5 && !media.paused",
        )
        .await;
    assert_eq!(
        browser
            .script("return document.querySelector('#speed').selectedOptions[0].innerText")
            .await,
        json!("1\u{d7}")
    );
    play.click().await.unwrap();
    browser
        .until(
            "it rests",
            "return document.querySelector('.recording video').paused \
             && document.querySelector('#play').innerText.includes('Play')",
        )
        .await;
    browser.stop().await;
}

#[tokio::test]
async fn a_player_stays_while_another_recording_comes() {
    let server = Server::start();
    call(&server).await;
    post_recording(&server, "participant=ada", wav(3)).await;
    let (client, file) = (reqwest::Client::new(), wav(4));
    let url = format!("{}/api/v1/sessions/{SESSION}/recordings", server.studio);
    let new = json!({"kind": "audio", "participant": "grace", "content_type": "audio/wav", "size_bytes": file.len().to_string()});
    let new: Value = client
        .post(&url)
        .json(&new)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let upload = format!("{url}/{}", new["recording_id"].as_str().unwrap());
    let send = async |from: usize, to: usize| {
        let piece = client.patch(&upload).header("upload-offset", from.to_string());
        let sent = piece.body(file[from..to].to_vec()).send().await.unwrap();
        assert!(sent.status().is_success(), "{}", sent.status());
    };
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(&browser, &server, "").await;
    browser.sees("0 B of").await;
    browser
        .until(
            "the player",
            "const media = document.querySelector('.recording video'); return media && (media.kept = true)",
        )
        .await;
    send(0, 30_000).await;
    browser
        .until(
            "some bytes more",
            "return !document.querySelector('.recordings').innerText.includes('0 B of')",
        )
        .await;
    let kept =
        "return [...document.querySelectorAll('.recording video')].filter(media => media.kept).length === 1";
    assert_eq!(browser.script(kept).await, json!(true));
    send(30_000, file.len()).await;
    browser
        .until(
            "both players",
            "return document.querySelectorAll('.recording video').length === 2",
        )
        .await;
    assert_eq!(browser.script(kept).await, json!(true));
    browser.stop().await;
}

#[tokio::test]
async fn a_page_that_is_left_during_an_upload_leaves_the_studio_as_it_is() {
    let server = Server::start();
    call(&server).await;
    let file = std::env::temp_dir().join(format!("meshscope-left-{}.wav", std::process::id()));
    std::fs::write(&file, wav(3)).unwrap();
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(&browser, &server, "").await;
    browser.sees("No recordings of this session").await;
    // A piece waits until it is let go; what is asked after it, and what goes wrong, is counted.
    browser
        .script(
            "const fetch = window.fetch, error = console.error; window.after = 0; window.errors = []; \
             console.error = (...words) => { window.errors.push(words.join(' ')); error(...words); }; \
             window.fetch = async (...asked) => { \
               if (asked[0].method === 'PATCH') await new Promise(go => { window.release = () => { window.released = true; go(); }; }); \
               const answer = await fetch(...asked); \
               if (window.released && asked[0].url?.includes('/recordings')) window.after++; \
               return answer; };",
        )
        .await;
    let chooser = browser.page.find(By::Css("input[type=file]")).await.unwrap();
    chooser.send_keys(file.to_string_lossy()).await.unwrap();
    browser
        .until("a piece on its way", "return !!window.release")
        .await;
    // The lists say what they have of the last day, which this call is not of.
    let go = async |path: &str, title: &str| {
        browser
            .script(&format!(
                "document.querySelector('.rail a[href^=\"{path}\"]').click()"
            ))
            .await;
        let there = format!("return document.querySelector('h1')?.textContent.startsWith('{title}')");
        browser.until(path, &there).await;
    };
    go("/sessions", "Sessions").await;
    browser.script("window.release()").await;
    // The piece itself, and whether all are there.
    browser
        .until("the end of the upload", "return window.after >= 2")
        .await;
    std::fs::remove_file(&file).unwrap();
    go("/traces", "Traces").await;
    go("/sessions", "Sessions").await;
    assert_eq!(browser.script("return window.errors").await, json!([]));
    open(&browser, &server, "").await;
    browser.sees("0:00 / 0:03").await;
    browser.stop().await;
}

#[tokio::test]
async fn a_file_is_uploaded_by_hand_shown_after_a_reload_and_removed() {
    let server = Server::start();
    call(&server).await;
    let dir = std::env::temp_dir().join(format!("meshscope-recording-{}.wav", std::process::id()));
    std::fs::write(&dir, wav(3)).unwrap();
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(&browser, &server, "").await;
    browser.sees("No recordings of this session").await;
    browser.screenshot("recordings-none").await;
    let who = browser.page.find(By::Css(".drop input.field")).await.unwrap();
    who.send_keys("grace").await.unwrap();
    let chooser = browser.page.find(By::Css("input[type=file]")).await.unwrap();
    chooser.send_keys(dir.to_string_lossy()).await.unwrap();
    browser
        .sees("Audio \u{b7} grace \u{b7} meshscope-recording-")
        .await;
    std::fs::remove_file(&dir).unwrap();
    let listed = server.get(&format!("sessions/{SESSION}/recordings")).await;
    assert_eq!(listed["recordings"][0]["size_bytes"], wav(3).len().to_string());
    assert_eq!(listed["recordings"][0]["started_at"], START.to_string());

    // What is no recording is refused in words.
    let text = std::env::temp_dir().join(format!("meshscope-no-recording-{}.txt", std::process::id()));
    std::fs::write(&text, "words").unwrap();
    let chooser = browser.page.find(By::Css("input[type=file]")).await.unwrap();
    chooser.send_keys(text.to_string_lossy()).await.unwrap();
    browser.sees("text/plain").await;
    std::fs::remove_file(&text).unwrap();

    open(&browser, &server, "").await;
    browser.sees("0:00 / 0:03").await;
    browser.size(390, 844).await;
    browser.screenshot("recordings-phone").await;
    let wide = number(&browser, "return document.documentElement.scrollWidth").await;
    assert!(wide <= 390.0, "{wide}");
    browser.size(1440, 900).await;
    for label in ["Remove", "Remove for good?"] {
        browser.sees(label).await;
        let button = browser
            .page
            .find(By::Css(".recording-head button:last-child"))
            .await
            .unwrap();
        button.click().await.unwrap();
    }
    browser.sees("No recordings of this session").await;
    browser.stop().await;
}
