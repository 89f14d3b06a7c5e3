//! How likely a line that no rule knows is to be the reason, and of which kind, by general words.

use super::category::Category;

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
    "executing command",
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
    "error occurred",
    "something went wrong",
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
/// Words that say of which kind an unknown error is, in lower case; the first that the line has counts.
const PLAIN_WORDS: &[(Category, &[&str])] = &[
    (
        Category::DiskFull,
        &["no space left", "disk full", "not enough space", "out of space", "quota exceeded"],
    ),
    (
        Category::OutOfMemory,
        &[
            "out of memory",
            "cannot allocate memory",
            "not enough memory",
            "insufficient memory",
            "bad_alloc",
            "oom",
        ],
    ),
    (
        Category::Permission,
        &["permission denied", "operation not permitted", "must be run as root", "eacces"],
    ),
    (Category::GithubRateLimit, &["rate limit"]),
    (
        Category::Dns,
        &["resolve host", "name resolution", "name or service not known", "resolving host", "nxdomain"],
    ),
    (Category::Checksum, &["checksum", "sha256", "sha512", "digest mismatch", "hash mismatch", "integrity"]),
    (Category::RepositoryUnsigned, &["gpg", "pgp", "keyring", "public key", "not signed"]),
    (Category::Tls, &["certificate", "ssl", "tls"]),
    (Category::Auth, &["authentication", "unauthorized", "password", "credential", "access denied", "401"]),
    (
        Category::Network,
        &[
            "connection re",
            "connection closed",
            "connection was",
            "reset by peer",
            "broken pipe",
            "connect to",
            "unreachable",
            "no route",
            "internet connection",
            "unable to reach",
            "could not reach",
            "cannot reach",
        ],
    ),
    (Category::Timeout, &["timed out", "timeout", "took too long"]),
    (Category::ServiceStart, &["address already in use", "port is already"]),
    (Category::DownloadMissing, &["404", "download"]),
    (Category::Lock, &["is locked", "cannot lock", "lock file", "another process", "already running"]),
];
/// Like [`PLAIN_WORDS`], for words that have several meanings.
const VAGUE_WORDS: &[(Category, &[&str])] = &[
    (Category::UnsupportedEnvironment, &["not supported", "unsupported", "kernel", "cpu", "architecture"]),
    (Category::MissingCommand, &["command not found", "not installed", "is required but", "not in path"]),
    (
        Category::DependencyVersion,
        &[
            "requires",
            "required version",
            "version",
            "incompatible",
            "not compatible",
            "too old",
            "dependency",
        ],
    ),
    (Category::ProxmoxStorage, &["storage", "zfs", "lvm", "volume group", "create lun", "iscsi"]),
    (Category::ProxmoxContainer, &["container", "lxc", "qemu", "virtual machine"]),
    (Category::Database, &["database", "sql", "migration"]),
    (Category::ContainerRuntime, &["docker", "podman", "containerd"]),
    (Category::ServiceStart, &["service", "failed to start", "systemd", "daemon"]),
    (Category::BuildCompile, &["build", "compil"]),
    (Category::Config, &["config", "invalid", "setting", "not set", "option", "missing"]),
    (Category::ScriptBug, &["no such file", "not found", "unexpected", "syntax", "undefined"]),
];

/// Longest part of a line that is examined, in bytes.
const MAX_BYTES: usize = 2048;
/// Score from which a line looks like a reason.
pub(super) const CONVINCING: i32 = 4;

/// The kind of an error that no rule knows, by words that leave little doubt.
pub(super) fn plain_category(line: &str) -> Option<Category> {
    category(line, PLAIN_WORDS)
}

/// The kind of an error that no rule knows, by words that have several meanings.
pub(super) fn vague_category(line: &str) -> Option<Category> {
    category(line, VAGUE_WORDS)
}

/// The category of the first words that the line has, not as the end of another word or as a part of a number.
fn category(line: &str, kinds: &[(Category, &[&str])]) -> Option<Category> {
    let line = line.to_lowercase();
    let has = |word: &&str| {
        line.match_indices(word).any(|(at, _)| {
            !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '/')
                && !line[at + word.len()..].starts_with(|c: char| c.is_ascii_digit())
        })
    };
    kinds.iter().find(|(_, words)| words.iter().any(&has)).map(|(category, _)| *category)
}

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
