//! Mounts the studio.

fn main() {}
