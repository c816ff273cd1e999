//! Sizes of files, and what the file system has left.

use std::path::Path;

/// Bytes that may still be written where `path` is; `None` where the system does not say.
pub(super) fn free(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let stat = rustix::fs::statvfs(path).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _: &Path = path;
        None
    }
}

/// Size of a file; 0 when it is not there.
pub(super) fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}
