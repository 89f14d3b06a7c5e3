//! The program `telemetry-server`.

use std::process::ExitCode;

fn main() -> ExitCode {
    telemetry_server::command::run()
}
