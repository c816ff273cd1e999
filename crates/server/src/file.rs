//! Files as bodies, a piece at a time.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

const PIECE: usize = 256 * 1024;

/// The next `bytes` bytes of a file, or what there is of them. `keep` is dropped in the end.
pub(crate) fn body(file: File, bytes: u64, keep: impl Send + 'static) -> Body {
    let file = file.take(bytes);
    let pieces = stream::unfold((file, keep), |(mut file, keep)| async move {
        let mut piece = vec![0; PIECE];
        match file.read(&mut piece).await {
            Ok(0) => None,
            Ok(n) => {
                piece.truncate(n);
                Some((Ok(Bytes::from(piece)), (file, keep)))
            }
            Err(error) => Some((Err(error), (file, keep))),
        }
    });
    Body::from_stream(pieces)
}
