//! A client that costs little: HTTP/1.1 over one connection that stays open, bodies made before.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection to a server.
pub(crate) struct Connection {
    host: String,
    stream: BufReader<TcpStream>,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.to_owned())
}

impl Connection {
    /// Connects to `host:port`.
    pub(crate) fn open(host: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            host: host.to_owned(),
            stream: BufReader::new(stream),
        })
    }

    /// Posts an OTLP body in protobuf.
    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> io::Result<Answer> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        self.stream.get_mut().write_all(head.as_bytes())?;
        self.stream.get_mut().write_all(body)?;
        self.answer()
    }

    /// Asks for a path.
    pub(crate) fn get(&mut self, path: &str, accept: &str) -> io::Result<Answer> {
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\naccept: {accept}\r\n\r\n",
            self.host
        );
        self.stream.get_mut().write_all(head.as_bytes())?;
        self.answer()
    }

    /// Asks for a path with more of a head, and gives the body's packets as they come; the status.
    pub(crate) fn stream(&mut self, path: &str, head: &str, packet: impl FnMut(Vec<u8>)) -> io::Result<u16> {
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{head}\r\n\r\n", self.host);
        self.stream.get_mut().write_all(head.as_bytes())?;
        self.packets(packet)
    }

    fn answer(&mut self) -> io::Result<Answer> {
        let mut body = Vec::new();
        let status = self.packets(|packet| body.extend(packet))?;
        Ok(Answer { status, body })
    }

    fn packets(&mut self, mut packet: impl FnMut(Vec<u8>)) -> io::Result<u16> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| broken("no status"))?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(':') {
                Some(("content-length", n)) => {
                    length = n.trim().parse().map_err(|_| broken("no content-length"))?;
                }
                Some(("transfer-encoding", how)) => chunked = how.trim() == "chunked",
                Some(_) => {}
                None => break,
            }
        }
        if !chunked {
            packet(self.take(length)?);
            return Ok(status);
        }
        loop {
            let size = self.line()?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(|_| broken("no chunk size"))?;
            let bytes = self.take(size)?;
            self.line()?;
            if size == 0 {
                return Ok(status);
            }
            packet(bytes);
        }
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}
