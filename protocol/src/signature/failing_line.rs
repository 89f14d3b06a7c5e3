//! Splits an error text into the client's explanation of the exit code, the failed command, and the line of the
//! log that names the cause.

/// The parts of an error text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Report<'t> {
    /// The line that looks like the error.
    pub(super) line: Option<&'t str>,
    /// The command named by the error handler.
    pub(super) command: Option<&'t str>,
    /// The client's text for the exit code, or else the last line.
    pub(super) explanation: Option<&'t str>,
}

/// How likely a line is to name the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Nothing,
    /// Only repeats that something failed.
    Echo,
    Error,
}

/// How much of a line is examined, in bytes.
const MAX_LINE_BYTES: usize = 400;

/// Words of lines that look like an error, in lower case.
const ERROR_WORDS: &[&str] = &[
    "error",
    "fatal",
    "fail",
    "cannot",
    "can't",
    "could not",
    "couldn't",
    "unable",
    "not found",
    "no such",
    "denied",
    "refused",
    "timed out",
    "timeout",
    "exception",
    "panic",
    "missing",
    "conflict",
    "invalid",
    "abort",
    "unexpected",
    "undefined",
    "segmentation",
    "unmet",
    "broken",
    "not installed",
    "no space",
    "out of memory",
    "mismatch",
    "unreachable",
    "forbidden",
    "unauthorized",
    "unhealthy",
    "not supported",
    "unsupported",
    "no installation candidate",
    "does not",
    "not a ",
    "held by",
    "killed",
    "unhandled",
    "no module",
    "no matching",
    "unknown",
    "already exists",
    "already in use",
    "expired",
    "corrupt",
    "is not configured",
    "requires",
    "e:",
];
/// Words of lines that only repeat that something failed, or say where to find details.
const ECHO_WORDS: &[&str] = &[
    "returned an error code",
    "a complete log of this run",
    "errors were encountered while processing",
    "in line ",
    "while executing command",
    "exit code: 1 in",
    "see \"systemctl",
    "journalctl -x",
    "this error originates from a subprocess",
    "npm error code",
    "npm err! code",
    "command failed",
    "subprocess-exited-with-error",
    "did not run successfully",
    "application exited unexpectedly",
    "*** [",
    "maybe run apt-get update",
    "some index files failed",
    "build stopped: subcommand failed",
    "errno",
    "npm error path",
    "npm err! path",
    "npm error command",
    "npm err! command",
    "process didn't exit",
    "report this",
    "for more information",
    "try `rustc",
    "could not compile",
    "failed with exit code",
    "hint:",
    "raise ",
    "build failure",
    "not the problem with pip",
    "not a problem with pip",
    "curl.se/docs/",
    "lifecycle",
    "exit status",
];
/// Prefixes of progress lines, which are not errors even if they contain error words.
const PROGRESS: &[&str] = &[
    "setting up ",
    "unpacking ",
    "selecting ",
    "preparing to ",
    "get:",
    "hit:",
    "ign:",
    "npm warn",
    "warn",
    "processing triggers",
    "compiling ",
    "downloading ",
    "collecting ",
    "fetched ",
    "found 0 ",
    "w:",
    "n:",
    "info",
    "debug",
    "0 errors",
    "reading ",
    "created symlink",
    "note:",
    "installing ",
    "downloaded ",
];
/// Lines that report the death of a process.
const DEATHS: &[&str] = &[
    "killed",
    "terminated",
    "hangup",
    "segmentation fault",
    "segmentation fault (core dumped)",
    "aborted",
    "aborted (core dumped)",
    "illegal instruction",
    "bus error",
    "out of memory",
];
/// Words of errors that are caused by the host or its network, not by the command.
const ENVIRONMENT_ERRORS: &[&str] = &[
    "could not resolve host",
    "temporary failure",
    "name resolution",
    "network is unreachable",
    "no space left on device",
    "cannot allocate memory",
    "read-only file system",
    "could not get lock",
    "no route to host",
    "disk quota exceeded",
    "unable to acquire the dpkg frontend lock",
    "enough free space",
    "eai_again",
    "enospc",
    "dpkg frontend lock",
];

impl<'t> Report<'t> {
    pub(super) fn read(error: &'t str) -> Self {
        let mut report = Self::default();
        let mut last = None;
        let mut best = (Rank::Nothing, None);
        let one_line = !error.contains('\n');
        for line in error.split('\n').flat_map(|line| split_bars(line, one_line)) {
            let line = line.trim().trim_start_matches(['✖', '✗', '❌', '|', ' ', '\u{fe0f}']).trim();
            if line.is_empty() || line == "---" {
                continue;
            }
            if let Some((explanation, command)) = explanation(line) {
                report.explanation = Some(explanation);
                report.command = command.or(report.command);
                continue;
            }
            if let Some(command) = wrapped_command(line) {
                report.command = Some(command);
                continue;
            }
            let rank = rank(line);
            if rank != Rank::Nothing && rank >= best.0 {
                best = (rank, Some(line));
            }
            last = Some(line);
        }
        report.line = last.filter(|last| is_death(last)).or(best.1);
        report.explanation = report.explanation.or(last);
        report
    }
}

/// Splits a line at `|`, which clients of generation 2 send instead of newlines. A text with real newlines is
/// not split.
fn split_bars(line: &str, one_line: bool) -> impl Iterator<Item = &str> {
    let (head, rest) = line.split_once("|---|").unwrap_or(("", line));
    let bars =
        one_line && (!head.is_empty() || (!line.starts_with("exit_code=") && line.matches('|').count() > 1));
    [head].into_iter().chain(rest.split(if bars { '|' } else { '\n' }))
}

/// Parses `exit_code=100 | APT: Package manager error | at line 57: command`.
fn explanation(line: &str) -> Option<(&str, Option<&str>)> {
    let rest = line.strip_prefix("exit_code=")?;
    let (_, text) = rest.split_once('|').unwrap_or(("", line));
    let Some((text, place)) = text.split_once("| at line ") else {
        return Some((text.trim(), None));
    };
    let command = place.split_once(':').map(|(_, command)| command.trim());
    Some((text.trim(), command.filter(|command| !command.is_empty())))
}

/// Parses the error handler's line `[ERROR] in line 42: exit code 100: while executing command x`.
fn wrapped_command(line: &str) -> Option<&str> {
    let (before, command) = line.split_once("while executing command")?;
    (before.contains("in line") && !command.trim().is_empty()).then_some(command.trim())
}

fn rank(line: &str) -> Rank {
    let mut end = line.len().min(MAX_LINE_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let mut line = line[..end].to_ascii_lowercase();
    if PROGRESS.iter().any(|start| line.starts_with(start)) {
        return Rank::Nothing;
    }
    let is_echo = ECHO_WORDS.iter().any(|word| line.contains(word));
    for prefix in ["npm error", "npm err!"] {
        if let Some(rest) = line.strip_prefix(prefix) {
            // Every line of npm has this prefix, so it does not indicate an error.
            line = rest.to_owned();
            break;
        }
    }
    let is_error = ERROR_WORDS.iter().any(|word| line.contains(word));
    match (is_error, is_echo) {
        (true, false) => Rank::Error,
        (_, true) => Rank::Echo,
        (false, false) => Rank::Nothing,
    }
}

fn is_death(line: &str) -> bool {
    DEATHS.iter().any(|death| line.eq_ignore_ascii_case(death))
}

/// Whether a line is about the host or its network.
pub(super) fn is_about_environment(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    ENVIRONMENT_ERRORS.iter().any(|words| line.contains(words))
}
