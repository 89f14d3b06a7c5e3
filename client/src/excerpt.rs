//! Prepares free text for an event: the end of a log and single fields, scrubbed and truncated.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use telemetry_protocol::Generation;
use telemetry_protocol::exit_code;
use telemetry_protocol::scrub::{scrub, scrub_tail, scrub_version};

/// Longest error text, in bytes. The end of a log names the cause, so the beginning is cut.
pub const MAX_ERROR: usize = 16 * 1024;
/// Longest text of any other field, in bytes.
pub const MAX_FIELD: usize = 1024;
/// How much of a log is read, in bytes. More than is kept, because scrubbing shortens the text.
const WINDOW: u64 = 128 * 1024;

/// The last lines of a log; `None` if the file is missing, empty or not a regular file.
#[must_use]
pub fn end_of_log(path: &Path) -> Option<String> {
    let length = fs::metadata(path).ok().filter(fs::Metadata::is_file)?.len();
    let mut file = File::open(path).ok()?;
    let skipped = length.saturating_sub(WINDOW);
    file.seek(SeekFrom::Start(skipped)).ok()?;
    let mut bytes = Vec::new();
    file.take(WINDOW).read_to_end(&mut bytes).ok()?;
    text_of(&bytes, skipped > 0)
}

/// The last lines of a text that cannot be read from its end, such as the standard input; `None` if it is empty.
///
/// # Errors
/// The text cannot be read.
pub fn end_of_text(mut reader: impl Read) -> io::Result<Option<String>> {
    let window = usize::try_from(WINDOW).unwrap_or(usize::MAX);
    let (mut bytes, mut skipped) = (Vec::new(), false);
    while reader.by_ref().take(WINDOW).read_to_end(&mut bytes)? > 0 {
        let excess = bytes.len().saturating_sub(window);
        skipped |= excess > 0;
        bytes.drain(..excess);
    }
    Ok(text_of(&bytes, skipped))
}

fn text_of(bytes: &[u8], has_partial_start: bool) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let text = if has_partial_start { without_partial_start(&text) } else { &text };
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Drops a line, and a key block, that began before the window.
fn without_partial_start(text: &str) -> &str {
    let text = text.split_once('\n').map_or("", |(_, rest)| rest);
    let end = text.find("-----END ");
    let begin = text.find("-----BEGIN ");
    match end {
        Some(end) if begin.is_none_or(|begin| end < begin) => {
            text[end..].split_once('\n').map_or("", |(_, rest)| rest)
        }
        _ => text,
    }
}

/// The error text of a failure, as all clients format it: the meaning of the code, then the end of the log.
#[must_use]
pub fn error_text(exit_code: Option<i32>, log: Option<&str>) -> String {
    let head = exit_code.map(|code| {
        let title = exit_code::explain(Generation::NEWEST, code).title;
        format!("exit_code={code} | {title}")
    });
    let log = log.map(without_carriage_returns);
    match (head, log) {
        (Some(head), Some(log)) => {
            let room = MAX_ERROR.saturating_sub(head.len() + 5);
            format!("{head}\n---\n{}", scrub_tail(&log, room))
        }
        (Some(head), None) => head,
        (None, Some(log)) => scrub_tail(&log, MAX_ERROR).into_owned(),
        (None, None) => "Unknown error".to_owned(),
    }
}

/// Scrubs a text field (any but the error) and puts it on one line. `None` if nothing is left.
#[must_use]
pub fn field(text: &str) -> Option<String> {
    one_line(scrub(text))
}

/// Like [`field`], for versions: four dotted numbers are not treated as an IP address.
#[must_use]
pub fn version(text: &str) -> Option<String> {
    one_line(scrub_version(text))
}

fn one_line(text: Cow<'_, str>) -> Option<String> {
    let line = text.replace(char::is_control, " ");
    let line = line.trim();
    let mut end = line.len().min(MAX_FIELD);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    (!line.is_empty()).then(|| line[..end].to_owned())
}

/// Keeps what remained visible of progress bars, which overwrite their line with a carriage return.
fn without_carriage_returns(log: &str) -> String {
    let visible = log.lines().map(|line| {
        let line = line.trim_end_matches('\r');
        line.rsplit('\r').next().unwrap_or_default()
    });
    visible.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("install.log");
        fs::write(&path, content).unwrap();
        (folder, path)
    }

    #[test]
    fn the_error_text_ends_with_the_end_of_the_log() {
        let mut content = "line\n".repeat(100_000).into_bytes();
        content.extend(b"E: caf\xe9 is closed\n");
        let (_folder, path) = log(&content);
        let text = error_text(Some(100), end_of_log(&path).as_deref());
        assert!(text.starts_with("exit_code=100 | APT: "), "{}", &text[..60]);
        assert!(text.ends_with("E: caf\u{fffd} is closed"));
        assert!(text.len() <= MAX_ERROR);
    }

    #[test]
    fn truncation_never_splits_a_character() {
        for extra in 0..4 {
            let text = error_text(None, Some(&("x".repeat(extra) + &"ä€🚀".repeat(4000))));
            assert!(text.len() <= MAX_ERROR && text.len() > MAX_ERROR - 300, "{}", text.len());
        }
    }

    #[test]
    fn an_empty_log_or_a_path_that_is_not_a_file_is_no_log() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path(), &folder.path().join("none"), Path::new("/dev/zero")] {
            assert_eq!(end_of_log(path), None);
        }
        let (_folder, path) = log(b" \n\n");
        assert_eq!(end_of_log(&path), None);
    }

    #[test]
    fn a_stream_is_cut_like_a_file() {
        let content = "line\n".repeat(100_000) + "E: closed\n";
        let (_folder, path) = log(content.as_bytes());
        assert_eq!(end_of_text(content.as_bytes()).unwrap(), end_of_log(&path));
        assert_eq!(end_of_text(&b" \n"[..]).unwrap(), None);
    }

    #[test]
    fn a_key_block_that_began_before_the_window_is_dropped() {
        assert_eq!(
            without_partial_start("half\nAAAA\n-----END OPENSSH PRIVATE KEY-----\nfailed\n"),
            "failed\n"
        );
        assert_eq!(
            without_partial_start("half\na\n-----BEGIN X-----\nb\n-----END X-----\n").lines().next(),
            Some("a")
        );
    }

    #[test]
    fn only_the_last_state_of_a_progress_bar_is_kept() {
        assert_eq!(without_carriage_returns(" 10%\r 50%\r100%\r\ndone\r\n"), "100%\ndone");
    }
}
