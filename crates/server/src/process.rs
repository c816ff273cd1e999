//! What the system says of this process. Linux tells it in files; elsewhere it is not known.

/// Memory that the process holds, bytes.
pub(crate) fn memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Open files and sockets.
pub(crate) fn open_files() -> Option<usize> {
    // One of them is this listing itself.
    std::fs::read_dir("/proc/self/fd")
        .ok()
        .map(|files| files.count().saturating_sub(1))
}
