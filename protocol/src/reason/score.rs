//! How likely a line that no rule knows is to be the reason, by general words.

/// Words of lines that look like an error, in lower case, and how much they count.
const ERROR_WORDS: &[(&str, i32)] = &[
    ("error", 4),
    ("fatal", 5),
    ("fail", 3),
    ("cannot", 5),
    ("can't", 4),
    ("could not", 5),
    ("couldn't", 5),
    ("unable to", 5),
    ("not found", 5),
    ("no such", 5),
    ("denied", 5),
    ("refused", 5),
    ("timed out", 4),
    ("timeout", 3),
    ("exception", 4),
    ("panic", 4),
    ("missing", 4),
    ("conflict", 3),
    ("invalid", 4),
    ("abort", 2),
    ("unexpected", 4),
    ("undefined", 4),
    ("segmentation fault", 5),
    ("unmet", 3),
    ("broken", 2),
    ("not installed", 4),
    ("no space", 5),
    ("out of memory", 5),
    ("mismatch", 4),
    ("unreachable", 4),
    ("forbidden", 4),
    ("unauthorized", 4),
    ("unhealthy", 3),
    ("not supported", 4),
    ("unsupported", 4),
    ("does not", 3),
    ("is not a", 3),
    ("killed", 4),
    ("unhandled", 3),
    ("no module", 4),
    ("no matching", 4),
    ("unknown", 3),
    ("unrecognized", 4),
    ("already exists", 4),
    ("already in use", 4),
    ("expired", 4),
    ("corrupt", 4),
    ("not configured", 3),
    ("requires", 2),
    ("required", 2),
    ("must be", 3),
    ("not allowed", 4),
    ("not permitted", 4),
    ("bad ", 3),
    ("illegal", 4),
    ("too many", 3),
    ("too old", 3),
    ("not available", 3),
    ("unavailable", 3),
    ("not compatible", 3),
    ("incompatible", 4),
    ("not ready", 2),
    ("fehler", 4),
    ("erreur", 4),
    ("échec", 4),
    ("impossible", 4),
    ("no se pudo", 4),
    ("ошибка", 4),
    ("не удалось", 4),
    ("erro:", 4),
    ("错误", 4),
    ("失败", 4),
];
/// Beginnings of lines that are an error by their form, in lower case.
const ERROR_STARTS: &[&str] = &["e: ", "error", "fatal", "err:", "panic:", "exception", "fehler:", "erreur"];
/// Words of lines that only pass on that something failed, or say where to read more.
const ECHO_WORDS: &[&str] = &[
    "returned an error code",
    "a complete log of this run",
    "errors were encountered",
    "while executing command",
    "exit code",
    "exit status",
    "exited with",
    "see \"systemctl",
    "journalctl",
    "command failed",
    "did not run successfully",
    "build stopped",
    "report this",
    "for more information",
    "for details",
    "hint:",
    "build failure",
    "please check",
    "check the log",
    "installation failed",
    "install failed",
    "please retry",
    "try again",
    "retrying",
    "bringing up the project",
];
/// Beginnings of lines that report progress, in lower case.
const PROGRESS_STARTS: &[&str] = &[
    "setting up ",
    "unpacking ",
    "selecting ",
    "preparing to ",
    "get:",
    "hit:",
    "ign:",
    "processing triggers",
    "compiling ",
    "downloading ",
    "collecting ",
    "fetched ",
    "found 0 ",
    "n: ",
    "info",
    "debug",
    "0 errors",
    "reading ",
    "created symlink",
    "note:",
    "installing ",
    "downloaded ",
];
/// Beginnings of lines that warn, in lower case.
const WARNING_STARTS: &[&str] = &["w: ", "warn", "npm warn", "deprecat"];

/// Longest part of a line that is examined, in bytes.
const MAX_BYTES: usize = 2048;
/// Score from which a line looks like a reason.
pub(super) const CONVINCING: i32 = 4;

/// The score of a message; 0 or less if it does not look like an error.
pub(super) fn score(message: &str) -> i32 {
    let mut end = message.len().min(MAX_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let line = message[..end].to_lowercase();
    if PROGRESS_STARTS.iter().any(|start| line.starts_with(start)) {
        return 0;
    }
    let words = ERROR_WORDS.iter().filter(|(word, _)| line.contains(word)).map(|(_, weight)| weight);
    let (best, count) = words.fold((0, 0), |(best, count), weight| (best.max(*weight), count + 1));
    if best == 0 {
        return 0;
    }
    let mut score = best + i32::from(count > 1) + i32::from(count > 2);
    if ERROR_STARTS.iter().any(|start| line.starts_with(start)) {
        score += 2;
    }
    if ECHO_WORDS.iter().any(|word| line.contains(word)) {
        score -= 5;
    }
    if WARNING_STARTS.iter().any(|start| line.starts_with(start)) {
        score -= 3;
    }
    if [" WARN ", " INFO ", "[Warning]", " warning: "].iter().any(|level| message[..end].contains(level)) {
        score -= 3;
    }
    let informative = line.chars().filter(|c| c.is_alphabetic()).count();
    if informative < 12 {
        score -= 2;
    }
    score
}
