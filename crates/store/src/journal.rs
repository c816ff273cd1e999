//! Requests that are answered before the engine has them: as they came, in files of their own,
//! synced before the answer.
//!
//! The engine takes large groups for far less than many small ones, but a group can only grow while
//! senders need not wait for it. So when much waits a request goes to the journal first, and is
//! answered when that is on the disk; its file goes when the engine has all that is in it. What is
//! left after a crash is written with the next start, where what the engine had already counts once.
//!
//! A file is records one after the other: length (u32, little-endian), CRC-32 of the content (u32),
//! content. A record that is cut off at the end of a file was never answered.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Length at which a file is followed by the next.
const FILE: u64 = 64 * 1024 * 1024;
/// Bytes before a record's content.
const HEAD: usize = 8;

/// Says that the engine has a record, or will with the next start.
#[derive(Debug)]
#[must_use]
pub struct Ticket(u64);

/// The journal in a directory.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    state: Mutex<State>,
    /// The file that was synced last, and up to where.
    synced: Mutex<(u64, u64)>,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Current>,
    /// How many records of each file the engine does not have.
    waiting: BTreeMap<u64, usize>,
    next: u64,
}

#[derive(Debug)]
struct Current {
    number: u64,
    file: Arc<File>,
    length: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    /// Opens the journal in `dir`, and says which files an earlier process left there, the oldest
    /// first.
    pub fn open(dir: &Path) -> io::Result<(Self, Vec<PathBuf>)> {
        fs::create_dir_all(dir)?;
        let mut left = Vec::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if let Some(number) = number_of(&path) {
                left.push((number, path));
            }
        }
        left.sort();
        let journal = Self {
            dir: dir.to_owned(),
            state: Mutex::new(State {
                next: left.last().map_or(1, |(number, _)| number + 1),
                ..State::default()
            }),
            synced: Mutex::default(),
        };
        Ok((journal, left.into_iter().map(|(_, path)| path).collect()))
    }

    /// Keeps a record, the content in parts; returns when it is on the disk.
    pub fn append(&self, content: &[&[u8]]) -> io::Result<Ticket> {
        let mut record = vec![0; HEAD];
        content.iter().for_each(|part| record.extend_from_slice(part));
        let (head, rest) = record.split_at_mut(HEAD);
        let length = u32::try_from(rest.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        head[..4].copy_from_slice(&length.to_le_bytes());
        head[4..].copy_from_slice(&crc32fast::hash(rest).to_le_bytes());
        let (number, end) = self.write(&record)?;
        match self.sync(number, end) {
            Ok(()) => Ok(Ticket(number)),
            Err(error) => {
                self.applied(Ticket(number));
                Err(error)
            }
        }
    }

    /// Takes back a record that the engine has.
    pub fn applied(&self, Ticket(number): Ticket) {
        let mut state = lock(&self.state);
        let Some(waiting) = state.waiting.get_mut(&number) else {
            return;
        };
        *waiting -= 1;
        if *waiting > 0 {
            return;
        }
        state.waiting.remove(&number);
        if state
            .current
            .as_ref()
            .is_some_and(|current| current.number == number)
        {
            state.current = None;
        }
        self.remove(&self.path(number));
    }

    /// Removes a file whose records the engine has.
    pub fn remove(&self, path: &Path) {
        // Left where it is it costs time with the next start, and counts once.
        if let Err(error) = fs::remove_file(path) {
            tracing::warn!(%error, path = %path.display(), "a file of the journal cannot be removed");
        }
    }

    /// Writes to the file; its number, and where the record ends.
    fn write(&self, record: &[u8]) -> io::Result<(u64, u64)> {
        let mut state = lock(&self.state);
        if let Some(full) = state.current.take_if(|current| current.length >= FILE) {
            full.file.sync_data()?;
        }
        if state.current.is_none() {
            let number = state.next;
            let path = self.path(number);
            let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
            // The name as well must outlive a crash of the machine.
            File::open(&self.dir)?.sync_all()?;
            state.next += 1;
            state.current = Some(Current {
                number,
                file: Arc::new(file),
                length: 0,
            });
        }
        let State { current, waiting, .. } = &mut *state;
        let Some(current) = current else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let mut file = &*current.file;
        if let Err(error) = file.write_all(record) {
            // What is there of it must not stand before the next record.
            let length = current.length;
            let mended = file
                .set_len(length)
                .and_then(|()| file.seek(SeekFrom::Start(length)));
            if mended.is_err() {
                state.current = None;
            }
            return Err(error);
        }
        current.length += record.len() as u64;
        *waiting.entry(current.number).or_default() += 1;
        Ok((current.number, current.length))
    }

    /// Returns when a file is on the disk up to `end`; those who wait meanwhile have one sync in
    /// common.
    fn sync(&self, number: u64, end: u64) -> io::Result<()> {
        let mut synced = lock(&self.synced);
        if *synced >= (number, end) {
            return Ok(());
        }
        let now = {
            let state = lock(&self.state);
            let current = state.current.as_ref().filter(|current| current.number == number);
            current.map(|current| (Arc::clone(&current.file), current.length))
        };
        // A file that is full was synced before the next one was begun.
        if let Some((file, length)) = now {
            file.sync_data()?;
            *synced = (number, length);
        }
        Ok(())
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:012}.journal"))
    }
}

