//! The binary `meshscope`.

use std::process::ExitCode;

fn main() -> ExitCode {
    meshscope_server::cli::main()
}
