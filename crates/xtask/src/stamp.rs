//! Is what was built still up to date? A stamp is a hash over the inputs' paths and bytes.

use crate::command::{Result, root};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// Hash over every file under `inputs` (paths relative to the checkout).
pub(crate) fn stamp(inputs: &[&str]) -> Result<String> {
    let mut files = Vec::new();
    for input in inputs {
        collect(&root().join(input), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let bytes = fs::read(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        hash.update(
            file.strip_prefix(root())
                .unwrap_or(&file)
                .to_string_lossy()
                .as_bytes(),
        );
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(&bytes);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(failed)? {
        collect(&entry.map_err(failed)?.path(), files)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_changes_with_the_inputs_and_only_then() {
        let one = stamp(&["crates/xtask/src"]).unwrap();
        assert_eq!(one, stamp(&["crates/xtask/src"]).unwrap());
        assert_ne!(one, stamp(&["crates/xtask"]).unwrap());
        assert!(stamp(&["no/such/file"]).is_err());
    }
}
