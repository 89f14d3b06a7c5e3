//! Compiles the rules in `data` into the program: a process that scrubs one text has no time to parse TOML.
#![allow(clippy::print_stdout, reason = "Cargo reads the output of a build script")]
#![allow(clippy::unwrap_used, reason = "a failure ends the build")]

mod reasons;
mod secrets;

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-changed=build");
    secrets::compile();
    reasons::compile()
}
