//! Writes what is generated from the catalogue of exit codes: `make catalogue`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use telemetry_client::catalogue;

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = root.join("api.func");
    let old = fs::read_to_string(&script).context("client/api.func")?;
    let new = catalogue::renew_script(&old).context("client/api.func has lost its marks")?;
    fs::write(&script, new).context("client/api.func")?;
    fs::write(root.join("../docs/EXIT_CODES.md"), catalogue::page()).context("docs/EXIT_CODES.md")
}
