//! `make catalogue`: regenerates `client/api.func`, `docs/EXIT_CODES.md` and `docs/REASONS.md`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use telemetry_client::generated;

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = root.join("api.func");
    let old = fs::read_to_string(&script).context("client/api.func")?;
    let new = generated::renew_script(&old)
        .context("client/api.func lacks the lines that mark its generated part")?;
    fs::write(&script, new).context("client/api.func")?;
    fs::write(root.join("../docs/EXIT_CODES.md"), generated::page()).context("docs/EXIT_CODES.md")?;
    fs::write(root.join("../docs/REASONS.md"), generated::reasons_page()).context("docs/REASONS.md")
}
