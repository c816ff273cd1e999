//! Files that are imported: which there are, and the bodies in them, one after the other.
//!
//! | a file that begins with | holds |
//! |---|---|
//! | an object on one line | an object a line: what the Collector's file exporter or `export` wrote |
//! | an object over several lines | one or more objects: OTLP/JSON, Jaeger |
//! | four bytes of length | bodies in protobuf, each after its length: the file exporter with `format: proto` |
//! | anything else | one body in protobuf |
//!
//! Each of them may be compressed by gzip or zstd.

use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

const BUFFER: usize = 256 * 1024;

/// A file to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    /// Bytes on the disk.
    pub(super) size: u64,
    /// When it was last changed, ns since the epoch.
    pub(super) modified: i64,
}

/// The files named, and those below the directories named, in order.
pub(super) fn list(paths: &[PathBuf]) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    for path in paths {
        collect(path, &mut sources, true)?;
    }
    if sources.is_empty() {
        return Err("there are no files to import".to_owned());
    }
    Ok(sources)
}

fn collect(path: &Path, into: &mut Vec<Source>, named: bool) -> Result<(), String> {
    let cannot = |error: io::Error| format!("cannot read {}: {error}", path.display());
    let metadata = std::fs::metadata(path).map_err(cannot)?;
    if metadata.is_dir() {
        let entries = std::fs::read_dir(path).map_err(cannot)?;
        let mut below: Vec<PathBuf> = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(cannot)?;
        below.sort();
        return below.iter().try_for_each(|path| collect(path, into, false));
    }
    if named || is_telemetry(path) {
        let modified = metadata
            .modified()
            .map_err(cannot)?
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        into.push(Source {
            path: path.canonicalize().map_err(cannot)?,
            size: metadata.len(),
            modified: i64::try_from(modified.as_nanos()).unwrap_or(i64::MAX),
        });
    }
    Ok(())
}

/// Whether a file in a directory looks like one to import, by its name.
fn is_telemetry(path: &Path) -> bool {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let bare = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"))
        .unwrap_or(&name);
    let endings = [
        ".json",
        ".jsonl",
        ".ndjson",
        ".pb",
        ".proto",
        ".protobuf",
        ".otlp",
        ".bin",
    ];
    !name.starts_with('.') && endings.iter().any(|ending| bare.ends_with(ending))
}

/// One body of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Body {
    /// Which of the file, from 1 on.
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) json: bool,
}

enum Form {
    /// An object a line.
    Lines,
    /// Objects over several lines.
    Objects,
    Frames,
    Whole,
}

/// The bodies of a file, in order.
pub(super) struct Bodies {
    reader: Box<dyn BufRead + Send>,
    form: Form,
    /// A line that was read to tell the form.
    pending: Option<Vec<u8>>,
    number: u64,
    largest: usize,
}

impl Bodies {
    /// Opens a file; `read` counts its bytes as they are read, `largest` is how large a body may be.
    pub(super) fn open(path: &Path, read: Arc<AtomicU64>, largest: usize) -> io::Result<Self> {
        let file = Counting {
            inner: File::open(path)?,
            read,
        };
        let mut packed = BufReader::with_capacity(BUFFER, file);
        let mut reader: Box<dyn BufRead + Send> = match packed.fill_buf()? {
            [0x1f, 0x8b, ..] => Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(packed))),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(BufReader::with_capacity(
                BUFFER,
                zstd::stream::read::Decoder::with_buffer(packed)?,
            )),
            _ => Box::new(packed),
        };
        let start = reader.fill_buf()?;
        let json = start
            .strip_prefix("\u{feff}".as_bytes())
            .unwrap_or(start)
            .iter()
            .find(|byte| !byte.is_ascii_whitespace())
            .is_some_and(|byte| matches!(byte, b'{' | b'['));
        let form = match start.first() {
            _ if json => Form::Objects,
            Some(0) => Form::Frames,
            _ => Form::Whole,
        };
        let mut bodies = Self {
            reader,
            form,
            pending: None,
            number: 0,
            largest,
        };
        if json && let Some(line) = bodies.line()? {
            if Depth::of(&line).is_closed() {
                bodies.form = Form::Lines;
            }
            bodies.pending = Some(line);
        }
        Ok(bodies)
    }

    /// The next body; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Body>> {
        let (bytes, json) = match self.form {
            Form::Lines => (self.line()?, true),
            Form::Objects => (self.object()?, true),
            Form::Frames => (self.frame()?, false),
            Form::Whole if self.number == 0 => {
                let mut bytes = Vec::new();
                (&mut self.reader)
                    .take(self.largest as u64 + 1)
                    .read_to_end(&mut bytes)?;
                self.check(bytes.len())?;
                ((!bytes.is_empty()).then_some(bytes), false)
            }
            Form::Whole => (None, false),
        };
        Ok(bytes.map(|bytes| {
            self.number += 1;
            Body {
                number: self.number,
                bytes,
                json,
            }
        }))
    }

    fn check(&self, length: usize) -> io::Result<()> {
        if length <= self.largest {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "body {} is larger than {} bytes: split it, or give --max-body-mib",
                self.number + 1,
                self.largest
            ),
        ))
    }

    /// The next line that is not empty, without its end.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        if let Some(line) = self.pending.take() {
            return Ok(Some(line));
        }
        loop {
            let mut line = Vec::new();
            if (&mut self.reader)
                .take(self.largest as u64 + 1)
                .read_until(b'\n', &mut line)?
                == 0
            {
                return Ok(None);
            }
            self.check(line.len())?;
            let text = line
                .strip_prefix("\u{feff}".as_bytes())
                .unwrap_or(&line)
                .trim_ascii();
            if !text.is_empty() {
                return Ok(Some(text.to_vec()));
            }
        }
    }

    /// Lines up to the end of an object.
    fn object(&mut self) -> io::Result<Option<Vec<u8>>> {
        let (mut bytes, mut depth) = (Vec::new(), Depth::default());
        while let Some(line) = self.line()? {
            depth.read(&line);
            bytes.extend_from_slice(&line);
            bytes.push(b'\n');
            self.check(bytes.len())?;
            if depth.is_closed() {
                break;
            }
        }
        Ok((!bytes.is_empty()).then_some(bytes))
    }

    fn frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.reader.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut length = [0; 4];
        self.reader.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        self.check(length)?;
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes)?;
        Ok(Some(bytes))
    }
}