fn number_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_suffix(".journal")?.parse().ok()
}

/// The records of a file up to the first that is not whole, and how many bytes come after it.
pub fn records(file: &[u8]) -> (Vec<&[u8]>, usize) {
    let (mut records, mut rest) = (Vec::new(), file);
    while let Some((record, after)) = record(rest) {
        records.push(record);
        rest = after;
    }
    (records, rest.len())
}

fn record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, bytes) = bytes.split_first_chunk::<4>()?;
    let (crc, bytes) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (content, rest) = bytes.split_at_checked(length)?;
    (crc32fast::hash(content) == u32::from_le_bytes(*crc)).then_some((content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn what_the_engine_has_is_gone_and_the_rest_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, left) = Journal::open(dir.path()).unwrap();
        assert!(left.is_empty());
        let first = journal.append(&[b"one", b""]).unwrap();
        let second = journal.append(&[b"t", b"wo"]).unwrap();
        journal.applied(first);
        assert_eq!(files(dir.path()), 1);
        journal.applied(second);
        assert_eq!(files(dir.path()), 0);
        let _third = journal.append(&[b"three"]).unwrap();
        let _fourth = journal.append(&[b"four"]).unwrap();
        drop(journal);

        let (journal, left) = Journal::open(dir.path()).unwrap();
        let [path] = &left[..] else { panic!("{left:?}") };
        let bytes = fs::read(path).unwrap();
        assert_eq!(records(&bytes), (vec![&b"three"[..], b"four"], 0));
        // A cut or damaged record ends the file; those before it are whole.
        assert_eq!(
            records(&bytes[..bytes.len() - 1]),
            (vec![&b"three"[..]], HEAD + 3)
        );
        let mut damaged = bytes.clone();
        damaged[HEAD] ^= 1;
        assert_eq!(records(&damaged), (vec![], bytes.len()));
        // New records do not go where old ones are.
        let ticket = journal.append(&[b"five"]).unwrap();
        assert_eq!(files(dir.path()), 2);
        journal.applied(ticket);
        journal.remove(path);
        assert_eq!(files(dir.path()), 0);
    }

    #[test]
    fn a_file_that_is_full_is_followed_by_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(dir.path()).unwrap();
        let large = vec![7; FILE as usize];
        let first = journal.append(&[&large]).unwrap();
        let second = journal.append(&[b"next"]).unwrap();
        assert_eq!(files(dir.path()), 2);
        journal.applied(first);
        assert_eq!(files(dir.path()), 1);
        journal.applied(second);
        assert_eq!(files(dir.path()), 0);
    }

    #[test]
    fn many_at_a_time_are_all_there() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(dir.path()).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8_u8 {
                let journal = &journal;
                scope.spawn(move || {
                    for n in 0..20 {
                        let _kept = journal.append(&[&[thread, n]]).unwrap();
                    }
                });
            }
        });
        let (_, left) = Journal::open(dir.path()).unwrap();
        let bytes = fs::read(&left[0]).unwrap();
        let mut found: Vec<Vec<u8>> = records(&bytes).0.into_iter().map(<[u8]>::to_vec).collect();
        found.sort();
        let all: Vec<Vec<u8>> = (0..8)
            .flat_map(|thread| (0..20).map(move |n| vec![thread, n]))
            .collect();
        assert_eq!(found, all);
    }
}
