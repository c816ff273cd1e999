//! A client of recordings.

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// A tone as a WAV file: 16 bit, mono, 8,000 a second.
pub fn wav(seconds: usize) -> Vec<u8> {
    let samples = (0..seconds * 8_000).map(|n| {
        let wave = (n as f64 * 440.0 * std::f64::consts::TAU / 8_000.0).sin();
        (wave * 12_000.0) as i16
    });
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let mut file = Vec::new();
    for part in [
        b"RIFF".as_slice(),
        &(36 + data.len() as u32).to_le_bytes(),
        b"WAVEfmt \x10\0\0\0\x01\0\x01\0",
        &8_000_u32.to_le_bytes(),
        &16_000_u32.to_le_bytes(),
        b"\x02\0\x10\0data",
        &(data.len() as u32).to_le_bytes(),
        &data,
    ] {
        file.extend_from_slice(part);
    }
    file
}

/// What a client does with the API at a place.
pub struct Api {
    pub client: Client,
    pub base: String,
}

impl Api {
    pub fn of(base: &str) -> Self {
        Self {
            client: Client::new(),
            base: base.to_owned(),
        }
    }

    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        let url = format!("{}/api/v1/sessions/{path}", self.base);
        let method: Method = method.parse().unwrap();
        let mut request = self.client.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.ask("GET", path, headers, Vec::new()).await
    }

    pub async fn list(&self, session: &str) -> Vec<Value> {
        let list: Value = self
            .get(&format!("{session}/recordings"), &[])
            .await
            .json()
            .await
            .unwrap();
        list["recordings"].as_array().unwrap().clone()
    }

    /// Makes an upload known; gives its path below `sessions/`.
    pub async fn describe(&self, session: &str, description: &Value) -> String {
        let json = [("content-type", "application/json")];
        let body = description.to_string().into_bytes();
        let answer = self
            .ask("POST", &format!("{session}/recordings"), &json, body)
            .await;
        assert_eq!(answer.status().as_u16(), 201);
        let location = answer.headers()["location"].to_str().unwrap();
        location.strip_prefix("/api/v1/sessions/").unwrap().to_owned()
    }

    /// Sends the beginning of a PATCH and leaves the connection open.
    pub fn begin(&self, path: &str, offset: usize, whole: usize, bytes: &[u8]) -> TcpStream {
        let host = self.base.strip_prefix("http://").unwrap();
        let mut connection = TcpStream::connect(host).unwrap();
        let head = format!(
            "PATCH /api/v1/sessions/{path} HTTP/1.1\r\nhost: {host}\r\nupload-offset: {offset}\r\ncontent-length: {whole}\r\n\r\n"
        );
        connection.write_all(head.as_bytes()).unwrap();
        connection.write_all(bytes).unwrap();
        connection
    }

    /// Waits until so many bytes of the only recording have come, without holding up its upload.
    pub async fn received(&self, session: &str, bytes: usize) {
        let expected = json!(bytes.to_string());
        for _ in 0..600 {
            if self.list(session).await[0]["received_bytes"] == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{bytes} bytes did not come: {:?}", self.list(session).await);
    }

    pub async fn offset(&self, path: &str) -> usize {
        let head = self.ask("HEAD", path, &[], Vec::new()).await;
        assert_eq!(head.status().as_u16(), 200);
        head.headers()["upload-offset"].to_str().unwrap().parse().unwrap()
    }

    pub async fn go_on(&self, path: &str, file: &[u8]) -> Response {
        let offset = self.offset(path).await;
        let headers = [("upload-offset", offset.to_string())];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.ask("PATCH", path, &headers, file[offset..].to_vec()).await
    }

    pub async fn bytes(&self, path: &str) -> Vec<u8> {
        let answer = self.get(path, &[]).await;
        assert_eq!(answer.status().as_u16(), 200);
        answer.bytes().await.unwrap().to_vec()
    }
}

pub fn described(size: usize) -> Value {
    json!({"kind": "audio", "participant": "ada", "content_type": "audio/wav", "offset_ns": "500000000", "size_bytes": size.to_string()})
}

pub fn files(dir: &Path) -> usize {
    std::fs::read_dir(dir.join("recordings")).map_or(0, Iterator::count)
}