/// How deep JSON is open.
#[derive(Default)]
struct Depth {
    open: u32,
    begun: bool,
    in_string: bool,
    escaped: bool,
}

impl Depth {
    fn of(bytes: &[u8]) -> Self {
        let mut depth = Self::default();
        depth.read(bytes);
        depth
    }

    fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => {
                    self.open += 1;
                    self.begun = true;
                }
                b'}' | b']' => self.open = self.open.saturating_sub(1),
                _ => {}
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.begun && self.open == 0
    }
}

/// Counts what is read of a file.
struct Counting {
    inner: File,
    read: Arc<AtomicU64>,
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn bodies(content: &[u8]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, content).unwrap();
        let mut bodies = Bodies::open(&path, Arc::default(), 1_000).unwrap();
        let mut read = Vec::new();
        while let Some(body) = bodies.next().unwrap() {
            assert_eq!(body.number, read.len() as u64 + 1);
            read.push(String::from_utf8(body.bytes).unwrap().trim().to_owned());
        }
        read
    }

    #[test]
    fn lines_objects_frames_and_whole_files_are_told_apart() {
        let lines = b"\xef\xbb\xbf{\"a\":\"}\"}\r\n\n{\"b\":[1]}\n{\"broken\": \n{\"c\":1}";
        assert_eq!(
            bodies(lines),
            ["{\"a\":\"}\"}", "{\"b\":[1]}", "{\"broken\":", "{\"c\":1}"]
        );
        assert_eq!(
            bodies(b"\n{\n\"a\": \"\\\"{\"\n}\n{\n}\n"),
            ["{\n\"a\": \"\\\"{\"\n}", "{\n}"]
        );
        assert_eq!(bodies(b"\0\0\0\x02hi\0\0\0\x01!"), ["hi", "!"]);
        assert_eq!(bodies(b"\nprotobuf\n"), ["protobuf"]);
        assert!(bodies(b"").is_empty() && bodies(b" \n").len() < 2);
    }

    #[test]
    fn compressed_files_are_read_through() {
        let text = b"{\"a\":1}\n{\"b\":2}\n";
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(text).unwrap();
        assert_eq!(bodies(&gz.finish().unwrap()), ["{\"a\":1}", "{\"b\":2}"]);
        let zst = zstd::stream::encode_all(&text[..], 1).unwrap();
        assert_eq!(bodies(&zst), ["{\"a\":1}", "{\"b\":2}"]);
    }

    #[test]
    fn what_is_too_large_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for content in [
            vec![b'x'; 2_000],
            b"\x00\x01\x00\x00x".to_vec(),
            [b"{}\n{\"".as_slice(), &[b'x'; 2_000]].concat(),
        ] {
            std::fs::write(&path, content).unwrap();
            let mut bodies = Bodies::open(&path, Arc::default(), 1_000).unwrap();
            let error = loop {
                match bodies.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("it is too large"),
                    Err(error) => break error.to_string(),
                }
            };
            assert!(error.contains("larger than 1000 bytes"), "{error}");
        }
    }
}
