//! The store alone: the same records through [`meshscope_store::Store::write`], and how the
//! server starts on what came of it.

use crate::fill;
use crate::generate::Workload;
use crate::server::{Server, weigh};

/// How often the server is started on the filled store.
const STARTS: usize = 5;

pub(crate) fn run(spans: usize) -> Result<(), String> {
    let workload = Workload::over_days(spans, 30);
    let spans = workload.spans() as f64;
    println!("store: {spans} spans over 30 days in groups of 20,000, no sockets");
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let filled = fill::fill(dir.path(), &workload, false)?;
    let rate = |seconds: f64| spans / seconds;
    let (writing, closing) = (filled.writing.as_secs_f64(), filled.closing.as_secs_f64());
    println!("  written and durable     {:>10.0} spans/s", rate(writing));
    println!(
        "    with sums, checkpoint {:>10.0} spans/s ({:.0} ms)",
        rate(writing + closing),
        closing * 1e3
    );
    let at = |percent| filled.writes.percentile(percent);
    println!(
        "  a group's commit        p50 {:.0} ms, p95 {:.0} ms, max {:.0} ms",
        at(50),
        at(95),
        at(100)
    );
    println!(
        "  on disk                 {:>10.1} bytes a span",
        weigh(dir.path()) as f64 / spans
    );

    let mut ready = crate::figures::Times::default();
    let (mut idle, mut asked) = (0, 0);
    for _ in 0..STARTS {
        let server = Server::start(dir.path(), &[])?;
        ready.add(server.ready_after);
        idle = idle.max(server.memory().now);
        let counted = server.counted("spans")?;
        if counted != workload.spans() {
            return Err(format!("{spans} spans were written, {counted} are kept"));
        }
        asked = asked.max(server.memory().now);
        server.stop()?;
    }
    println!(
        "  cold start to ready     p50 {:.0} ms, max {:.0} ms of {STARTS}, from exec to 200 on /readyz",
        ready.percentile(50),
        ready.percentile(100)
    );
    println!(
        "  memory, idle            {} MiB; {} MiB after /status",
        idle / 1024,
        asked / 1024
    );
    Ok(())
}
