//! The binary `meshscope`.

fn main() {}
