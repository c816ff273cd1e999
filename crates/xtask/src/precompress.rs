//! Brotli and gzip variants beside the studio's files, made once at build time, so that the
//! server never compresses the same bytes twice.

use crate::command::Result;
use std::fs;
use std::io::Write as _;
use std::path::Path;

/// Sizes of one file in bytes.
pub(crate) struct Sizes {
    pub(crate) name: String,
    pub(crate) raw: usize,
    pub(crate) gzip: usize,
    pub(crate) brotli: usize,
}

/// Writes `FILE.br` and `FILE.gz` for each file of `dir` (flat, as trunk makes it).
pub(crate) fn precompress(dir: &Path) -> Result<Vec<Sizes>> {
    let failed = |error: std::io::Error| format!("cannot compress the files of {}: {error}", dir.display());
    let mut sizes = Vec::new();
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    for path in paths {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let hidden = name.starts_with('.');
        if !path.is_file() || hidden || name.ends_with(".br") || name.ends_with(".gz") {
            continue;
        }
        let bytes = fs::read(&path).map_err(failed)?;
        let brotli = brotli_of(&bytes).map_err(failed)?;
        let gzip = gzip_of(&bytes).map_err(failed)?;
        fs::write(dir.join(format!("{name}.br")), &brotli).map_err(failed)?;
        fs::write(dir.join(format!("{name}.gz")), &gzip).map_err(failed)?;
        sizes.push(Sizes {
            name,
            raw: bytes.len(),
            gzip: gzip.len(),
            brotli: brotli.len(),
        });
    }
    Ok(sizes)
}

fn brotli_of(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut writer = brotli::CompressorWriter::new(&mut out, 64 * 1024, 11, 24);
    writer.write_all(bytes)?;
    drop(writer);
    Ok(out)
}

fn gzip_of(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(bytes)?;
    writer.finish()
}
